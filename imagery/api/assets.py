"""The files of a scene, to the same token or session as everything else."""

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from imagery.api.viewset import found
from imagery.file_responses import asset_response
from imagery.selectors import asset_get
from imagery.storage import AssetMissing


class AnyAccept(BaseContentNegotiation):
    """A file is what it is, whatever ``Accept`` asks for."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return (renderers[0], renderers[0].media_type)


class AssetView(APIView):
    """A file of a scene."""

    content_negotiation_class = AnyAccept
    problem_codes = {"": ("403",)}

    @extend_schema(
        tags=["scenes"],
        operation_id="scenes_asset",
        summary="A file of a scene",
        description="The thumbnail, the full view, or an original (where the licence allows it or you may change "
        "the collection). Answers 304 to an `If-None-Match` that still holds.",
        responses={
            (200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY, description="The bytes."),
            304: OpenApiResponse(description="Unchanged."),
        },
    )
    def get(self, request: Request, pk: UUID, key: str) -> HttpResponseBase:
        asset = found(lambda: asset_get(request.user, pk, key))
        try:
            return asset_response(request._request, user=request.user, asset=asset)
        except AssetMissing as error:
            raise NotFound(error.message, code=error.code) from None
