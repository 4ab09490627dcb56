"""What you let the portal learn from what you do."""

from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from rsportal.accounts.models import User
from search.history import learning_choice
from search.services import learning_choose


class LearningSerializer(serializers.Serializer):
    """What the portal may learn from what you do."""

    for_me = serializers.BooleanField(help_text="Your history has a say in your own results.")
    for_all = serializers.BooleanField(help_text="Your history has a say in everybody's results.")


class LearningView(APIView):
    """What you let the portal learn."""

    @extend_schema(
        tags=["me"],
        operation_id="learning",
        summary="What the portal may learn from you",
        responses=LearningSerializer,
    )
    def get(self, request: Request) -> Response:
        return Response(LearningSerializer(learning_choice(cast(User, request.user))).data)

    @extend_schema(
        tags=["me"],
        operation_id="learning_choose",
        summary="Choose what the portal may learn from you",
        description="Holds at once. Nothing is erased: switched on again, what is kept has its say again.",
        request=LearningSerializer,
        responses=LearningSerializer,
    )
    def put(self, request: Request) -> Response:
        form = LearningSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        choice = learning_choose(user=cast(User, request.user), **form.validated_data)
        return Response(LearningSerializer(choice).data)
