"""The root of the API, the person asking, and addresses that lead nowhere."""

from typing import Any, NoReturn, cast

from django.conf import settings
from django.http import HttpResponseRedirect
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from rsportal.accounts.models import ApiToken, User
from rsportal.accounts.selectors import tokens_list
from rsportal.api.serializers import MeSerializer, RootSerializer

_PARTS = {
    "collections": "api:collection-list",
    "scenes": "api:scene-list",
    "uploads": "api:upload-list",
    "jobs": "api:job-list",
    "search": "api:search",
    "concepts": "api:concept-list",
    "events": "api:events",
    "me": "api:me",
    "history": "api:history",
    "schema": "api:schema",
    "docs": "api:docs",
}


class RootView(APIView):
    """Where everything is."""

    @extend_schema(operation_id="root", tags=["root"], summary="Where everything is", responses=RootSerializer)
    def get(self, request: Request) -> Response:
        return Response({part: reverse(name, request=request) for part, name in _PARTS.items()})


class MeView(APIView):
    """The person asking."""

    @extend_schema(operation_id="me", tags=["me"], summary="Who am I", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Answer with the account behind the token or session, and what is known about its tokens."""
        user = cast(User, request.user)
        tokens = [
            {
                "name": token.name,
                "created": token.created,
                "expiry": token.expiry,
                "current": isinstance(request.auth, ApiToken) and token.pk == request.auth.pk,
            }
            for token in tokens_list(user)
        ]
        languages = [{"code": code, "name": name} for code, name in settings.LANGUAGES]
        return Response(
            MeSerializer(
                {
                    "username": user.get_username(),
                    "email": user.email,
                    "full_name": user.get_full_name(),
                    "is_staff": user.is_staff,
                    "language": user.language,
                    "languages": languages,
                    "tokens": tokens,
                }
            ).data
        )


class NowhereView(APIView):
    """Every other address below ``/api/v1/``: a problem document instead of the pages' "not found"."""

    schema = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if request.method == "GET" and (slashed := _with_slash(request.path)):
            query = request.META.get("QUERY_STRING", "")
            return HttpResponseRedirect(f"{slashed}?{query}" if query else slashed)
        return super().dispatch(request, *args, **kwargs)

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> NoReturn:
        if slashed := _with_slash(request.path):
            raise NotFound(_("Addresses of the API end with a slash: %(path)s") % {"path": slashed})
        raise NotFound(_("The API has no such address; /api/v1/ lists what there is."))


def _with_slash(path: str) -> str | None:
    """Return the address that was probably meant, when only the slash at its end is missing."""
    if path.endswith("/"):
        return None
    try:
        match = resolve(f"{path}/")
    except Resolver404:
        return None
    return None if getattr(match.func, "cls", None) is NowhereView else f"{path}/"
