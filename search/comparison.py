"""Two encoders side by side: the same queries, both rankings, and how well each finds what is known to be right.

Nothing is stored but query vectors, and the searches in use are not touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np

from imagery.evaluation.metrics import (
    Interval,
    average_precision,
    bootstrap,
    ndcg,
    paired_bootstrap,
    rank_correlation,
)
from imagery.models import Encoder, Scene
from rsportal.errors import InvalidInput, RsportalError
from search.encode_query import query_text_normalise
from search.engine import request_answer
from search.judged.scope import set_requests
from search.models import Event, JudgedSet
from search.query import SearchRequest, search_request_parse

if TYPE_CHECKING:
    from imagery.querysets import Viewer

TOP: Final = 10
CLASS_PROPERTY: Final = "class"
_LIKED: Final = (Event.Kind.LIKE, Event.Kind.DOWNLOAD)


@dataclass(frozen=True)
class AskedQuery:
    """A query; ``scene_class`` (may be "") is the value of the scenes' class property that answers it.

    Of a judged set it brings its own ``request`` (None: it cannot be asked, for which ``problem``) and ``grades`` by
    scene.
    """

    text: str
    language: str = ""
    scene_class: str = ""
    request: SearchRequest | None = None
    grades: Mapping[UUID, int] | None = None
    problem: str = ""


@dataclass(frozen=True)
class ComparedHit:
    """A scene of one ranking. ``other_rank`` is its place in the other one (None: not among its first 1,000)."""

    rank: int
    scene: Scene
    score: float
    other_rank: int | None
    relevant: bool


@dataclass(frozen=True)
class Side:
    """One encoder's answer. ``precision`` (average precision) and ``ndcg10`` are None without known right answers."""

    encoder: Encoder
    hits: list[ComparedHit] = field(default_factory=list)
    searched: int = 0
    precision: float | None = None
    ndcg10: float | None = None
    searched_for: str = ""
    problem: str = ""


@dataclass(frozen=True)
class ComparedQuery:
    """Both answers. ``overlap`` is the share of the first ten that both have; ``correlation`` Spearman's, over the
    scenes that both rank among their first 1,000; ``known`` counts the right answers that are known."""

    query: AskedQuery
    sides: tuple[Side, Side]
    overlap: float | None
    correlation: float | None
    known: int


@dataclass(frozen=True)
class Comparison:
    """All queries, and the means over those where both answered. Scores are None without known right answers."""

    encoders: tuple[Encoder, Encoder]
    queries: list[ComparedQuery]
    overlap: float | None
    correlation: float | None
    judged: int
    precision: tuple[Interval, Interval] | None
    ndcg10: tuple[Interval, Interval] | None
    precision_gain: Interval | None
    ndcg10_gain: Interval | None


def encoders_compare(
    *,
    first: Encoder,
    second: Encoder,
    queries: Sequence[AskedQuery],
    user: Viewer,
    class_property: str = CLASS_PROPERTY,
    collections: Iterable[str] = (),
) -> Comparison:
    """Ask both encoders the same queries over the scenes this person may see.

    Right answers are those of a judged set's grades (1 and up, a grade is its gain in nDCG); else the scenes whose
    property ``class_property`` is the query's class; for a query without a class, those that were liked or downloaded
    after the same words (by this person, or anybody for a superuser). A query that an encoder cannot answer says why
    and leaves the rest alone. Raises InvalidInput for unknown collections.
    """
    slugs = tuple(collections)
    compared = [_compare_one(first, second, query, user, class_property, slugs) for query in queries]
    answered = [row for row in compared if not any(side.problem for side in row.sides)]
    judged = [row for row in answered if row.known]
    precision = [[side.precision or 0.0 for side in row.sides] for row in judged]
    gains = [[side.ndcg10 or 0.0 for side in row.sides] for row in judged]
    return Comparison(
        encoders=(first, second),
        queries=compared,
        overlap=_mean(row.overlap for row in answered),
        correlation=_mean(row.correlation for row in answered),
        judged=len(judged),
        precision=_intervals(precision),
        ndcg10=_intervals(gains),
        precision_gain=_gain(precision),
        ndcg10_gain=_gain(gains),
    )


def _compare_one(
    first: Encoder, second: Encoder, query: AskedQuery, user: Viewer, class_property: str, slugs: tuple[str, ...]
) -> ComparedQuery:
    try:
        request = _request(query, user, slugs)
    except InvalidInput as error:
        if error.field != "text":
            raise
        sides = Side(encoder=first, problem=error.message), Side(encoder=second, problem=error.message)
        return ComparedQuery(query=query, sides=sides, overlap=None, correlation=None, known=0)
    answers = [_answer(encoder, request, user) for encoder in (first, second)]
    known = _known(query, request, user, class_property)
    ranks = [{pk: rank for rank, pk in enumerate(answer.ids, start=1)} for answer in answers]
    shown = {pk for answer in answers for pk in answer.ids[:TOP]}
    rows = Scene.objects.visible_to(user).findable().select_related("collection").filter(pk__in=shown)
    scenes: dict[UUID, Scene] = rows.in_bulk()
    one = _side(first, answers[0], scenes, known, ranks[1])
    two = _side(second, answers[1], scenes, known, ranks[0])
    tops = [set(answer.ids[:TOP]) for answer in answers]
    most = max(map(len, tops))
    both = [pk for pk in ranks[0] if pk in ranks[1]]
    return ComparedQuery(
        query=query,
        sides=(one, two),
        overlap=len(tops[0] & tops[1]) / most if most else None,
        correlation=rank_correlation([-ranks[0][pk] for pk in both], [-ranks[1][pk] for pk in both]),
        known=len(known),
    )


def _request(query: AskedQuery, user: Viewer, slugs: tuple[str, ...]) -> SearchRequest:
    if query.problem:
        raise InvalidInput(query.problem, field="text")
    return query.request or search_request_parse(user=user, text=query.text, collections=slugs)


@dataclass(frozen=True)
class _Answer:
    ids: list[UUID]
    scores: list[float]
    searched: int = 0
    searched_for: str = ""
    problem: str = ""


def _answer(encoder: Encoder, request: SearchRequest, user: Viewer) -> _Answer:
    """Rank as a search does, with this encoder whatever its state."""
    try:
        answer = request_answer(encoder=encoder, request=request, user=user)
    except RsportalError as error:
        return _Answer(ids=[], scores=[], problem=error.message)
    return _Answer(
        ids=answer.ranked.scene_ids.tolist(),
        scores=answer.ranked.scores.tolist(),
        searched=answer.searched,
        searched_for=answer.words.translation,
    )


def _side(
    encoder: Encoder, answer: _Answer, scenes: dict[UUID, Scene], known: Mapping[UUID, int], others: dict[UUID, int]
) -> Side:
    flags = [pk in known for pk in answer.ids]
    gains = [known.get(pk, 0) for pk in answer.ids]
    top = zip(answer.ids[:TOP], answer.scores, flags, strict=False)
    return Side(
        encoder=encoder,
        hits=[
            ComparedHit(rank=rank, scene=scenes[pk], score=score, other_rank=others.get(pk), relevant=relevant)
            for rank, (pk, score, relevant) in enumerate(top, start=1)
            if pk in scenes
        ],
        searched=answer.searched,
        precision=average_precision(flags, total=len(known)) if known and not answer.problem else None,
        ndcg10=ndcg(gains, cut=TOP, ideal=list(known.values())) if known and not answer.problem else None,
        searched_for=answer.searched_for,
        problem=answer.problem,
    )


def set_queries(judged_set: JudgedSet, user: Viewer) -> list[AskedQuery]:
    """Return the queries of a judged set with the grades of scenes that this person may see."""
    return [
        AskedQuery(
            text=row.query.text,
            language=row.query.language,
            scene_class=row.query.scene_class,
            request=row.request,
            grades=row.grades,
            problem=row.problem,
        )
        for row in set_requests(judged_set, user)
    ]


def _known(query: AskedQuery, request: SearchRequest, user: Viewer, class_property: str) -> dict[UUID, int]:
    """Return the right answers among the scenes that are searched, with their grades (1 where none was given)."""
    if query.grades is not None:
        return {scene_id: grade for scene_id, grade in query.grades.items() if grade >= 1}
    scenes = request.scenes(user).order_by()
    if query.scene_class:
        right = scenes.filter(**{f"properties__{class_property}": query.scene_class})
        return dict.fromkeys(right.values_list("pk", flat=True), 1)
    events = Event.objects.all() if getattr(user, "is_superuser", False) else Event.objects.visible_to(user)
    events = events.filter(impression__ranking__query__examples=[])  # With examples, something else was meant.
    liked = events.filter(kind__in=_LIKED, impression__ranking__query__text__iexact=query_text_normalise(query.text))
    disliked = events.filter(
        kind=Event.Kind.DISLIKE, impression__ranking__query__text__iexact=query_text_normalise(query.text)
    )
    rows = scenes.filter(pk__in=liked.values("impression__scene")).exclude(pk__in=disliked.values("impression__scene"))
    return dict.fromkeys(rows.values_list("pk", flat=True), 1)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _intervals(rows: Sequence[Sequence[float]]) -> tuple[Interval, Interval] | None:
    return (bootstrap([row[0] for row in rows]), bootstrap([row[1] for row in rows])) if rows else None


def _gain(rows: Sequence[Sequence[float]]) -> Interval | None:
    """Return how much the second encoder is better, query by query."""
    return paired_bootstrap([row[0] for row in rows], [row[1] for row in rows]) if rows else None


def comparison_dict(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison for programs; scores 0 to 1, intervals as [mean, low, high]."""

    def interval(value: Interval | None) -> list[float] | None:
        return [round(number, 4) for number in (value.mean, value.low, value.high)] if value else None

    def scores(values: tuple[Interval, Interval] | None) -> list[list[float] | None] | None:
        return [interval(value) for value in values] if values else None

    return {
        "encoders": [encoder.name for encoder in comparison.encoders],
        "overlap10": comparison.overlap,
        "rank_correlation": comparison.correlation,
        "judged": comparison.judged,
        "map": scores(comparison.precision),
        "ndcg10": scores(comparison.ndcg10),
        "map_gain": interval(comparison.precision_gain),
        "ndcg10_gain": interval(comparison.ndcg10_gain),
        "queries": [
            {
                "text": row.query.text,
                "language": row.query.language,
                "class": row.query.scene_class,
                "overlap10": row.overlap,
                "rank_correlation": row.correlation,
                "known": row.known,
                "sides": [
                    {
                        "encoder": side.encoder.name,
                        "searched": side.searched,
                        "average_precision": side.precision,
                        "ndcg10": side.ndcg10,
                        "problem": side.problem,
                        "hits": [
                            {"rank": hit.rank, "scene": str(hit.scene.pk), "title": hit.scene.title, "score": hit.score}
                            for hit in side.hits
                        ],
                    }
                    for side in row.sides
                ],
            }
            for row in comparison.queries
        ],
    }
