"""A concept as a query of one person: its words, and the examples that this person may see."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.utils.translation import gettext as _

from imagery.models import Scene
from rsportal.errors import InvalidInput
from search.examples_given import FIELD, ExampleGiven, ExampleKind
from search.models import Concept, ConceptExample, QueryImage

if TYPE_CHECKING:
    from imagery.querysets import Viewer

MAX_CONCEPT_EXAMPLES: Final = 50


@dataclass(frozen=True)
class ConceptExpanded:
    """What a concept stands for when this person searches with it.

    ``examples`` are of every kind but concepts; those on scenes hidden from the person are not among them. Words and
    examples may both be missing: then there is nothing to look for.
    """

    id: UUID
    name: str
    text: str
    examples: tuple[ExampleGiven, ...]
    updated_at: datetime

    @property
    def fingerprint(self) -> str:
        """What two expansions share only if they look for the same (not the name)."""
        told = [self.text, [each.as_json() for each in self.examples]]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def concept_expand(*, concept_id: UUID, user: "Viewer") -> ConceptExpanded:
    """Return what the concept means to this person; every search with it asks, in three or four small statements.

    Raises InvalidInput (field ``examples``) in the same words for a concept that is hidden and one that is not there.
    """
    own = Concept.objects.editable_by(user).filter(pk=concept_id)  # Most are, and this is asked quickly.
    concept = own.first() or Concept.objects.visible_to(user).filter(pk=concept_id).first()
    if concept is None:
        raise InvalidInput(
            _("There is no concept %(id)s, or you may not see it. Take it out of the search.") % {"id": concept_id},
            code="unknown_concept",
            field=FIELD,
        )
    rows = list(concept.examples.select_related("image").defer("image__picture").order_by("pk"))
    on_scenes = {row.scene_id for row in rows if row.scene_id is not None}
    scenes = Scene.objects.visible_to(user).ready().filter(pk__in=on_scenes).order_by()
    seen = set(scenes.values_list("pk", flat=True)) if on_scenes else set()
    shown = [row for row in rows if row.scene_id is None or row.scene_id in seen]
    return ConceptExpanded(
        id=concept.pk,
        name=concept.name,
        text=concept.text,
        examples=tuple(example_given(row) for row in shown[:MAX_CONCEPT_EXAMPLES]),
        updated_at=concept.updated_at,
    )


def example_given(row: ConceptExample) -> ExampleGiven:
    """Return a stored example (its image read with it) as a search takes it."""
    if row.image is not None:
        sketch = row.image.kind == QueryImage.Kind.SKETCH
        return ExampleGiven(ExampleKind.SKETCH if sketch else ExampleKind.IMAGE, row.image.pk, None, row.weight)
    assert row.scene_id is not None, "the table has no example of neither"
    if row.window is not None:
        x, y, width, height = row.window
        return ExampleGiven(ExampleKind.BOX, row.scene_id, (x, y, width, height), row.weight)
    return ExampleGiven(ExampleKind.SCENE, row.scene_id, None, row.weight)
