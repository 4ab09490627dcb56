"""Which rows may be compared: permission and filters as the SQL of one set of scenes."""

from collections.abc import Hashable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db import connection
from numpy.typing import NDArray

from imagery.models import Collection, Encoder, Scene
from search.filters import GROUPS, SceneFilters
from search.query import SearchRequest

if TYPE_CHECKING:
    from imagery.querysets import Viewer

ANY_TILE: Final = "TRUE"
WHOLE_TILES: Final = "tile.level = 0"


@dataclass(frozen=True)
class Asked:
    """A query in the form the statements need: literals, so that the planner sees one partition and the values.

    ``scenes`` selects the ids of the scenes that pass; ``vector`` is a halfvec literal of ``dimension`` numbers;
    ``tiles`` is a condition on their tiles. ``filters`` is equal for questions with the same scenes: encoder, visible
    collections and filters.
    """

    encoder_id: int
    dimension: int
    scenes: str
    vector: str
    filters: Hashable
    tiles: str = ANY_TILE

    @property
    def matching(self) -> str:
        """FROM and WHERE of the rows that match: ``embedding`` and ``tile``."""
        return (
            "imagery_embedding AS embedding JOIN imagery_tile AS tile ON tile.id = embedding.tile_id "
            f"WHERE embedding.encoder_id = {self.encoder_id} AND {self.tiles} AND tile.scene_id IN ({self.scenes})"
        )


def asked(*, vector: NDArray[np.float32], encoder: Encoder, request: SearchRequest, user: "Viewer") -> Asked | None:
    """Return the query in SQL, or None when there is no collection that this person may search.

    Who may see what is a matter of whole collections, few beside the scenes. They are looked up first: with their ids
    in the statement the planner knows how many scenes they have, and nothing is looked up for each scene.
    """
    collections = Collection.objects.visible_to(user)
    if request.collections:
        collections = collections.filter(slug__in=request.collections)
    ids = list(collections.order_by("pk").values_list("pk", flat=True))
    if not ids:
        return None
    # The slugs are in the ids; said twice, the planner would expect a fraction of the rows that come.
    others = [group for group in GROUPS if group != "collections"]
    scenes = request.passing(Scene.objects.filter(collection__in=ids).findable(), groups=others)
    try:
        sql, parameters = scenes.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:  # Django knows without asking that nothing passes.
        return None
    return Asked(
        encoder_id=int(encoder.pk),
        dimension=encoder.dimension,
        scenes=connection.ops.compose_sql(sql, parameters),  # type: ignore[attr-defined]  # PostgreSQL's only.
        vector=vector_literal(vector),
        filters=(encoder.pk, *ids, *(getattr(request, each.name) for each in fields(SceneFilters))),
    )


def vector_literal(vector: NDArray[np.floating]) -> str:
    """Return a halfvec literal of the numbers (d,), rounded to half precision as the database would."""
    numbers = vector.astype(np.float16).tolist()
    text = ",".join(["%.5g"] * len(numbers)) % tuple(numbers)  # Five digits tell any two halves apart.
    return f"'[{text}]'::halfvec"
