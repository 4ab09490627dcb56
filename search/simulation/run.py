"""One simulation: people look at first rankings, open hits, and rankings are made again with what was learnt."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rsportal.errors import InvalidInput
from search.ranking import Evidence, StageSettings
from search.simulation.archive import BASES, Archive, AskedQuery, base_settings
from search.simulation.clicks import ClickModel
from search.simulation.measures import Change, Summary, residual_change, summary_of
from search.simulation.people import Visit, attack, lessons_of, person_rng, target_choose, visit, votes_of

GROUPS: Final = 5
"""So many times a query's people are drawn anew where they are pooled."""
MOST_ROUNDS: Final = 20
_ATTACKERS: Final = 1_000_000  # Numbers of people who choose a target: beyond those who look.


@dataclass(frozen=True)
class Simulation:
    """What is simulated. Each query is asked by ``users`` people.

    Alone, each of them looks through ``rounds`` pages and is ranked again by what they opened themselves (the level of
    the session). ``pooled``, their clicks are everybody's votes for one more person who did nothing yet, and the share
    ``attackers`` of them does nothing but like one and the same image that is not relevant.
    """

    base: str = "raw"
    model: ClickModel = field(default_factory=ClickModel)
    rounds: int = 1
    users: int = 20
    attackers: float = 0.0
    pooled: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.base not in BASES:
            raise InvalidInput(f"--base is {self.base!r}; it must be raw or full.", field="base")
        if not 1 <= self.rounds <= MOST_ROUNDS:
            raise InvalidInput(f"--rounds is {self.rounds}; it must be 1 to {MOST_ROUNDS}.", field="rounds")
        if self.users < 1:
            raise InvalidInput(f"--users is {self.users}; it must be at least 1.", field="users")
        if not 0 <= self.attackers < 1:
            raise InvalidInput(f"--attackers is {self.attackers:g}; it is a share, 0 to below 1.", field="attackers")

    @property
    def everybody(self) -> bool:
        """Whether people learn from each other."""
        return self.pooled or self.attackers > 0


def simulate(archives: Sequence[Archive], simulation: Simulation) -> tuple[Summary, dict[str, Summary]]:
    """Return what feedback changes over all queries of all archives, and over those of each archive by its name.

    A query of which no relevant image is left to be found is left out. Raises InvalidInput (field ``embeddings``) if
    that is so for every query of an archive.
    """
    found: dict[str, list[list[Change]]] = {}
    for archive in archives:
        rows = [changes for asked in archive.queries if (changes := _changes(archive, asked, simulation))]
        if not rows:
            raise InvalidInput(
                f"{archive.name}: no query has a relevant image beyond the pages that were looked through, so there is "
                "nothing to measure on.",
                field="embeddings",
            )
        found[archive.name] = rows
    whole = summary_of([changes for rows in found.values() for changes in rows])
    return whole, {name: summary_of(rows) for name, rows in found.items()}


def _changes(archive: Archive, asked: AskedQuery, simulation: Simulation) -> list[Change]:
    settings = base_settings(simulation.base)
    before = archive.order(asked, settings=settings)
    run = _pooled if simulation.everybody else _alone
    return run(archive, asked, simulation, settings, before)


def _alone(
    archive: Archive, asked: AskedQuery, simulation: Simulation, settings: StageSettings, before: NDArray[np.int64]
) -> list[Change]:
    changes = []
    for person in range(simulation.users):
        done = _visit(archive, asked, simulation, settings, before, person=person)
        evidence = replace(Evidence.none(archive.images.shape[1]), session=lessons_of(archive, done))
        after = archive.order(asked, settings=settings, evidence=evidence) if len(done.opened) else before
        changes.append(residual_change(before=before, after=after, relevant=asked.relevant, shown=done.shown))
    return [each for each in changes if each is not None]


def _pooled(
    archive: Archive, asked: AskedQuery, simulation: Simulation, settings: StageSettings, before: NDArray[np.int64]
) -> list[Change]:
    """The image that attackers want is no other in each group; the residual is without the first page."""
    page = before[: simulation.model.page]
    bad = round(simulation.users * simulation.attackers)
    changes = []
    for group in range(GROUPS):
        visits = [
            _visit(archive, asked, simulation, settings, before, person=group * simulation.users + person)
            for person in range(simulation.users - bad)
        ]
        rng = person_rng(archive, asked, seed=simulation.seed, person=_ATTACKERS + group)
        target = target_choose(before, asked, page=len(page), rng=rng)
        if target is not None:
            visits += [attack(before, target)] * bad
        evidence = replace(Evidence.none(archive.images.shape[1]), everybody=votes_of(archive, visits))
        after = archive.order(asked, settings=settings, evidence=evidence)
        promoted = bool(bad) and target in after[: len(page)]
        shown = np.unique(np.concatenate([page, *(each.shown for each in visits[: simulation.users - bad])]))
        changes.append(
            residual_change(before=before, after=after, relevant=asked.relevant, shown=shown, promoted=promoted)
        )
    return [each for each in changes if each is not None]


def _visit(
    archive: Archive,
    asked: AskedQuery,
    simulation: Simulation,
    settings: StageSettings,
    before: NDArray[np.int64],
    *,
    person: int,
) -> Visit:
    rng = person_rng(archive, asked, seed=simulation.seed, person=person)
    return visit(
        archive, asked, settings=settings, model=simulation.model, rounds=simulation.rounds, rng=rng, first=before
    )
