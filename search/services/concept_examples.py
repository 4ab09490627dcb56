"""The examples of a concept: checked against what their owner may see, then stored."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from imagery.models import Collection, Scene
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.concepts.expand import MAX_CONCEPT_EXAMPLES
from search.examples_given import FIELD, MAX_WEIGHT, MIN_WEIGHT, ExampleGiven, ExampleKind
from search.models import Concept, ConceptExample, QueryImage

OUTSIDE: Final = "examples_outside"
"""Code of the refusal that names scenes outside the collection a concept is shared in."""
_NAMED: Final = 5  # scenes in a sentence


def examples_check(
    *, user: User, examples: Iterable[ExampleGiven], collection: Collection | None
) -> list[ConceptExample]:
    """Return the examples as rows without a concept, each thing once with its last weight.

    Raises InvalidInput (field ``examples``) for one that this person may not use, for another concept, for more than
    50, and for scenes outside ``collection``, where one is given.
    """
    wanted = {example.thing: example for example in examples if example.weight}
    if len(wanted) > MAX_CONCEPT_EXAMPLES:
        raise InvalidInput(
            _("The concept has %(found)d examples; %(most)d is the most. Leave some out.")
            % {"found": len(wanted), "most": MAX_CONCEPT_EXAMPLES},
            field=FIELD,
        )
    if any(example.kind == ExampleKind.CONCEPT for example in wanted.values()):
        raise InvalidInput(
            _("A concept cannot be an example of another one. Give its examples and its words instead."), field=FIELD
        )
    on_scenes = {example.id for example in wanted.values() if example.kind in (ExampleKind.SCENE, ExampleKind.BOX)}
    scenes: dict[object, Scene] = (
        Scene.objects.visible_to(user).ready().only("title", "width", "height", "collection_id").in_bulk(on_scenes)
    )
    pictures = {example.id for example in wanted.values()} - on_scenes
    images: dict[object, QueryImage] = QueryImage.objects.visible_to(user).defer("picture").in_bulk(pictures)
    rows = [_row(example, scenes, images) for example in wanted.values()]
    if collection is not None:
        inside_check(rows, collection)
    return rows


def inside_check(rows: Iterable[ConceptExample], collection: Collection) -> None:
    """Raise InvalidInput that names the scenes of these examples that do not lie in the collection."""
    scenes = {row.scene_id: row.scene for row in rows if row.scene is not None}
    outside = [scene for scene in scenes.values() if scene.collection_id != collection.pk]
    if not outside:
        return
    named = ", ".join(f"“{scene.title}”" for scene in outside[:_NAMED])
    if len(outside) > _NAMED:
        named = _("%(named)s and %(count)d more") % {"named": named, "count": len(outside) - _NAMED}
    raise InvalidInput(
        ngettext(
            "This example does not lie in “%(collection)s”: %(named)s. Whoever sees the collection may not see it; "
            "leave it out to share the concept there.",
            "These examples do not lie in “%(collection)s”: %(named)s. Whoever sees the collection may not see them; "
            "leave them out to share the concept there.",
            len(outside),
        )
        % {"collection": collection.title, "named": named},
        code=OUTSIDE,
        field=FIELD,
    )


def examples_store(*, concept: Concept, rows: Sequence[ConceptExample]) -> None:
    """Make these rows the examples of a concept, in place of those it had."""
    concept.examples.all().delete()
    for row in rows:
        row.concept = concept
        row.full_clean(exclude=["concept", "scene", "image", "window"])
    ConceptExample.objects.bulk_create(rows)


def examples_weigh(*, concept: Concept, user: User, weights: Mapping[int, float]) -> None:
    """Give examples that this person sees other weights, by the row's id; 0 takes one out; other ids mean nothing.

    Raises InvalidInput (field ``weight``) for a weight that is neither 0 nor 0.1 to 5, or -0.1 to -5.
    """
    rows = ConceptExample.objects.visible_to(user).filter(concept=concept, pk__in=weights)
    changed = []
    for row in rows:
        weight = weights[row.pk]
        if weight and not MIN_WEIGHT <= abs(weight) <= MAX_WEIGHT:
            raise InvalidInput(
                _("A weight is 0.1 to 5, or -0.1 to -5 for “not like this”; found %(weight)s.") % {"weight": weight},
                field="weight",
            )
        if weight and weight != row.weight:
            row.weight = weight
            changed.append(row)
    ConceptExample.objects.bulk_update(changed, ["weight"])
    out = [pk for pk, weight in weights.items() if not weight]
    ConceptExample.objects.filter(pk__in=rows.filter(pk__in=out).values("pk")).delete()


def _row(example: ExampleGiven, scenes: Mapping[object, Scene], images: Mapping[object, QueryImage]) -> ConceptExample:
    if example.kind in (ExampleKind.IMAGE, ExampleKind.SKETCH):
        image = images.get(example.id)
        if image is None or (image.kind == QueryImage.Kind.SKETCH) != (example.kind == ExampleKind.SKETCH):
            raise InvalidInput(
                _("There is no picture of yours %(id)s; it may have been erased. Give it again.") % {"id": example.id},
                field=FIELD,
            )
        return ConceptExample(image=image, weight=example.weight)
    scene = scenes.get(example.id)
    if scene is None:
        raise InvalidInput(
            _("There is no scene %(id)s, or you may not see it. Leave it out.") % {"id": example.id}, field=FIELD
        )
    if example.window is not None:
        x, y, width, height = example.window
        if x + width > scene.width or y + height > scene.height:
            raise InvalidInput(
                _("The box %(box)s reaches out of “%(title)s”, which has %(width)d × %(height)d pixels.")
                % {"box": ",".join(map(str, example.window)), "title": scene.title, "width": scene.width,
                   "height": scene.height},
                field=FIELD,
            )  # fmt: skip
    window = None if example.window is None else list(example.window)
    return ConceptExample(scene=scene, window=window, weight=example.weight)
