"""Which address a request came from, also behind a reverse proxy."""

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str:
    """Return the visitor's IP address (empty when the server does not know it).

    Behind ``settings.PROXY_COUNT`` proxies it is the entry of ``X-Forwarded-For`` that the outermost of them
    wrote: the PROXY_COUNT-th from the right. Entries further left come from the visitor, who can write what
    they like, so they are never used; without a proxy the header is not read at all.
    """
    direct = str(request.META.get("REMOTE_ADDR", ""))
    if settings.PROXY_COUNT < 1:
        return direct
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    return hops[-settings.PROXY_COUNT] if len(hops) >= settings.PROXY_COUNT else direct
