"""What simulated people leave behind: what they opened, as the portal would remember it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from search.exploration.propensity import propensity_assumed
from search.feedback.lessons import MOST_CORRECTED, Deed
from search.models import Event
from search.ranking import Evidence, Lessons, StageSettings, Votes
from search.simulation.archive import Archive, AskedQuery
from search.simulation.clicks import ClickModel

_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Visit:
    """What one person did: images they ``opened`` (m,) at page places ``ranks`` (m,) from 1, and all they were shown.

    ``kind`` is what they did with them.
    """

    opened: NDArray[np.int64]
    ranks: NDArray[np.int64]
    shown: NDArray[np.int64]
    kind: str = Event.Kind.CLICK

    @property
    def weights(self) -> NDArray[np.float64]:
        """(m,) what each counts, today, by the rules of ``search.feedback.lessons`` and the propensities that are
        assumed before there is an estimate."""
        worth = Deed(0, self.kind, _NOW, UUID(int=0), None, 1, None, session=True).worth
        return worth * np.minimum(1.0 / propensity_assumed(self.ranks), MOST_CORRECTED)


def visit(
    archive: Archive,
    asked: AskedQuery,
    *,
    settings: StageSettings,
    model: ClickModel,
    rounds: int,
    rng: np.random.Generator,
    first: NDArray[np.int64],
    until: int | None = None,
) -> Visit:
    """Let a person look through ``rounds`` pages and open what they find good; ``first`` (n,) is the first ranking.

    Each page shows the best images that they were not shown before, of the ranking that what they opened so far has
    led to. On the first page the ranks are those of the ranking, later on those of the page.
    """
    nothing = np.zeros(0, dtype=np.int64)
    done = Visit(opened=nothing, ranks=nothing, shown=nothing)
    order = first
    for number in range(rounds):
        if number and len(done.opened):
            evidence = replace(Evidence.none(archive.images.shape[1]), session=lessons_of(archive, done))
            order = archive.order(asked, settings=settings, evidence=evidence)
        page = order[~np.isin(order, done.shown)][: model.page]
        places = model.opened(asked.relevant[page], rng)
        done = Visit(
            opened=np.concatenate([done.opened, page[places]]),
            ranks=np.concatenate([done.ranks, places + 1]),
            shown=np.concatenate([done.shown, page]),
        )
        if until is not None and asked.relevant[done.shown].sum() >= until:
            break
    return done


def person_rng(archive: Archive, asked: AskedQuery, *, seed: int, person: int) -> np.random.Generator:
    """Return the draws of one person under one query; they do not depend on who else asks what."""
    return np.random.default_rng([seed, person, *f"{archive.name}/{asked.name}".encode()])


def attack(order: NDArray[np.int64], target: int) -> Visit:
    """Return the visit of somebody who pages down to one image and likes it: the most that one person can say."""
    rank = np.flatnonzero(order == target)[:1] + 1
    return Visit(np.array([target]), rank, np.array([target]), kind=Event.Kind.LIKE)


def target_choose(order: NDArray[np.int64], asked: AskedQuery, *, page: int, rng: np.random.Generator) -> int | None:
    """Return the image that attackers want on the first page: any that is not relevant and not there yet."""
    behind = order[page:]
    candidates = behind[~asked.relevant[behind]]
    return int(rng.choice(candidates)) if len(candidates) else None


def lessons_of(archive: Archive, done: Visit) -> Lessons:
    """Return a visit as the lessons of a session."""
    return Lessons(
        vectors=archive.images[done.opened],
        weights=done.weights,
        scene_ids=done.opened.astype(object),
        deeds=(done.kind,) * len(done.opened),
        sources=("",) * len(done.opened),
    )


def votes_of(archive: Archive, visits: Sequence[Visit]) -> Votes:
    """Return the visits of several persons as everybody's votes."""
    opened = np.concatenate([each.opened for each in visits])
    return Votes(
        vectors=archive.images[opened],
        weights=np.concatenate([each.weights for each in visits]),
        scene_ids=opened.astype(object),
        deeds=tuple(each.kind for each in visits for _ in each.opened),
        sources=("",) * len(opened),
        voters=np.repeat(np.arange(len(visits)), [len(each.opened) for each in visits]),
    )
