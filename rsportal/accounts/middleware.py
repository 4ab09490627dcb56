"""Shows pages in the language a person chose."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import translation

from rsportal.request_log import bind_user


class UserLanguageMiddleware:
    """Activates the account's language; without one the browser's choice (LocaleMiddleware) stays.

    It is the first to look at the account, so it also names it in the log lines of this request.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        bind_user(request.user)
        language = getattr(request.user, "language", "")
        if not language:
            return self.get_response(request)
        with translation.override(language):
            request.LANGUAGE_CODE = translation.get_language()
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", language)
            return response
