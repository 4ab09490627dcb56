"""Examples of a query as one person may see them: whether they are there, and how they are called and shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from imagery.models import Scene
from rsportal.errors import InvalidInput
from search.examples_given import FIELD, ExampleGiven, ExampleKind
from search.models import Concept, QueryImage

if TYPE_CHECKING:
    from imagery.querysets import Viewer

UNKNOWN: Final = "unknown_example"
_OF_SCENES: Final = (ExampleKind.SCENE, ExampleKind.BOX)
_OF_PICTURES: Final = (ExampleKind.IMAGE, ExampleKind.SKETCH)


@dataclass(frozen=True)
class SeenExample:
    """An example as this person may see it now.

    ``title`` is that of the scene or concept, or the name of the picture's file; "" if there is none, or if the thing
    is gone or no longer shared with them (``there`` is False then). ``picture`` is the address of a small picture and
    ``page`` that of the thing itself, both perhaps "". ``size`` is (width,
    height) of the scene or picture in pixels.
    """

    given: ExampleGiven
    there: bool
    title: str = ""
    picture: str = ""
    page: str = ""
    size: tuple[int, int] | None = None


def examples_check(*, user: Viewer, examples: Sequence[ExampleGiven]) -> None:
    """Refuse examples that are not there for this person (InvalidInput, field ``examples``).

    What they may not see is answered exactly like what does not exist. A box must lie on its scene.
    """
    for number, seen in enumerate(examples_seen(user=user, examples=examples), start=1):
        given = seen.given
        if not seen.there:
            raise InvalidInput(
                _("There is no %(thing)s for example %(number)d (%(id)s), or you may not see it. Leave it out.")
                % {"thing": _things()[ExampleKind(given.kind)], "number": number, "id": given.id},
                code=UNKNOWN,
                field=FIELD,
            )
        if given.window is not None and seen.size is not None:
            x, y, width, height = given.window
            if x + width > seen.size[0] or y + height > seen.size[1]:
                raise InvalidInput(
                    _("The box of example %(number)d does not lie on its scene of %(width)d x %(height)d pixels.")
                    % {"number": number, "width": seen.size[0], "height": seen.size[1]},
                    code="box_outside",
                    field=FIELD,
                )


def examples_seen(*, user: Viewer, examples: Iterable[ExampleGiven]) -> list[SeenExample]:
    """Return the examples in their order; at most one statement for each of scenes, pictures and concepts."""
    wanted = list(examples)

    def ids(*kinds: ExampleKind) -> set[UUID]:
        return {example.id for example in wanted if example.kind in kinds}

    scenes: dict[UUID, Any] = {}
    if keys := ids(*_OF_SCENES):
        rows = Scene.objects.visible_to(user).ready().order_by()
        scenes = rows.only("title", "width", "height").in_bulk(keys)
    pictures: dict[UUID, Any] = {}
    if keys := ids(*_OF_PICTURES):
        pictures = QueryImage.objects.visible_to(user).order_by().defer("picture").in_bulk(keys)
    concepts: dict[UUID, Any] = {}
    if keys := ids(ExampleKind.CONCEPT):
        concepts = Concept.objects.visible_to(user).order_by().in_bulk(keys)
    return [_seen(example, scenes, pictures, concepts) for example in wanted]


def _seen(
    example: ExampleGiven, scenes: dict[UUID, Any], pictures: dict[UUID, Any], concepts: dict[UUID, Any]
) -> SeenExample:
    if example.kind == ExampleKind.CONCEPT:
        concept = concepts.get(example.id)
        if concept is None:
            return SeenExample(example, there=False)
        return SeenExample(example, there=True, title=concept.name, page=reverse("search:concept", args=[concept.pk]))
    if example.kind in _OF_SCENES:
        scene = scenes.get(example.id)
        if scene is None:
            return SeenExample(example, there=False)
        page = reverse("imagery:scene", args=[scene.pk])
        return SeenExample(
            example,
            there=True,
            title=scene.title,
            picture=reverse("imagery:thumbnail", args=[scene.pk]),
            page=page if example.window is None else f"{page}?window={','.join(map(str, example.window))}",
            size=(scene.width, scene.height),
        )
    picture = pictures.get(example.id)
    sketched = picture is not None and picture.kind == QueryImage.Kind.SKETCH
    if picture is None or sketched is not (example.kind == ExampleKind.SKETCH):
        return SeenExample(example, there=False)
    return SeenExample(
        example,
        there=True,
        title=picture.name,
        picture=reverse("search:example_picture", args=[picture.pk]),
        size=(picture.width, picture.height),
    )


def _things() -> dict[ExampleKind, str]:
    return {
        ExampleKind.SCENE: _("scene"),
        ExampleKind.BOX: _("scene"),
        ExampleKind.IMAGE: _("picture"),
        ExampleKind.SKETCH: _("sketch"),
        ExampleKind.CONCEPT: _("concept"),
    }
