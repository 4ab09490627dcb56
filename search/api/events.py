"""Events: what you did with a result."""

from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from rsportal.accounts.models import User
from search.api.serializers import EventNamedSerializer, EventRequestSerializer, EventSerializer
from search.services import event_record, event_withdraw


class EventsView(APIView):
    """Tells and takes back what you did with a result."""

    throttle_scope = "events"

    @extend_schema(
        tags=["events"],
        operation_id="event_record",
        summary="Tell what you did with a result",
        description="Telling it again changes nothing. A like takes back a dislike and the other way round. What you "
        "tell has a say in your later searches (docs/learning.md); a search with `history=false` goes without it.",
        request=EventRequestSerializer,
        responses={200: EventSerializer},
    )
    def post(self, request: Request) -> Response:
        form = EventRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        event = event_record(user=cast(User, request.user), **form.validated_data)
        return Response(EventSerializer(event).data)

    @extend_schema(
        tags=["events"],
        operation_id="event_withdraw",
        summary="Take back what you told",
        description="Taking back what was never told changes nothing.",
        parameters=[EventNamedSerializer],
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        form = EventNamedSerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        event_withdraw(user=cast(User, request.user), **form.validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)
