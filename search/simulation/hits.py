"""How many pages people look through until they have seen so many relevant images, with feedback and without."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from search.simulation.archive import Archive, AskedQuery, base_settings
from search.simulation.people import person_rng, visit
from search.simulation.run import Simulation

HITS: Final = 10
MOST_PAGES: Final = 10
"""Who has not seen enough by then is counted with as many pages and one."""
PEOPLE: Final = 5


@dataclass(frozen=True)
class PagesToHits:
    """Mean pages until ``hits`` relevant images were shown, over ``queries`` with as many."""

    hits: int
    with_feedback: float
    without: float
    queries: int


def pages_to_hits(archives: Sequence[Archive], simulation: Simulation) -> PagesToHits:
    """Return the mean numbers of pages: of rankings made anew after each by what was opened, or of the first one.

    A page shows the best images that were not shown yet. Queries with fewer than 10 relevant images are left out.
    """
    learnt: list[float] = []
    plain: list[float] = []
    for archive in archives:
        for asked in archive.queries:
            if asked.relevant.sum() >= HITS:
                learnt.append(float(np.mean([_pages(archive, asked, simulation, person) for person in range(PEOPLE)])))
                order = archive.order(asked, settings=base_settings(simulation.base))
                plain.append(_enough(order, asked, simulation.model.page))
    with_feedback, without = (float(np.mean(each)) if each else float("nan") for each in (learnt, plain))
    return PagesToHits(hits=HITS, with_feedback=with_feedback, without=without, queries=len(plain))


def _pages(archive: Archive, asked: AskedQuery, simulation: Simulation, person: int) -> float:
    settings = base_settings(simulation.base)
    first = archive.order(asked, settings=settings)
    if _enough(first, asked, simulation.model.page) == 1:
        return 1.0  # Nothing was learnt before the first page.
    rng = person_rng(archive, asked, seed=simulation.seed, person=person)
    done = visit(
        archive, asked, settings=settings, model=simulation.model, rounds=MOST_PAGES, rng=rng, first=first, until=HITS
    )
    return _enough(done.shown, asked, simulation.model.page)


def _enough(shown: NDArray[np.int64], asked: AskedQuery, page: int) -> float:
    """The page on which the tenth relevant image was shown."""
    places = np.flatnonzero(asked.relevant[shown])
    return float(min(places[HITS - 1] // page + 1, MOST_PAGES + 1)) if len(places) >= HITS else float(MOST_PAGES + 1)
