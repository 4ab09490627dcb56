"""Keyset paging: a page begins after the last row of the one before, so nothing is repeated or dropped."""

import base64
import binascii
import json
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Model, Q
from django.utils.translation import gettext as _
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from rsportal.errors import InvalidInput

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200


class KeysetPagination(BasePagination):
    """Pages by the values of two columns, the second of which is unique.

    The view names them in ``keyset`` (``("-created_at", "-id")``, both in one direction). ``limit`` sets the length
    of a page, ``cursor`` is opaque and comes from the ``next`` link. Rows added meanwhile neither shift nor repeat
    the ones still to come.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        """Return the rows of the page. Raises InvalidInput naming ``limit`` or ``cursor``."""
        keyset: tuple[str, str] = view.keyset  # type: ignore[union-attr]
        self._request = request
        limit = page_limit(request.query_params.get("limit"), default=DEFAULT_LIMIT, maximum=MAX_LIMIT)
        if cursor := request.query_params.get("cursor"):
            queryset = queryset.filter(_after(queryset.model, keyset, cursor))
        rows = list(queryset.order_by(*keyset)[: limit + 1])
        self._next = _encode(rows[limit - 1], keyset) if len(rows) > limit else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page with the link to the next one (null on the last)."""
        here = self._request.build_absolute_uri()
        following = replace_query_param(here, "cursor", self._next) if self._next else None
        return Response({"next": following, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the OpenAPI schema of a page."""
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {
                "next": {
                    "type": ["string", "null"],
                    "format": "uri",
                    "description": "The next page; null on the last one.",
                    "examples": ["https://portal.example/api/v1/scenes/?cursor=WyIyMDI2LTA..."],
                },
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Return the OpenAPI description of ``limit`` and ``cursor``."""
        return [
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "description": "Rows on a page.",
                "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            },
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "Where the page begins; taken from `next` of the page before.",
                "schema": {"type": "string"},
            },
        ]


def page_limit(raw: str | None, *, default: int, maximum: int) -> int:
    """Return the number of rows asked for. Raises InvalidInput(field="limit") outside 1 to ``maximum``."""
    if raw is None or raw == "":
        return default
    if not raw.isascii() or not raw.isdigit() or not 1 <= int(raw[:9]) <= maximum:
        raise InvalidInput(
            _("limit is %(raw)s; write a whole number from 1 to %(maximum)s.") % {"raw": raw[:40], "maximum": maximum},
            field="limit",
        )
    return int(raw)


def _encode(row: Model, keyset: tuple[str, str]) -> str:
    values = []
    for name in keyset:
        field = row._meta.get_field(name.lstrip("-"))
        values.append(field.value_to_string(row))  # type: ignore[union-attr]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _after(model: type[Model], keyset: tuple[str, str], cursor: str) -> Q:
    """Return the predicate of the rows behind the cursor. Raises InvalidInput for a cursor we did not make."""
    first, second = (name.lstrip("-") for name in keyset)
    try:
        raw_first, raw_second = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if "\x00" in raw_first + raw_second or not (raw_first + raw_second).encode():
            raise ValueError("no text that the database takes")
        value_first = model._meta.get_field(first).to_python(raw_first)  # type: ignore[union-attr]
        value_second = model._meta.get_field(second).to_python(raw_second)  # type: ignore[union-attr]
    except (ValueError, TypeError, binascii.Error, RecursionError, ValidationError):
        raise InvalidInput(
            _("cursor was not made by the portal; take it from the next link."), field="cursor"
        ) from None
    less = "lt" if keyset[0].startswith("-") else "gt"
    # The first term repeats what the others imply, so that the index on both columns bounds the scan.
    return Q(**{f"{first}__{less}e": value_first}) & (
        Q(**{f"{first}__{less}": value_first}) | Q(**{f"{second}__{less}": value_second})
    )
