"""Which scenes to judge for a query: the first hits of several configurations, pooled (as TREC pools runs)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import UUID

from imagery.models import Scene
from rsportal.errors import RsportalError
from search.engine import request_answer
from search.judged.configuration import ACTIVE, configuration_parse
from search.judged.scope import judged_request, set_scenes
from search.models import JudgedQuery, RelevanceJudgement

if TYPE_CHECKING:
    from imagery.querysets import Viewer

MOST_EARLIER: Final = 100


@dataclass(frozen=True)
class PooledScene:
    """A scene to judge, with the grade it has (None: not judged)."""

    scene: Scene
    grade: int | None


@dataclass(frozen=True)
class QueryPool:
    """``scenes`` of the pool in the order of their ids, which is by chance: a place that tells nothing of the rank
    makes nobody judge the first ones more kindly. ``earlier`` are scenes judged before that are not in it
    (``earlier_more`` further ones are not shown), best grade first. ``problems`` say which configuration gave no
    answer, and why.
    """

    scenes: list[PooledScene] = field(default_factory=list)
    earlier: list[PooledScene] = field(default_factory=list)
    earlier_more: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def judged(self) -> int:
        """How many scenes of the pool are judged."""
        return sum(each.grade is not None for each in self.scenes)

    @property
    def complete(self) -> bool:
        """Whether every scene of the pool is judged."""
        return self.judged == len(self.scenes)


def query_pool(*, query: JudgedQuery, user: Viewer) -> QueryPool:
    """Return the pool of a query over the scenes that this person may see. Stores nothing but query vectors."""
    judged_set = query.judged_set
    found: set[UUID] = set()
    problems: list[str] = []
    for text in judged_set.configurations or [ACTIVE]:
        try:
            configuration = configuration_parse(text)
            request = judged_request(query, user)
            answer = request_answer(encoder=configuration.encoder, request=request, user=user)
        except RsportalError as error:
            problems.append(f"{text}: {error.message}")
        else:
            found.update(answer.ranked.scene_ids[: judged_set.depth].tolist())
    scope = set_scenes(judged_set, user)
    grades = dict(
        RelevanceJudgement.objects.filter(query=query, scene__in=scope.order_by().values("pk"))
        .order_by("-grade", "scene_id")
        .values_list("scene_id", "grade")
    )
    before = [scene_id for scene_id in grades if scene_id not in found]
    shown = before[:MOST_EARLIER]
    rows: dict[UUID, Scene] = scope.filter(pk__in=[*found, *shown]).select_related("collection").in_bulk()
    return QueryPool(
        scenes=_pooled(sorted(found), rows, grades),
        earlier=_pooled(shown, rows, grades),
        earlier_more=len(before) - len(shown),
        problems=problems,
    )


def _pooled(ids: Sequence[UUID], rows: dict[UUID, Scene], grades: dict[UUID, int]) -> list[PooledScene]:
    return [PooledScene(rows[scene_id], grades.get(scene_id)) for scene_id in ids if scene_id in rows]
