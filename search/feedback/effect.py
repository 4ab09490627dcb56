"""What feedback does, for those who look after the portal: one query ranked with and without what others did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np

from imagery.models import Encoder, Scene
from imagery.services.encoders import encoder_active
from search.candidates import candidates_find
from search.engine import MOST_CANDIDATES, ranker_of
from search.feedback.everybody import votes_for
from search.feedback.likeness import asked_together, likeness_of
from search.query import SearchRequest
from search.ranking import candidates_rank, retrieval_vector
from search.ranking.evidence import Evidence, Votes
from search.ranking.feedback import feedback_step
from search.ranking.gates import agreeing, matching, votes_pooled
from search.ranking.normalise import rows_corrected
from search.ranking.pipeline import STEPS
from search.ranking.pool import Pool
from search.ranking.scenes import RankedScenes
from search.regions import candidate_regions
from search.understood import request_understand

if TYPE_CHECKING:
    from imagery.querysets import Viewer

TOP: Final = 20


@dataclass(frozen=True)
class EffectHit:
    """A scene of one side. ``other_rank`` is its place on the other side (None: not among its first 1,000)."""

    rank: int
    scene: Scene
    score: float
    other_rank: int | None

    @property
    def moved(self) -> int:
        """Places it is higher up here than on the other side (0 when it is not there)."""
        return 0 if self.other_rank is None else self.other_rank - self.rank


@dataclass(frozen=True)
class Gates:
    """How many votes were found under similar queries, by how many people on how many scenes, and what became of the
    scenes: how many each gate ``dropped``, and how many ``counted``."""

    votes: int = 0
    people: int = 0
    scenes: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    counted: int = 0


@dataclass(frozen=True)
class Effect:
    """The first hits ``without`` and ``with_votes`` of others, of all that were ranked how many ``moved``, and the
    gates. ``off`` says that the encoder's stage is off, so that nothing can move."""

    without: Sequence[EffectHit]
    with_votes: Sequence[EffectHit]
    moved: int
    gates: Gates
    searched: int
    off: bool


def effect_of(*, request: SearchRequest, user: Viewer, encoder: Encoder | None = None) -> Effect:
    """Rank what a request finds twice, over the scenes this person may see: without and with what others did.

    The person's own clicks and likes are left out of both, and so is a second look. Nothing is stored but query
    vectors. Raises Unavailable when no encoder can answer and InvalidInput for a language that it does not read.
    """
    encoder = encoder or encoder_active()
    ranker = ranker_of(encoder)
    understood = request_understand(request=request, encoder=encoder, settings=ranker.settings)
    query, settings = understood.query, understood.settings
    vector = retrieval_vector(query=query, geometry=ranker.geometry, settings=settings)
    found = candidates_find(vector=vector, encoder=encoder, request=request, user=user, k=MOST_CANDIDATES)
    stage = settings.regions
    regions = candidate_regions(candidates=found, encoder=encoder, most=stage.tiles) if stage.active else None
    votes = votes_for(
        user=user,
        encoder=encoder,
        asked=asked_together(query, ranker.geometry),
        likeness=likeness_of(ranker.geometry),
        fewest=1,
    )
    gates = [Gates(votes=len(votes), people=_different(votes.voters), scenes=_different(votes.scene_ids))]

    def watched(pool: Pool) -> Pool:
        if pool.asked.evidence and len(pool.asked.evidence.everybody):
            gates.append(_gated(pool, votes, gates[0]))
        return feedback_step(pool)

    steps = [(name, watched if name == "feedback" else step) for name, step in STEPS]

    def ranked(others: Votes) -> RankedScenes:
        return candidates_rank(
            candidates=found,
            query=query,
            settings=settings,
            geometry=ranker.geometry,
            limit=MOST_CANDIDATES,
            regions=regions,
            evidence=replace(Evidence.none(encoder.dimension), everybody=others),
            steps=steps,
        )

    with_votes, without = ranked(votes), ranked(Votes.none(encoder.dimension))
    return _effect(without, with_votes, gates[-1], user=user, searched=found.searched, off=not settings.feedback.active)


def _effect(
    without: RankedScenes, with_votes: RankedScenes, gates: Gates, *, user: Viewer, searched: int, off: bool
) -> Effect:
    sides = [without, with_votes]
    ids: list[list[UUID]] = [side.scene_ids.tolist() for side in sides]
    ranks = [{pk: rank for rank, pk in enumerate(each, start=1)} for each in ids]
    shown = {pk for each in ids for pk in each[:TOP]}
    scenes: dict[UUID, Scene] = Scene.objects.visible_to(user).findable().in_bulk(list(shown))
    hits = [
        [
            EffectHit(rank=rank, scene=scenes[pk], score=score, other_rank=ranks[1 - place].get(pk))
            for rank, (pk, score) in enumerate(zip(ids[place][:TOP], side.scores.tolist(), strict=False), start=1)
            if pk in scenes
        ]
        for place, side in enumerate(sides)
    ]
    moved = sum(ranks[0].get(pk) != rank for pk, rank in ranks[1].items())
    return Effect(without=hits[0], with_votes=hits[1], moved=moved, gates=gates, searched=searched, off=off)


def _gated(pool: Pool, votes: Votes, gates: Gates) -> Gates:
    """Pass the gates of ``search.ranking.feedback`` one by one."""
    vectors, normalise = votes.vectors, pool.asked.settings.normalise
    if normalise.active:
        vectors = rows_corrected(vectors, pool.asked.geometry, share=normalise.weight)
    rows, weights = votes_pooled(weights=votes.weights, scenes=votes.scene_ids, voters=votes.voters)
    fits = matching(vectors[rows], candidates=pool.vectors, target=pool.target)
    counted = int(agreeing(vectors[rows[fits]], weights[fits]).sum())
    dropped = {
        "voters": gates.scenes - len(rows),
        "matching": int((~fits).sum()),
        "agreeing": int(fits.sum()) - counted,
    }
    return replace(gates, dropped=dropped, counted=counted)


def _different(values: np.ndarray) -> int:
    return len(set(values.tolist()))
