"""What a trial of two rankers came to: wins, losses and ties of searches, people and days."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from search.exploration.interleave import Team
from search.exploration.learnable import DEEDS, LEARNABLE
from search.exploration.verdict import Verdict, verdict_of
from search.models import RankerTrial

# A search is won by the team more of whose hits were opened, liked or downloaded. Counted are impressions: what one
# page did twice, and what was never shown, is nothing.
_SEARCHES: Final = f"""
WITH seen AS (
    SELECT ranking.id, query.user_id, ranking.ranker, ranking.created_at, impression.id AS impression,
        CASE WHEN event.id IS NOT NULL THEN ranking.teams[impression.rank] END AS team
    FROM search_ranking ranking
    JOIN search_query query ON query.id = ranking.query_id
    JOIN search_impression impression ON impression.ranking_id = ranking.id
    LEFT JOIN search_event event ON event.impression_id = impression.id AND event.kind = ANY(%(deeds)s)
    WHERE ranking.trial_id = %(trial)s AND {LEARNABLE.format(user="query.user_id")}
), credit AS (
    SELECT user_id, (created_at AT TIME ZONE %(zone)s)::date AS day, ranker,
        count(DISTINCT impression) FILTER (WHERE team = {Team.A:d}) AS of_a,
        count(DISTINCT impression) FILTER (WHERE team = {Team.B:d}) AS of_b,
        count(team) AS of_any
    FROM seen GROUP BY id, user_id, created_at, ranker
)
SELECT user_id, day, ranker, count(*), count(*) FILTER (WHERE of_a > of_b), count(*) FILTER (WHERE of_b > of_a),
    count(*) FILTER (WHERE of_a = of_b AND of_any > 0)
FROM credit GROUP BY 1, 2, 3 ORDER BY 2
"""


@dataclass(frozen=True)
class Tally:
    """``searches`` that were shown; of them won by A and by B, and ``ties`` in which as many hits of both were opened,
    or only hits on which both agree. In the rest nothing was opened."""

    searches: int = 0
    wins_a: int = 0
    wins_b: int = 0
    ties: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.searches + other.searches,
            self.wins_a + other.wins_a,
            self.wins_b + other.wins_b,
            self.ties + other.ties,
        )

    @property
    def silent(self) -> int:
        """Searches in which nothing was opened."""
        return self.searches - self.wins_a - self.wins_b - self.ties


@dataclass(frozen=True)
class TrialResults:
    """The ``total`` and the tally of each day; ``searches`` is the verdict over searches, ``people`` the one in which
    each person has one vote, however much they search. ``versions`` are the searches by version of the two rankers."""

    total: Tally = field(default_factory=Tally)
    days: dict[date, Tally] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    took_part: int = 0
    searches: Verdict = field(default_factory=lambda: verdict_of(0, 0))
    people: Verdict = field(default_factory=lambda: verdict_of(0, 0))


def trial_results(trial: RankerTrial) -> TrialResults:
    """Return what the log says of a trial. People whose searches may not teach everybody's rankings do not count."""
    days: dict[date, Tally] = defaultdict(Tally)
    people: dict[int, Tally] = defaultdict(Tally)
    versions: Counter[str] = Counter()
    values: dict[str, Any] = {"trial": trial.pk, "deeds": list(DEEDS), "zone": timezone.get_current_timezone_name()}
    with connection.cursor() as cursor:
        cursor.execute(_SEARCHES, values)
        for user, day, version, *counts in cursor.fetchall():
            tally = Tally(*counts)
            days[day] += tally
            people[user] += tally
            versions[version] += tally.searches
    total = sum(days.values(), Tally())
    votes = [each.wins_b - each.wins_a for each in people.values()]
    return TrialResults(
        total=total,
        days=dict(days),
        versions=dict(versions),
        took_part=len(people),
        searches=verdict_of(total.wins_a, total.wins_b),
        people=verdict_of(sum(vote < 0 for vote in votes), sum(vote > 0 for vote in votes)),
    )
