"""Collections."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from imagery.api.collection_serializers import (
    CollectionSerializer,
    CollectionUpdateSerializer,
    CollectionWriteSerializer,
)
from imagery.api.extents import collection_extents
from imagery.api.viewset import CatalogueViewSet, found
from imagery.models import Collection
from imagery.selectors import collection_get, collections_list
from imagery.services.collections import collection_create, collection_delete, collection_update


@extend_schema(tags=["collections"])
@extend_schema_view(
    list=extend_schema(summary="List the collections you may see"),
    retrieve=extend_schema(summary="One collection"),
    create=extend_schema(
        summary="Make a collection", request=CollectionWriteSerializer, responses={201: CollectionSerializer}
    ),
    partial_update=extend_schema(
        summary="Change a collection", request=CollectionUpdateSerializer, responses={200: CollectionSerializer}
    ),
    destroy=extend_schema(summary="Delete an empty collection", responses={204: None}),
)
class CollectionViewSet(CatalogueViewSet):
    """Sets of scenes under one licence and one rule of who sees them."""

    queryset = Collection.objects.none()
    serializer_class = CollectionSerializer
    lookup_field = "slug"
    lookup_value_converter = "slug"
    keyset = ("title", "id")
    problem_codes = {"destroy": ("409",), "create": ("409",)}

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(collections_list(self.user))
        assert page is not None
        return self.get_paginated_response(self._represent(*page))

    def retrieve(self, request: Request, slug: str) -> Response:
        return Response(self._represent(self._get(slug))[0])

    def create(self, request: Request) -> Response:
        form = CollectionWriteSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        collection = collection_create(user=self.user, **form.validated_data)
        body = self._represent(self._get(collection.slug))[0]
        return Response(body, status=status.HTTP_201_CREATED, headers={"Location": body["links"]["self"]})

    def partial_update(self, request: Request, slug: str) -> Response:
        collection = self._get(slug)
        form = CollectionUpdateSerializer(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        collection_update(collection=collection, user=self.user, **form.validated_data)
        return Response(self._represent(self._get(slug))[0])

    def destroy(self, request: Request, slug: str) -> Response:
        collection_delete(collection=self._get(slug), user=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _get(self, slug: str) -> Collection:
        return found(lambda: collection_get(self.user, slug))

    def _represent(self, *collections: Collection) -> Sequence[dict[str, Any]]:
        extents = collection_extents(user=self.user, collections=collections)
        context = {"request": self.request, "extents": extents}
        return list(CollectionSerializer(collections, many=True, context=context).data)
