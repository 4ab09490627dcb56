"""What is kept about your searches: export and erase."""

from typing import cast

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from rsportal.accounts.models import User
from rsportal.api.pagination import KeysetPagination
from rsportal.errors import InvalidInput
from search.api.serializers import HistoryQuerySerializer
from search.history import history_details
from search.models import Query
from search.services import history_erase


class HistoryView(GenericAPIView):
    """What is kept about your searches."""

    queryset = Query.objects.none()
    serializer_class = HistoryQuerySerializer
    pagination_class = KeysetPagination
    filter_backends = []
    keyset = ("-created_at", "-id")

    @extend_schema(
        tags=["me"],
        operation_id="history_export",
        summary="Export your search history",
        description="Every question you asked, newest first, with the results shown and what you did with them.",
        responses=HistoryQuerySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(history_details(cast(User, request.user)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        tags=["me"],
        operation_id="history_erase",
        summary="Erase your search history",
        description="Erases all of it for good, with the pictures given as examples, or one question with what came of "
        "it. Nothing is learnt from it any more. Concepts stay unless you ask for them, too.",
        parameters=[
            OpenApiParameter("query", int, description="Only this question (its `id`)."),
            OpenApiParameter("concepts", bool, description="With all questions: true erases your concepts, too."),
        ],
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        raw = request.query_params.get("query", "")
        if raw and not (raw.isascii() and raw.isdigit() and len(raw) < 19):
            raise InvalidInput(_("query is the id of a question in your history."), field="query")
        concepts = request.query_params.get("concepts", "").lower() in ("1", "true")
        history_erase(user=cast(User, request.user), query_id=int(raw) if raw else None, concepts=concepts)
        return Response(status=status.HTTP_204_NO_CONTENT)
