"""The one way a ranking is computed: words, plan, vectors, candidates, ranking. Nothing is stored but query vectors.

``search.services.runs`` keeps the answer as a search; comparisons and evaluations throw it away.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.utils.translation import gettext as _

from imagery.encoders.adapter import fingerprint
from imagery.models import Encoder
from imagery.services.regions import encoder_gives_regions
from search.candidates import candidates_find
from search.example_vectors import rank_examples
from search.feedback.evidence import evidence_for
from search.feedback.likeness import asked_together
from search.feedback.state import FeedbackState
from search.models import QueryVector
from search.places import places_look
from search.query import SearchRequest
from search.ranking import (
    Geometry,
    RankedScenes,
    StageSettings,
    candidates_rank,
    retrieval_vector,
    stage_settings,
    stages_usable,
)
from search.ranking.query import Vector
from search.regions import candidate_regions
from search.sample import archive_sample
from search.second_look import cross_encoder_problem, cross_encoder_spec, look_again
from search.translation import SearchWords
from search.understood import query_related, request_understand

if TYPE_CHECKING:
    from imagery.querysets import Viewer

CODE_VERSION: Final = "stages-2"
"""Change it when the same settings order the same candidates differently."""
MOST_CANDIDATES: Final = 1_000
_MS: Final = 1_000.0
_KEPT: Final = 8  # pairs of means of 4 kB each

_geometries: OrderedDict[tuple[object, ...], Geometry] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class Ranker:
    """How an encoder's candidates are ranked now.

    ``version`` differs whenever the same candidates may come in another order: code, settings or means. ``remarks``
    are sentences on stages that are switched on and cannot run.
    """

    settings: StageSettings
    geometry: Geometry
    version: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a request is answered with. ``parsed`` is how its words were understood (``search.understood``).

    ``took_ms`` has encode, retrieve, rank and total in milliseconds, and second_look if there was one. ``final`` is
    False when that look ran out of time or could not be had: asked again, the order may be another. ``asked`` is what
    later queries are compared with (``search.feedback.likeness``); ``learnt`` names the state of the person's own deeds
    that could have a say (None: nobody asked for it).
    """

    encoder: Encoder
    ranker: Ranker
    words: SearchWords
    parsed: dict[str, Any]
    vector: QueryVector | None
    ranked: RankedScenes
    final: bool
    searched: int
    estimated: bool
    route: str
    took_ms: dict[str, float]
    asked: Vector
    learnt: str | None = None


def request_answer(
    *,
    encoder: Encoder,
    request: SearchRequest,
    user: Viewer,
    limit: int = MOST_CANDIDATES,
    ranker: Ranker | None = None,
    feedback: FeedbackState | None = None,
) -> Answer:
    """Answer a request with at most ``limit`` scenes that the person may see, under this encoder whatever its state.

    ``ranker`` is the encoder's own (``ranker_of``) unless another is to be tried. ``feedback`` (the state the answer's
    key was made in) lets what was learnt have a say: in searches of people, never where rankers are compared. Raises
    Unavailable when the encoder cannot answer and InvalidInput for a language that it does not read.
    """
    begun = perf_counter()
    ranker = ranker or ranker_of(encoder)
    examples = rank_examples(examples=request.examples, encoder=encoder, user=user)
    understood = request_understand(request=request, encoder=encoder, settings=ranker.settings, examples=examples)
    query, settings = understood.query, understood.settings
    if examples:
        query = replace(query, sample=archive_sample(encoder=encoder, user=user))
        understood = replace(understood, query=query)
    asked = retrieval_vector(query=query, geometry=ranker.geometry, settings=settings)
    encoded_at = perf_counter()
    found = candidates_find(vector=asked, encoder=encoder, request=request, user=user, k=MOST_CANDIDATES)
    retrieved_at = perf_counter()
    stage = settings.regions
    regions = candidate_regions(candidates=found, encoder=encoder, most=stage.tiles) if stage.active else None
    evidence = None
    if feedback is not None and settings.feedback.active:
        evidence = evidence_for(
            user=user,
            encoder=encoder,
            query=query,
            geometry=ranker.geometry,
            request=request,
            state=feedback,
            translation=understood.words.translation,
        )
    ranked = candidates_rank(
        candidates=found,
        query=query,
        settings=settings,
        geometry=ranker.geometry,
        limit=limit,
        regions=regions,
        evidence=evidence,
    )
    query = query_related(understood, encoder=encoder, windows=found.windows)
    placed = places_look(
        ranked=ranked, candidates=found, query=query, encoder=encoder, settings=settings, geometry=ranker.geometry
    )
    ranked = placed.ranked
    ranked_at = perf_counter()
    look = None
    if settings.cross_encoder.active and query.worded:
        ranked, look = look_again(
            ranked=ranked, candidates=found, text=understood.words.text, user=user, stage=settings.cross_encoder
        )
    looked_at = perf_counter()
    return Answer(
        encoder=encoder,
        ranker=ranker,
        words=understood.words,
        parsed=understood.parsed(),
        vector=understood.encoded.row if understood.encoded else None,
        ranked=ranked,
        final=placed.final and (look is None or look.final),
        searched=found.searched,
        estimated=found.estimated,
        route=found.route,
        took_ms={
            "encode": _ms(encoded_at - begun),
            "retrieve": _ms(retrieved_at - encoded_at),
            "rank": _ms(ranked_at - retrieved_at),
            **({} if look is None else {"second_look": _ms(looked_at - ranked_at)}),
            "total": _ms(looked_at - begun),
        },
        asked=asked_together(query, ranker.geometry),
        learnt=None if evidence is None or feedback is None else feedback.own,
    )


def ranker_of(encoder: Encoder) -> Ranker:
    """Return how this encoder's candidates are ranked: its stages, its means, and the version that names both.

    Raises InvalidInput (field ``ranking``) if the row's settings cannot be used.
    """
    geometry = _geometry(encoder)
    wanted = stage_settings(kind=encoder.kind, ranking=encoder.ranking)
    settings, remarks = stages_usable(wanted, geometry=geometry)
    if settings.regions.active and not encoder_gives_regions(encoder):
        settings = replace(settings, regions=replace(settings.regions, on=False))
        remarks.append(_("The stage regions is off: the model of this encoder gives no vectors of regions."))
    if settings.cross_encoder.active and cross_encoder_spec() is None:
        settings = replace(settings, cross_encoder=replace(settings.cross_encoder, on=False))
        remarks.append(_("The stage cross_encoder is off: RSPORTAL_CROSS_ENCODER names no model."))
    elif settings.cross_encoder.active and (problem := cross_encoder_problem()):
        remarks.append(problem)  # Left on: each hit then says that the look is missing.
    return Ranker(
        settings=settings,
        geometry=geometry,
        version=ranker_version(settings, geometry),
        remarks=tuple(remarks),
    )


def ranker_version(settings: StageSettings, geometry: Geometry) -> str:
    """Return what rankings of different code, settings or means are told apart by, such as ``stages-2:3f2a90bc``."""
    digest = hashlib.sha256(settings.fingerprint().encode())
    if settings.normalise.active:
        for mean in (geometry.text_mean, geometry.image_mean):
            digest.update(b"" if mean is None else mean.tobytes())
    if settings.cross_encoder.active:
        digest.update(repr(cross_encoder_spec()).encode())
    return f"{CODE_VERSION}:{digest.hexdigest()[:8]}"


def _geometry(encoder: Encoder) -> Geometry:
    """The encoder's means, read from its row once a process as long as nothing they are made of changes."""
    if encoder._state.adding:  # Of a folder, not registered.
        return _means(encoder.text_mean, encoder.image_mean)
    key = (encoder.pk, encoder.means_at, fingerprint(encoder.adapter), *encoder.prompts)
    with _lock:
        if (known := _geometries.get(key)) is not None:
            _geometries.move_to_end(key)
            return known
    row = Encoder.objects.filter(pk=encoder.pk).values_list("text_mean", "image_mean").first()
    found = _means(*row) if row else Geometry()
    with _lock:
        _geometries[key] = found
        while len(_geometries) > _KEPT:
            _geometries.popitem(last=False)
    return found


def _means(text: list[float] | None, image: list[float] | None) -> Geometry:
    one, two = (None if mean is None else np.asarray(mean, dtype=np.float32) for mean in (text, image))
    return Geometry(text_mean=one, image_mean=two)


def _ms(seconds: float) -> float:
    return round(seconds * _MS, 2)
