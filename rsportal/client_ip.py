"""Which address a request came from, also behind a reverse proxy."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def _clean(text: str) -> str | None:
    """Return the address without port and brackets, or None where it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].split("]")[0]
    elif text.count(":") == 1:
        text = text.split(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def client_ip(request: HttpRequest) -> str | None:
    """Return the visitor's IP address (None when the server does not know it, as over a Unix socket).

    Behind ``settings.PROXY_COUNT`` proxies it is the entry of ``X-Forwarded-For`` that the outermost of them
    wrote: the PROXY_COUNT-th from the right. Entries further left come from the visitor, who can write what
    they like, so they are never used; without a proxy the header is not read at all.
    """
    direct = _clean(str(request.META.get("REMOTE_ADDR", "")))
    if settings.PROXY_COUNT < 1:
        return direct
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return (_clean(hops[-settings.PROXY_COUNT]) if len(hops) >= settings.PROXY_COUNT else None) or direct
