"""How concepts travel."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from imagery.api.links import link
from search.api.serializers import ExampleSerializer
from search.concepts.expand import MAX_CONCEPT_EXAMPLES, example_given
from search.models import Concept
from search.selectors_concepts import examples_of, shared_in

_COLLECTION = "Slug of the collection whose viewers may use the concept; null: only its owner."
_EXAMPLES = f"Scenes, boxes, pictures and sketches (no concepts) with their weights, at most {MAX_CONCEPT_EXAMPLES}."


class ConceptLinksSerializer(serializers.Serializer):
    """Where to go from a concept."""

    self = serializers.URLField()


class ConceptSerializer(serializers.ModelSerializer):
    """A concept as you may see it."""

    owner = serializers.CharField(source="owner.username")
    own = serializers.SerializerMethodField(help_text="Whether it is yours; only then can you change it.")
    collection = serializers.SerializerMethodField(help_text=_COLLECTION)
    examples = serializers.SerializerMethodField(help_text="Those that you may see.")
    links = serializers.SerializerMethodField()

    class Meta:
        model = Concept
        fields = [
            "id",
            "name",
            "description",
            "text",
            "owner",
            "own",
            "collection",
            "examples",
            "created_at",
            "updated_at",
            "links",
        ]
        read_only_fields = fields

    def get_own(self, concept: Concept) -> bool:
        return bool(concept.owner_id == self.context["request"].user.pk)

    def get_collection(self, concept: Concept) -> str | None:
        collection = shared_in(concept)
        return collection.slug if collection else None

    @extend_schema_field(ExampleSerializer(many=True))
    def get_examples(self, concept: Concept) -> list[dict[str, Any]]:
        return [example_given(row).as_json() for row in examples_of(concept)]

    @extend_schema_field(ConceptLinksSerializer)
    def get_links(self, concept: Concept) -> dict[str, str]:
        return {"self": link(self.context["request"], "concept-detail", pk=concept.pk)}


class ConceptUpdateSerializer(serializers.Serializer):
    """What can be changed of a concept."""

    name = serializers.CharField(required=False, max_length=80, help_text="You have each name once.")
    text = serializers.CharField(required=False, allow_blank=True, help_text="Words to look for.")
    description = serializers.CharField(required=False, allow_blank=True)
    examples = ExampleSerializer(many=True, required=False, help_text=f"{_EXAMPLES} They replace those it has.")
    collection = serializers.SlugField(required=False, allow_null=True, help_text=_COLLECTION)
    leave_out = serializers.BooleanField(
        required=False,
        default=False,
        help_text="When it is shared: take out examples on scenes outside the collection, instead of refusing.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Words and examples",
            value={
                "name": "Container terminals",
                "text": "a harbour with containers",
                "examples": [
                    {"kind": "scene", "id": "e7870609-cede-4e47-af66-6c5bd3019738"},
                    {"kind": "scene", "id": "9db6c46b-c2fc-4059-8751-07d85eaa143a", "weight": -1},
                ],
            },
            request_only=True,
        ),
        OpenApiExample(
            "A search and what was liked in it",
            value={"name": "Container terminals", "ranking": "f3b2b6ce-5b4e-4d0c-9f5e-3f0c7c1a5f0e"},
            request_only=True,
        ),
    ]
)
class ConceptCreateSerializer(serializers.Serializer):
    """A new concept: words and examples, or a search of yours (``ranking``) with what you liked and disliked in it."""

    name = serializers.CharField(max_length=80, help_text="You have each name once.")
    text = serializers.CharField(required=False, allow_blank=True, help_text="Words to look for.")
    description = serializers.CharField(required=False, allow_blank=True)
    examples = ExampleSerializer(many=True, required=False, help_text=_EXAMPLES)
    collection = serializers.SlugField(required=False, allow_null=True, help_text=_COLLECTION)
    ranking = serializers.UUIDField(
        required=False, help_text="An answer of yours; then neither text, examples nor a collection is given."
    )
