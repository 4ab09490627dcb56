"""A configuration measured on a judged set: every query asked as a search asks it, its ranking scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from imagery.encoders.adapter import fingerprint
from rsportal.errors import InvalidInput, RsportalError
from search.engine import ranker_of, request_answer
from search.judged.configuration import Configuration
from search.judged.measures import QueryScores, list_scores, unanswered
from search.judged.scope import JudgedRequest

if TYPE_CHECKING:
    from imagery.querysets import Viewer

DEPTH: Final = 1_000
Progress = Callable[[int, int], None]
"""Told (queries done, queries in all)."""


@dataclass(frozen=True)
class Measured:
    """What came out. ``scores`` by the query's key; ``unjudged`` are the keys of queries without a relevant scene.

    ``remarks`` are sentences on stages that are switched on and cannot run.
    """

    configuration: Configuration
    scores: dict[str, QueryScores]
    unjudged: list[str]
    searched: int
    seconds: float
    versions: dict[str, Any]
    remarks: tuple[str, ...] = ()


def configuration_measure(
    *, configuration: Configuration, requests: Sequence[JudgedRequest], user: Viewer, progress: Progress | None = None
) -> Measured:
    """Ask every query of a set (``search.judged.scope.set_requests``) and score the rankings.

    A query without a relevant scene that this person may see is left out; one that the encoder cannot answer counts as
    0, since whoever asks it finds nothing. Stores nothing but query vectors. Raises InvalidInput if the stages cannot
    be used, and Unavailable if no query at all could be answered.
    """
    begun = perf_counter()
    encoder, ranker = configuration.encoder, ranker_of(configuration.encoder)
    scores: dict[str, QueryScores] = {}
    unjudged: list[str] = []
    refused: RsportalError | None = None
    searched = 0
    for number, row in enumerate(requests, start=1):
        relevant = sum(grade >= 1 for grade in row.grades.values())
        if not relevant:
            unjudged.append(row.query.key)
        elif row.request is None:
            scores[row.query.key] = unanswered(row.problem, relevant=relevant)
        else:
            try:
                answer = request_answer(encoder=encoder, request=row.request, user=user, limit=DEPTH, ranker=ranker)
            except RsportalError as error:
                scores[row.query.key] = unanswered(error.message, relevant=relevant)
                refused = error
            else:
                searched = max(searched, answer.searched)
                found = list_scores(answer.ranked.scene_ids.tolist(), row.grades, known_wrong=row.known_wrong)
                assert found is not None  # It has a relevant scene.
                scores[row.query.key] = found
        if progress is not None:
            progress(number, len(requests))
    if refused is not None and all(each.problem for each in scores.values()) and not isinstance(refused, InvalidInput):
        raise refused
    return Measured(
        configuration=configuration,
        scores=scores,
        unjudged=unjudged,
        searched=searched,
        seconds=round(perf_counter() - begun, 2),
        versions={
            "ranker": ranker.version,
            "encoder": encoder.name,
            "checksum": encoder.checksum,
            "adapter": fingerprint(encoder.adapter),
            "settings": ranker.settings.as_json(),
            "judgements": sum(len(row.grades) for row in requests),
            "remarks": list(ranker.remarks),
        },
        remarks=ranker.remarks,
    )
