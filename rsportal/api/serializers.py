"""The shapes that every part of the API answers with."""

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers


class FieldErrorSerializer(serializers.Serializer):
    """One thing wrong with one field or parameter."""

    field = serializers.CharField(
        allow_null=True, help_text="The field or parameter; null when it concerns the whole request."
    )
    code = serializers.CharField(help_text="A stable word for programs.")
    detail = serializers.CharField(help_text="A sentence for people.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A field is wrong",
            value={
                "type": "urn:rsportal:problem:invalid",
                "title": "Bad Request",
                "status": 400,
                "detail": "bbox: south is above north.",
                "instance": "/api/v1/scenes/",
                "code": "invalid",
                "errors": [{"field": "bbox", "code": "invalid", "detail": "south is above north."}],
            },
            response_only=True,
        )
    ]
)
class ProblemSerializer(serializers.Serializer):
    """A problem document (RFC 9457)."""

    type = serializers.CharField(help_text="`urn:rsportal:problem:` and the code.")
    title = serializers.CharField(help_text="The HTTP status in words.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="What is wrong and what to do.")
    instance = serializers.CharField(help_text="The path that was asked for.")
    code = serializers.CharField(help_text="A stable word for programs.")
    errors = FieldErrorSerializer(  # type: ignore[assignment]  # A field of the document, as the RFC names it.
        many=True, help_text="Field by field; empty when no field is at fault."
    )
    request_id = serializers.CharField(required=False, help_text="Number of the request in the log (status 500).")
    job = serializers.URLField(required=False, help_text="The job that keeps the reason (refused uploads).")


class RootSerializer(serializers.Serializer):
    """Where everything is."""

    collections = serializers.URLField()
    scenes = serializers.URLField()
    uploads = serializers.URLField()
    jobs = serializers.URLField()
    search = serializers.URLField()
    concepts = serializers.URLField()
    events = serializers.URLField()
    me = serializers.URLField()
    history = serializers.URLField()
    schema = serializers.URLField()
    docs = serializers.URLField()


class LanguageSerializer(serializers.Serializer):
    """A language the portal speaks."""

    code = serializers.ChoiceField(choices=[code for code, _name in settings.LANGUAGES])
    name = serializers.CharField()


class TokenSerializer(serializers.Serializer):
    """A token of the person asking; the secret itself is kept nowhere."""

    name = serializers.CharField(help_text="What its owner called it.")
    created = serializers.DateTimeField()
    expiry = serializers.DateTimeField(allow_null=True, help_text="When it stops working; null means never.")
    current = serializers.BooleanField(help_text="Whether this request was made with it.")


class MeSerializer(serializers.Serializer):
    """The person asking."""

    username = serializers.CharField()
    email = serializers.EmailField(allow_blank=True)
    full_name = serializers.CharField(allow_blank=True)
    is_staff = serializers.BooleanField(help_text="Whether the admin is open to this person.")
    language = serializers.CharField(allow_blank=True, help_text="Language of the pages; empty follows the browser.")
    languages = LanguageSerializer(many=True)
    tokens = TokenSerializer(many=True)
