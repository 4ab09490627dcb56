"""Two rankings as one, drafted hit by hit, so that what people open tells which ranker they prefer. Pure.

Team-draft interleaving: F. Radlinski, M. Kurup, T. Joachims, How Does Clickthrough Data Reflect Retrieval Quality?,
CIKM 2008, section 4.2. As in ball games the two rankers choose in turn the best hit that is still free; in each round a
coin says who goes first. Both thus have equally many hits at every depth, and equally good places.

One change: as long as both rankings are the same from the top, their hits belong to nobody. There the coin alone would
say whose they are, and a click on them tells nothing about either.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from search.ranking.scenes import RankedScenes


class Team(IntEnum):
    """Who drafted a hit."""

    NEITHER = 0
    A = 1
    B = 2


@dataclass(frozen=True)
class Draft:
    """An interleaved list of n hits: ``places`` (n,) where each stands in the ranking of its team (from 0; neither: in
    both), and ``teams`` (n,) of ``Team``, both int64."""

    places: NDArray[np.int64]
    teams: NDArray[np.int64]


def team_draft(
    first: Sequence[Hashable], second: Sequence[Hashable], *, chance: np.random.Generator, most: int | None = None
) -> Draft:
    """Interleave two lists of ids, each without repetition and best first, into at most ``most`` hits.

    When one list has nothing left to choose, the rest of the other follows as its team's. The same generator state
    gives the same draft.
    """
    lists, depth = (first, second), len({*first, *second}) if most is None else most
    same = 0
    while same < min(len(first), len(second), depth) and first[same] == second[same]:
        same += 1
    places, teams = list(range(same)), [int(Team.NEITHER)] * same
    taken, at, drafted = set(first[:same]), [same, same], [0, 0]
    while len(places) < depth:
        for side in (0, 1):
            while at[side] < len(lists[side]) and lists[side][at[side]] in taken:
                at[side] += 1
        left = [at[side] < len(lists[side]) for side in (0, 1)]
        if not any(left):
            break
        if all(left):
            side = int(chance.integers(2)) if drafted[0] == drafted[1] else int(drafted[1] < drafted[0])
        else:
            side = int(left[1])
        places.append(at[side])
        teams.append(side + 1)
        taken.add(lists[side][at[side]])
        drafted[side] += 1
    return Draft(np.array(places, dtype=np.int64), np.array(teams, dtype=np.int64))


def interleaved(
    first: RankedScenes, second: RankedScenes, *, chance: np.random.Generator, most: int
) -> tuple[RankedScenes, NDArray[np.int64]]:
    """Interleave the answers of A and of B by their scenes; return at most ``most`` hits and the teams (n,) of each.

    A hit keeps what its own ranker said of it: tile, score and reasons. Scores therefore need not fall.
    """
    draft = team_draft(first.scene_ids.tolist(), second.scene_ids.tolist(), chance=chance, most=most)
    of_b = draft.teams == Team.B
    rows = np.where(of_b, len(first.scene_ids) + draft.places, draft.places)  # Of both, one after the other.
    reasons = [*first.reasons, *second.reasons]
    return RankedScenes(
        scene_ids=np.concatenate([first.scene_ids, second.scene_ids])[rows],
        tile_ids=np.concatenate([first.tile_ids, second.tile_ids])[rows],
        scores=np.concatenate([first.scores, second.scores])[rows],
        similarities=np.concatenate([first.similarities, second.similarities])[rows],
        reasons=[reasons[row] for row in rows],
    ), draft.teams
