"""From what a person did to what their ranking learns: one lesson a scene, of this session or of their own past."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.db import connection
from django.utils import timezone
from numpy.typing import NDArray

from imagery.models import Encoder
from search.candidates.wire import packed, packed_read
from search.exploration.propensity import propensity_of
from search.feedback.deeds import Deeds
from search.feedback.likeness import Likeness
from search.models import Event
from search.query import SearchRequest
from search.ranking.evidence import Lessons
from search.ranking.query import Vector

MOST_LESSONS: Final = 200
HALF_LIFE: Final = timedelta(days=30)
MOST_CORRECTED: Final = 3.0
"""A deed far down the list counts for at most so many at the top (clipped inverse propensity: DESIGN 9.3)."""
LONG_LOOK_SECONDS: Final = 30
SHORT_LOOK_SECONDS: Final = 5
_WORTH: Final = {Event.Kind.LIKE: 1.0, Event.Kind.DISLIKE: 1.0, Event.Kind.DOWNLOAD: 0.8, Event.Kind.CLICK: 0.4}
_LONG_LOOK: Final = 0.6
_SHORT_LOOK: Final = 0.1
_JUDGEMENTS: Final = (Event.Kind.LIKE, Event.Kind.DISLIKE)

# A query under another encoder has no vector that could be compared; the same words are the same question all the same.
_LIKE_THIS: Final = """
SELECT id, CASE WHEN asked_under_id = %s THEN 1 - (asked <=> (SELECT %s::halfvec OFFSET 0))
    WHEN text = %s AND translation = %s AND examples = '[]' AND %s THEN 1 END
FROM search_query WHERE id = ANY(%s)
"""
_TILES: Final = """
SELECT tile.id AS tile_id, tile.scene_id, tile.level, tile.x, tile.y, tile.width, tile.height,
    0::float8 AS distance, embedding.vector
FROM imagery_embedding AS embedding JOIN imagery_tile AS tile ON tile.id = embedding.tile_id
WHERE embedding.encoder_id = {encoder} AND (tile.id = ANY('{{{tiles}}}'::bigint[]) {whole})
"""
_WHOLE: Final = "OR tile.level = 0 AND tile.scene_id = ANY('{{{scenes}}}'::uuid[])"


@dataclass(frozen=True)
class OwnLessons:
    """What a person's own deeds say about one query."""

    session: Lessons
    own: Lessons
    disliked: Lessons


@dataclass(frozen=True)
class Deed:
    """One thing that was done. ``weight`` is what it counts for, ``deed`` what it is called."""

    id: int
    kind: str
    at: datetime
    scene_id: UUID
    tile_id: int | None
    rank: int
    seconds: int | None
    session: bool
    weight: float = 0.0

    @property
    def deed(self) -> str:
        """What is told of it: a long look is more than a click."""
        return "dwell" if self.kind == Event.Kind.CLICK and self._looked_long else self.kind

    @property
    def worth(self) -> float:
        """What it counts for before rank and age."""
        if self.kind != Event.Kind.CLICK or self.seconds is None:
            return _WORTH[Event.Kind(self.kind)]
        if self._looked_long:
            return _LONG_LOOK
        return _SHORT_LOOK if self.seconds < SHORT_LOOK_SECONDS else _WORTH[Event.Kind.CLICK]

    @property
    def _looked_long(self) -> bool:
        return self.seconds is not None and self.seconds >= LONG_LOOK_SECONDS


def lessons_find(
    *, deeds: Deeds, encoder: Encoder, asked: Vector, likeness: Likeness, request: SearchRequest, translation: str
) -> OwnLessons:
    """Return what a person did (``deeds``) under queries like the one that is ``asked`` (d,), scene by scene.

    A weight is worth * min(1 / propensity of the rank, 3) * 2 ** (-age / 30 days); the worth is 1 for a like, .8 for a
    download, .4 for opening (.6 after half a minute's look, .1 after less than five seconds'), and of several deeds on
    a scene the one of most weight counts. The last word of likes and dislikes on a scene counts; a scene disliked last
    teaches nothing else. Sources are the ids of the events (``search.feedback.told`` makes sentences of them). Three
    statements, one if nothing was found.
    """
    queries = list({each.query_id for each in deeds.done})
    parameters: list[Any] = [encoder.pk, vector_literal(asked), request.text, translation, not request.examples]
    with connection.cursor() as cursor:
        cursor.execute(_LIKE_THIS, [*parameters, queries])
        alike = {query: near for query, near in cursor.fetchall() if near is not None and near >= likeness.similar}
    found = [
        Deed(
            id=each.id,
            kind=each.kind,
            at=each.at,
            scene_id=each.scene_id,
            tile_id=each.tile_id,
            rank=each.rank,
            seconds=each.seconds,
            session=each.fresh and alike[each.query_id] >= likeness.same,
        )
        for each in deeds.done
        if each.query_id in alike
    ]
    if not found:
        nothing = Lessons.none(encoder.dimension)
        return OwnLessons(nothing, nothing, nothing)
    best = one_a_scene(deeds_weighed(found))
    vectors = scene_vectors(best, encoder)
    groups: dict[str, list[Deed]] = {"session": [], "own": [], "disliked": []}
    for deed in best:
        if deed.scene_id in vectors:
            group = "disliked" if deed.kind == Event.Kind.DISLIKE else "session" if deed.session else "own"
            groups[group].append(deed)
    return OwnLessons(**{name: lessons_of(group, vectors, encoder.dimension) for name, group in groups.items()})


def vector_literal(vector: Vector) -> str:
    """Return a vector (d,) as SQL writes it, with the five digits that a half has and some more."""
    return f"[{','.join(f'{number:.5g}' for number in vector.tolist())}]"


def deeds_weighed(deeds: list[Deed]) -> list[Deed]:
    """Return deeds with what they count for now; one statement (the propensities)."""
    now = timezone.now()
    corrected = np.minimum(1.0 / propensity_of([deed.rank for deed in deeds]), MOST_CORRECTED).tolist()
    return [
        replace(deed, weight=deed.worth * times * 0.5 ** (max(now - deed.at, timedelta()) / HALF_LIFE))
        for deed, times in zip(deeds, corrected, strict=True)
    ]


def one_a_scene(newest_first: Iterable[Deed]) -> list[Deed]:
    """Return the lesson of each scene, newest scenes first, not more than 200 (``lessons_find`` has the rule)."""
    by_scene: dict[UUID, list[Deed]] = {}
    for deed in newest_first:
        by_scene.setdefault(deed.scene_id, []).append(deed)
    best = []
    for deeds in by_scene.values():
        last_word = next((deed for deed in deeds if deed.kind in _JUDGEMENTS), None)
        if last_word is not None and last_word.kind == Event.Kind.DISLIKE:
            best.append(last_word)
        else:
            best.append(max((deed for deed in deeds if deed.kind != Event.Kind.DISLIKE), key=lambda deed: deed.weight))
    return best[:MOST_LESSONS]


def scene_vectors(deeds: list[Deed], encoder: Encoder) -> dict[UUID, Vector]:
    """Return the vector (d,) of the part that was shown of each scene, else of the whole scene; one deed a scene."""
    tiles = {deed.tile_id for deed in deeds if deed.tile_id is not None}
    scenes = [str(deed.scene_id) for deed in deeds if deed.tile_id is None]
    statement = _TILES.format(
        encoder=encoder.pk,
        tiles=",".join(map(str, sorted(tiles))),
        whole=_WHOLE.format(scenes=",".join(scenes)) if scenes else "",
    )
    rows, _extra = packed_read(packed(statement), dimension=encoder.dimension)
    wanted = {deed.scene_id: deed.tile_id for deed in deeds}
    levels = rows.windows[:, 0].tolist()
    return {
        scene: vector
        for scene, tile, level, vector in zip(
            rows.scene_ids.tolist(), rows.tile_ids.tolist(), levels, rows.vectors, strict=True
        )
        if wanted[scene] == tile or (wanted[scene] is None and level == 0)
    }


def lessons_of(deeds: Sequence[Deed], vectors: Mapping[UUID, Vector], dimension: int) -> Lessons:
    """Return the deeds as lessons, in their order; ``vectors`` are those of their scenes (d,).

    The source of a lesson is the id of its event.
    """
    if not deeds:
        return Lessons.none(dimension)
    scene_ids: NDArray[np.object_] = np.empty(len(deeds), dtype=object)
    scene_ids[:] = [deed.scene_id for deed in deeds]
    return Lessons(
        vectors=np.stack([vectors[deed.scene_id] for deed in deeds]),
        weights=np.array([deed.weight for deed in deeds]),
        scene_ids=scene_ids,
        deeds=tuple(deed.deed for deed in deeds),
        sources=tuple(str(deed.id) for deed in deeds),
    )
