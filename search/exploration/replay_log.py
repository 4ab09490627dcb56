"""Replays the searches of the log with another ranker: reads them in parts, asks each again, and has it scored."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
from django.db import connection

from rsportal.errors import InvalidInput
from search.engine import MOST_CANDIDATES, Ranker, request_answer
from search.exploration.learnable import DEEDS, LEARNABLE
from search.exploration.propensity import propensity_of
from search.exploration.replay import CLIP, Replay, Replayed, replay_score
from search.forms import SearchForm
from search.models import PositionPropensity, Query, Ranking
from search.query import SearchRequest

if TYPE_CHECKING:
    from imagery.models import Encoder
    from rsportal.accounts.models import User

MOST: Final = 1_000
"""Searches asked again unless more are wanted; each takes as long as two searches."""
_BATCH: Final = 100
_HEAVY: Final = ("tile_ids", "scores", "similarities", "reasons", "teams", "query__asked")
_FIRST: Final = (0, UUID(int=0))

_DEED: Final = """
EXISTS (SELECT 1 FROM search_event event WHERE event.impression_id = impression.id AND event.kind = ANY(%(deeds)s))
AND NOT EXISTS (SELECT 1 FROM search_feedbackexclusion barred WHERE barred.scene_id = impression.scene_id)
"""
_PEOPLE: Final = LEARNABLE.format(user="query.user_id")
_OLDEST: Final = f"""
SELECT min(created_at) FROM (
    SELECT ranking.created_at FROM search_ranking ranking JOIN search_query query ON query.id = ranking.query_id
    WHERE ranking.created_at >= %(since)s AND {_PEOPLE} AND EXISTS (
        SELECT 1 FROM search_impression impression WHERE impression.ranking_id = ranking.id AND {_DEED})
    ORDER BY ranking.created_at DESC LIMIT %(most)s) newest
"""
_SHOWN: Final = f"""
SELECT query.user_id, count(*) FROM search_ranking ranking JOIN search_query query ON query.id = ranking.query_id
WHERE ranking.created_at >= %(since)s AND {_PEOPLE}
    AND EXISTS (SELECT 1 FROM search_impression impression WHERE impression.ranking_id = ranking.id)
GROUP BY query.user_id
"""
_SEARCHES: Final = f"""
SELECT query.user_id, ranking.id, array_agg(impression.rank ORDER BY impression.rank),
    array_agg(impression.scene_id ORDER BY impression.rank)
FROM search_ranking ranking JOIN search_query query ON query.id = ranking.query_id
JOIN search_impression impression ON impression.ranking_id = ranking.id
WHERE ranking.created_at >= %(since)s AND (query.user_id, ranking.id) > (%(user)s, %(ranking)s)
    AND {_PEOPLE} AND {_DEED}
GROUP BY query.user_id, ranking.id ORDER BY query.user_id, ranking.id LIMIT {_BATCH}
"""


@dataclass(frozen=True)
class Way:
    """A way to answer: an encoder, and how its candidates are ranked."""

    encoder: "Encoder"
    ranker: Ranker


@dataclass
class LogReplay:
    """A replay: its ``result``, from when on (None: there is nothing), how many searches were left out and why, and
    whether the propensities were ``estimated`` or assumed."""

    result: Replay
    since: datetime | None
    estimated: bool
    skipped: Counter[str] = field(default_factory=Counter)


def log_replay(*, current: Way, tried: Way, since: datetime, most: int = MOST, clip: float = CLIP) -> LogReplay:
    """Ask the ``most`` latest searches since then in which something was opened again, both ways, and score both.

    Each is asked as the person who asked it, so that the answers are of what they may see; nothing is shown to anybody.
    Feedback has no say on either side: it would have learnt from the very deeds that it is measured by. People whose
    searches may not teach everybody's rankings, and excluded scenes, are left out. Raises Unavailable when an encoder
    cannot answer, and ValueError for a ``clip`` below 1.
    """
    skipped: Counter[str] = Counter()
    values: dict[str, Any] = {"deeds": list(DEEDS), "since": since, "most": most}
    ((oldest,),) = _rows(_OLDEST, values)
    values["since"] = oldest or since
    shown = dict(_rows(_SHOWN, values)) if oldest else {}
    result = replay_score(
        _replayed(values, current=current, tried=tried, skipped=skipped) if oldest else (),
        shown=shown,
        propensity=propensity_of(np.arange(1, MOST_CANDIDATES + 1)),
        clip=clip,
    )
    return LogReplay(result, since=oldest, estimated=PositionPropensity.objects.exists(), skipped=skipped)


def _replayed(values: dict[str, Any], *, current: Way, tried: Way, skipped: Counter[str]) -> Iterator[Replayed]:
    after = _FIRST
    while rows := _rows(_SEARCHES, {**values, "user": after[0], "ranking": after[1]}):
        asked = Ranking.objects.select_related("query__user").defer(*_HEAVY)
        rankings = asked.in_bulk([ranking for _user, ranking, *_deeds in rows])
        for user, ranking, ranks, scenes in rows:
            deeds = list(zip(ranks, scenes, strict=True))
            orders = _orders(rankings.get(ranking), (current, tried), skipped)
            if orders is None:
                yield Replayed(user, deeds, skipped=True)
            else:
                yield Replayed(user, deeds, current=orders[0], tried=orders[1])
        after = rows[-1][:2]


def _orders(ranking: Ranking | None, ways: Sequence[Way], skipped: Counter[str]) -> list[list[UUID]] | None:
    """Return the scenes of a ranking as each way orders them now; None, the reason counted, if it cannot be asked."""
    if ranking is None:
        skipped["erased meanwhile"] += 1
        return None
    person = ranking.query.user
    request = _request(ranking.query, person)
    if request is None or not person.is_active:
        skipped["the account is disabled" if request else "its words, filters or examples cannot be used any more"] += 1
        return None
    ranked = set(ranking.scene_ids)
    orders = []
    for way in ways:
        try:
            answer = request_answer(encoder=way.encoder, request=request, user=person, ranker=way.ranker)
        except InvalidInput as error:
            skipped[error.message] += 1
            return None
        orders.append([scene for scene in answer.ranked.scene_ids.tolist() if scene in ranked])
    return orders


def _request(query: Query, person: "User") -> SearchRequest | None:
    request = SearchForm.of_query(query).parse(person)
    return replace(request, history=False) if request else None


def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()
