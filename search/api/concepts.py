"""Concepts."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from imagery.api.viewset import CatalogueViewSet, found
from imagery.models import Collection
from rsportal.errors import InvalidInput
from search.api.concept_serializers import ConceptCreateSerializer, ConceptSerializer, ConceptUpdateSerializer
from search.examples_given import examples_parse
from search.models import Concept, Ranking
from search.selectors import ranking_get
from search.selectors_concepts import concept_get, concept_list
from search.services.concepts import (
    concept_change,
    concept_create,
    concept_delete,
    concept_from_ranking,
    concept_share,
    concept_unshare,
)


@extend_schema(tags=["concepts"])
@extend_schema_view(
    list=extend_schema(summary="List the concepts you may use"),
    retrieve=extend_schema(summary="One concept"),
    create=extend_schema(summary="Make a concept", request=ConceptCreateSerializer, responses={201: ConceptSerializer}),
    partial_update=extend_schema(
        summary="Change, share or unshare a concept",
        request=ConceptUpdateSerializer,
        responses={200: ConceptSerializer},
    ),
    destroy=extend_schema(summary="Delete a concept", responses={204: None}),
)
class ConceptViewSet(CatalogueViewSet):
    """Saved searches: words and examples under a name, used as one example of a search."""

    queryset = Concept.objects.none()
    serializer_class = ConceptSerializer
    lookup_value_converter = "uuid"
    keyset = ("name", "id")
    problem_codes = {"create": ("404",)}

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(concept_list(self.user))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(self.get_serializer(self._get(pk)).data)

    def create(self, request: Request) -> Response:
        form = ConceptCreateSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given: dict[str, Any] = dict(form.validated_data)
        if "ranking" in given:
            concept = self._of_ranking(given)
        else:
            slug = given.pop("collection", None)
            collection = self._collection(slug) if slug else None
            examples = examples_parse(given.pop("examples", ()), most=None)
            concept = concept_create(user=self.user, examples=examples, collection=collection, **given)
        body = self.get_serializer(self._get(concept.pk)).data
        return Response(body, status=status.HTTP_201_CREATED, headers={"Location": body["links"]["self"]})

    def partial_update(self, request: Request, pk: UUID) -> Response:
        concept = self._get(pk)
        form = ConceptUpdateSerializer(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        given: dict[str, Any] = dict(form.validated_data)
        leave_out = given.pop("leave_out", False)
        if "examples" in given:
            given["examples"] = examples_parse(given["examples"], most=None)
        sharing, slug = "collection" in given, given.pop("collection", None)
        collection = self._collection(slug) if slug else None
        with transaction.atomic():
            if sharing:  # Before the examples change: the new ones need not lie where it was shared.
                concept_unshare(concept=concept, user=self.user)
            concept_change(concept=concept, user=self.user, **given)
            if collection is not None:
                concept_share(concept=concept, user=self.user, collection=collection, leave_out=leave_out)
        return Response(self.get_serializer(self._get(pk)).data)

    def destroy(self, request: Request, pk: UUID) -> Response:
        concept_delete(concept=self._get(pk), user=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _get(self, pk: UUID) -> Concept:
        return found(lambda: concept_get(self.user, pk))

    def _of_ranking(self, given: dict[str, Any]) -> Concept:
        if both := sorted(set(given) - {"name", "ranking"}):
            raise InvalidInput(
                _("With a ranking, %(field)s is not given: leave it out, or change the concept afterwards.")
                % {"field": both[0]},
                field=both[0],
            )
        try:
            ranking = ranking_get(self.user, given["ranking"])
        except Ranking.DoesNotExist:
            raise NotFound(_("There is no such answer; it may have been erased. Search again.")) from None
        return concept_from_ranking(user=self.user, ranking=ranking, name=given["name"]).concept

    def _collection(self, slug: str) -> Collection:
        collection = Collection.objects.visible_to(self.user).filter(slug=slug).first()
        if collection is None:
            raise InvalidInput(_("There is no such collection, or you may not see it."), field="collection")
        return collection
