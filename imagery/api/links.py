"""Addresses of the API in its answers."""

from typing import Any

from rest_framework.request import Request
from rest_framework.reverse import reverse


def link(request: Request, name: str, **kwargs: Any) -> str:
    """Return the absolute address of an endpoint of the API."""
    return reverse(f"api:{name}", kwargs=kwargs, request=request)
