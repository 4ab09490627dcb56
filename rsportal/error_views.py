"""Pages for failures that nobody expected. They need neither the database nor a context processor."""

import sys

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template import loader
from django.views.decorators.csrf import requires_csrf_token

_DATABASE_DOWN = (OperationalError, InterfaceError)


@requires_csrf_token
def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a crash: 503 and what to do when the database does not answer, else 500 and the request's id.

    Django calls this while the exception is being handled.
    """
    if isinstance(sys.exc_info()[1], _DATABASE_DOWN):
        response = HttpResponse(loader.get_template("errors/database_down.html").render(), status=503)
        response["Retry-After"] = "30"  # seconds
        return response
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    return HttpResponseServerError(loader.get_template("500.html").render({"request_id": request_id}))
