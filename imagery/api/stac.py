"""STAC documents over the API, for the person whose token it is."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from imagery.api.assets import AnyAccept
from imagery.api.links import link
from imagery.api.viewset import found
from imagery.stac_documents import Addresses, collection_stac, item_document, root_stac
from imagery.views_stac import stac_response

_DOCUMENT = {"type": "object", "additionalProperties": True}


def _answer(media_type: str, what: str) -> dict[tuple[int, str], OpenApiResponse]:
    return {(200, media_type): OpenApiResponse(_DOCUMENT, description=what)}


class StacView(APIView):
    """What the three documents share."""

    content_negotiation_class = AnyAccept

    def addresses(self, request: Request) -> Addresses:
        """Return the addresses of the API (and of the pages, for people)."""

        def page(name: str, *args: object) -> str:
            return reverse(f"imagery:{name}", args=args, request=request)

        return Addresses(
            root=link(request, "stac"),
            item=lambda scene: link(request, "scene-stac", pk=scene.pk),
            collection=lambda row: link(request, "collection-stac", slug=row.slug),
            asset=lambda row: link(request, "scene-asset", pk=row.scene_id, key=row.key),
            scene_page=lambda scene: page("scene", scene.pk),
            collection_page=lambda row: page("collection", row.slug),
        )


class StacCatalogView(StacView):
    """The catalogue."""

    @extend_schema(
        tags=["stac"],
        operation_id="stac_catalog",
        summary="The collections you may see, as a STAC Catalog",
        responses=_answer("application/json", "A STAC 1.1 Catalog."),
    )
    def get(self, request: Request) -> HttpResponse:
        return stac_response(root_stac(user=request.user, addresses=self.addresses(request)))


class StacCollectionView(StacView):
    """A collection."""

    @extend_schema(
        tags=["stac"],
        operation_id="collections_stac",
        summary="A collection as STAC",
        responses=_answer("application/json", "A STAC 1.1 Collection."),
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        return stac_response(
            found(lambda: collection_stac(user=request.user, slug=slug, addresses=self.addresses(request)))
        )


class StacItemView(StacView):
    """A scene."""

    @extend_schema(
        tags=["stac"],
        operation_id="scenes_stac",
        summary="A scene as STAC",
        description="Originals are among its assets only where you may download them.",
        responses=_answer("application/geo+json", "A STAC 1.1 Item."),
    )
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        return stac_response(
            found(lambda: item_document(user=request.user, scene_id=pk, addresses=self.addresses(request)))
        )
