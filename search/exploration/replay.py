"""What another ranker would have been worth on searches that were made: counterfactual estimates, with intervals. Pure.

Two kinds, on hits that people opened, liked or downloaded:

* clipped inverse propensity scoring: a deed at rank k counts min(1 / p(k), clip) times, as it also speaks for those who
  did not look so far down; a ranker that puts the hit at rank r gets p(r) of it. The mean over all searches that were
  shown estimates how many hits a search would have opened (T. Joachims, A. Swaminathan, T. Schnabel, Unbiased
  Learning-to-Rank with Biased Feedback, WSDM 2017, with the propensity itself as the weight of a rank). Divided by the
  sum of the weights it is self-normalised (A. Swaminathan, T. Joachims, NeurIPS 2015): how likely what people wanted
  would have been looked at, 0 to 1, steadier and a little biased.
* interleaving as it would have gone: both rankers are drafted into one list, and each deed goes to the team that has
  the hit, weighted as above (after K. Hofmann, S. Whiteson, M. de Rijke, Estimating Interleaved Comparison Outcomes
  from Historical Click Data, CIKM 2012).

Intervals: people drawn anew (Poisson bootstrap), one pass, memory that does not grow with the log.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.exploration.interleave import Team, team_draft

Numbers = NDArray[np.float64]

ROUNDS: Final = 1_000
CLIP: Final = 10.0
DRAFTS: Final = 10
"""Throws of the coins of each draft."""
MIN_PEOPLE: Final = 5
"""With fewer, drawing them anew gives no interval worth telling."""
DEPTH: Final = 200
"""Hits of an imagined draft; further down hardly anybody looks."""
_SEED: Final = 20151207


@dataclass(frozen=True)
class Replayed:
    """A search that was made: by whom, the ``deeds`` as (rank at which it was shown, scene), and the scenes as the
    ``current`` ranker and the ``tried`` one order them now, best first, both of those that were ranked then.
    ``skipped``: it cannot be asked any more, and counts nowhere."""

    user: int
    deeds: Sequence[tuple[int, Hashable]]
    current: Sequence[Hashable] = ()
    tried: Sequence[Hashable] = ()
    skipped: bool = False


@dataclass(frozen=True)
class Estimated:
    """A number with its 95 % interval. NaN: there is none; of the ends alone: too few people for one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Replay:
    """``searches`` that were shown, ``replayed`` ones with deeds, ``people`` who did them, ``deeds``.

    ``ips`` (hits opened a search) and ``snips`` (0 to 1) by "logged", "current", "tried" and "gain" (tried less
    current). ``interleaving``: -1 all for the current ranker, 0 neither, 1 all for the tried one. ``clipped`` is the
    share of deeds whose weight was cut.
    """

    searches: int
    replayed: int
    people: int
    deeds: int
    clipped: float
    ips: Mapping[str, Estimated]
    snips: Mapping[str, Estimated]
    interleaving: Estimated


# Columns of the sums.
_SEARCHES, _WEIGHT, _LOGGED, _CURRENT, _TRIED, _OF_CURRENT, _OF_TRIED = range(7)


class Sums:
    """Sums over people, and over ``rounds`` other draws of them."""

    def __init__(self, rounds: int = ROUNDS) -> None:
        self._chance = np.random.default_rng(_SEED)
        self.table: Numbers = np.zeros((rounds + 1, 7))
        self.people = 0

    def add(self, one: Numbers) -> None:
        """Add what one person did, (7,)."""
        times = self._chance.poisson(1.0, len(self.table)).astype(np.float64)
        times[0] = 1.0
        self.table += times[:, None] * one
        self.people += 1

    def ratio(self, upper: Numbers, lower: Numbers) -> Estimated:
        """Return a ratio of sums (rounds + 1,) with its interval over the draws in which there is one."""
        known = lower > 0
        if not known[0]:
            return Estimated(np.nan, np.nan, np.nan)
        values = upper[known] / lower[known]
        if self.people < MIN_PEOPLE:
            return Estimated(float(values[0]), np.nan, np.nan)
        low, high = np.quantile(values[1:], [0.025, 0.975])
        return Estimated(float(values[0]), float(low), float(high))


def replay_score(
    searches: Iterable[Replayed],
    *,
    shown: Mapping[int, int],
    propensity: ArrayLike,
    clip: float = CLIP,
    rounds: int = ROUNDS,
) -> Replay:
    """Score both rankers on searches that come in the order of their users.

    ``shown`` is how many searches of each user showed something, those without a deed too. ``propensity`` (n,) is that
    of the ranks 1 ... n; further down it is taken as 0. Raises ValueError for a ``clip`` below 1.
    """
    if not clip >= 1:
        raise ValueError(f"Weights are clipped at {clip}; that must be at least 1.")
    looked = np.asarray(propensity, dtype=np.float64)
    chance = np.random.default_rng(_SEED)
    sums = Sums(rounds)
    left = dict(shown)
    people = replayed = deeds = clipped = 0
    for user, rows in groupby(searches, key=lambda search: search.user):
        one, scored = np.zeros(7), 0
        one[_SEARCHES] = left.pop(user, 0)
        for search in rows:
            if search.skipped:
                one[_SEARCHES] -= 1
                continue
            one += _scored(search, looked=looked, clip=clip, chance=chance)
            scored += 1
            deeds += len(search.deeds)
            clipped += sum(_seen(looked, rank) * clip < 1 for rank, _scene in search.deeds)
        sums.add(one)
        people += scored > 0
        replayed += scored
    for count in left.values():  # Who never opened anything is a person all the same.
        sums.add(np.array([count, 0, 0, 0, 0, 0, 0], dtype=np.float64))
    return Replay(
        searches=int(sums.table[0, _SEARCHES]),
        replayed=replayed,
        people=people,
        deeds=deeds,
        clipped=clipped / deeds if deeds else 0.0,
        ips=_values(sums, _SEARCHES),
        snips=_values(sums, _WEIGHT),
        interleaving=sums.ratio(
            sums.table[:, _OF_TRIED] - sums.table[:, _OF_CURRENT], sums.table[:, _OF_TRIED] + sums.table[:, _OF_CURRENT]
        ),
    )


def _values(sums: Sums, lower: int) -> dict[str, Estimated]:
    table = sums.table
    uppers = {
        "logged": table[:, _LOGGED],
        "current": table[:, _CURRENT],
        "tried": table[:, _TRIED],
        "gain": table[:, _TRIED] - table[:, _CURRENT],
    }
    return {name: sums.ratio(upper, table[:, lower]) for name, upper in uppers.items()}


def _scored(search: Replayed, *, looked: Numbers, clip: float, chance: np.random.Generator) -> Numbers:
    """(7,) what one search adds."""
    one = np.zeros(7)
    weights: dict[Hashable, float] = {}
    for rank, scene in search.deeds:
        seen = _seen(looked, rank)
        weights[scene] = clip if seen * clip < 1 else 1 / seen
        one[_LOGGED] += weights[scene] * seen
    one[_WEIGHT] = sum(weights.values())
    for column, ranking in ((_CURRENT, search.current), (_TRIED, search.tried)):
        places = {scene: place for place, scene in enumerate(ranking, start=1) if scene in weights}
        one[column] = sum(weights[scene] * _seen(looked, place) for scene, place in places.items())
    one[_OF_CURRENT], one[_OF_TRIED] = _credits(search, weights, looked=looked, chance=chance)
    return one


def _credits(
    search: Replayed, weights: Mapping[Hashable, float], *, looked: Numbers, chance: np.random.Generator
) -> tuple[float, float]:
    """Return what the hits of the current ranker and of the tried one would have had opened, over imagined drafts.

    In hits, not in won searches: a search in which the hit stood far down speaks for many in which nobody saw it.
    """
    credit = [0.0, 0.0, 0.0]
    for _draft in range(DRAFTS):
        draft = team_draft(search.current, search.tried, chance=chance, most=DEPTH)
        for place, (at, team) in enumerate(zip(draft.places.tolist(), draft.teams.tolist(), strict=True), start=1):
            weight = weights.get((search.tried if team == Team.B else search.current)[at])
            if weight:
                credit[team] += weight * _seen(looked, place) / DRAFTS
    return credit[Team.A], credit[Team.B]


def _seen(looked: Numbers, rank: int) -> float:
    return float(looked[rank - 1]) if rank <= len(looked) else 0.0
