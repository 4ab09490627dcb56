"""Reads of concepts: those a person may use, with what they may see of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from imagery.models import Collection
from search.concepts.expand import example_given
from search.models import Concept, ConceptExample, QueryImage

if TYPE_CHECKING:
    from imagery.querysets import Viewer


def concept_list(user: "Viewer") -> QuerySet[Any]:
    """Return the concepts this person may use (``Concept`` rows), by name, each with what they may see of it.

    ``examples_shown`` is a list of its examples on scenes they may see and its pictures (without the bytes), in order;
    ``shared_in`` the collection it is shared in, None also if its owner may not see that any more.
    """
    examples = (
        ConceptExample.objects.seen_by(user)
        .select_related("scene__collection", "image")
        .only(
            "concept", "window", "weight", "scene__title", "scene__width", "scene__height", "scene__placeholder",
            "scene__collection__title", "scene__collection__slug", "image__kind", "image__name", "image__width",
            "image__height",
        )
        .order_by("pk")
    )  # fmt: skip
    collection = Prefetch("collection", Collection.objects.visible_to(user).only("slug", "title"), to_attr="shared_in")
    rows: QuerySet[Any] = (
        Concept.objects.visible_to(user)
        .select_related("owner")
        .prefetch_related(Prefetch("examples", examples, to_attr="examples_shown"), collection)
        .order_by("name", "pk")
    )
    return rows


def concept_get(user: "Viewer", concept_id: UUID) -> Concept:
    """Return one concept as ``concept_list`` does. Raises Concept.DoesNotExist when it may not be seen."""
    concept: Concept = concept_list(user).get(pk=concept_id)
    return concept


def concept_picture(user: "Viewer", concept_id: UUID, image_id: UUID) -> QueryImage:
    """Return a picture of a concept, with its bytes, to whoever may see it. Raises QueryImage.DoesNotExist."""
    shown = ConceptExample.objects.visible_to(user).filter(concept=concept_id, image=OuterRef("pk"))
    image: QueryImage = QueryImage.objects.filter(Exists(shown)).get(pk=image_id)
    return image


def images_in_concepts(user: "Viewer") -> QuerySet[Any]:
    """Return the ids of this person's query images that a concept of theirs holds: they outlive the history."""
    held = ConceptExample.objects.filter(image__user=user.pk).order_by()
    return held.values("image")


def concepts_export(user: "Viewer") -> list[dict[str, Any]]:
    """Return the person's own concepts as JSON values: words, examples (without pictures' bytes), sharing, dates."""
    return [concept_as_json(concept) for concept in concept_list(user).filter(owner=user.pk)]


def concept_as_json(concept: Concept) -> dict[str, Any]:
    """Return a concept of ``concept_list`` as JSON values."""
    return {
        "id": str(concept.pk),
        "name": concept.name,
        "description": concept.description,
        "text": concept.text,
        "collection": collection.slug if (collection := shared_in(concept)) else None,
        "examples": [example_given(row).as_json() for row in examples_of(concept)],
        "created_at": concept.created_at.isoformat(),
        "updated_at": concept.updated_at.isoformat(),
    }


def shared_in(concept: Concept) -> Collection | None:
    """Return the collection that ``concept_list`` read for its reader."""
    collection: Collection | None = concept.shared_in  # type: ignore[attr-defined]
    return collection


def examples_of(concept: Concept) -> Sequence[ConceptExample]:
    """Return the examples that ``concept_list`` read for its reader."""
    rows: list[ConceptExample] = concept.examples_shown  # type: ignore[attr-defined]
    return rows
