"""Pictures to search with."""

from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from rsportal.accounts.models import User
from search.models import QueryImage
from search.services import image_keep
from search.services.query_images import MAX_BYTES, upload_length_check


class ExamplePictureRequestSerializer(serializers.Serializer):
    """A picture to search with."""

    picture = serializers.FileField(help_text="PNG, JPEG, WebP, GeoTIFF or JPEG 2000: 20 MB, 40 megapixels at most.")
    kind = serializers.ChoiceField(
        choices=QueryImage.Kind.choices,
        required=False,
        default=QueryImage.Kind.PICTURE,
        help_text="`sketch`: a drawing, dark lines on light ground (experimental).",
    )


class ExamplePictureSerializer(serializers.Serializer):
    """A picture that is kept to search with: only you can use it."""

    kind = serializers.ChoiceField(choices=["image", "sketch"], help_text="What to write in `examples` of a search.")
    id = serializers.UUIDField(help_text="What to write in `examples` of a search.")
    name = serializers.CharField(allow_blank=True)
    width = serializers.IntegerField(help_text="Of what is kept, in pixels.")
    height = serializers.IntegerField()


class ExamplesView(APIView):
    """Keeps pictures to search with."""

    throttle_scope = "upload"
    parser_classes = [MultiPartParser]
    problem_codes = {"post": ("413",)}

    @extend_schema(
        tags=["search"],
        operation_id="example_create",
        summary="Keep a picture to search with",
        description="A small copy without the file's metadata is kept for you alone; the same picture again is the "
        "same one. Of more than 200 those not used for longest go, unless a concept of yours holds them.",
        request=ExamplePictureRequestSerializer,
        responses={201: ExamplePictureSerializer},
    )
    def post(self, request: Request) -> Response:
        upload_length_check(request.META.get("CONTENT_LENGTH"))
        form = ExamplePictureRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        file = form.validated_data["picture"]
        image = image_keep(
            user=cast(User, request.user),
            data=file.read(MAX_BYTES + 1),
            name=file.name or "",
            kind=form.validated_data["kind"],
        )
        kind = "sketch" if image.kind == QueryImage.Kind.SKETCH else "image"
        body = {"kind": kind, "id": image.pk, "name": image.name, "width": image.width, "height": image.height}
        return Response(ExamplePictureSerializer(body).data, status=status.HTTP_201_CREATED)
