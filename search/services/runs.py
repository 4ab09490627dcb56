"""Running a search and keeping its answer; an answer that is still right is used again."""

from time import perf_counter
from typing import Final
from uuid import UUID

from django.db import connection

from imagery.models import Encoder
from imagery.services.encoders import encoder_active
from rsportal.accounts.models import User
from search.answer_key import answer_key, request_state
from search.engine import MOST_CANDIDATES, Answer, request_answer
from search.models import Query, QueryVector, Ranking, TranslatedText
from search.query import SearchRequest
from search.selectors import ranking_cached, ranking_get
from search.services.log_writes import array_literal, log_atomic

_MS: Final = 1_000.0


def search_run(
    *, user: User, request: SearchRequest, channel: str = Query.Channel.WEB, limit: int = MOST_CANDIDATES
) -> Ranking:
    """Return the ``limit`` best scenes that the person may see, as a ranking of theirs that is stored with its query.

    Within ``RSPORTAL_SEARCH_REUSE_MINUTES`` the same question of the same person (on the same channel) is the same
    entry of their history, as long as nothing has changed that it depends on; an answer to somebody who sees the same
    collections is taken over into an entry of their own. ``took_ms`` of the ranking has at least encode, retrieve, rank
    and total in milliseconds. Raises Unavailable when no encoder can answer and InvalidInput for a language that the
    encoder does not read.
    """
    begun = perf_counter()
    state = request_state(user, request)  # First of all: what changes from here on makes the key an old one.
    encoder = encoder_active()
    key = answer_key(request=request, state=state, encoder=encoder, limit=limit)
    known = ranking_cached(user, key, channel)
    if known is not None and known.own:
        return ranking_get(user, known.pk)
    if known is not None and (taken := _take_over(known.pk, user, request, channel, begun)) is not None:
        return taken
    answer = request_answer(encoder=encoder, request=request, user=user, limit=limit)
    if not answer.searched and Encoder.objects.filter(pk=encoder.pk, state=Encoder.State.RETIRED).exists():
        # It was replaced and its vectors dropped since we read which one is active: ask the one that is now.
        return search_run(user=user, request=request, channel=channel, limit=limit)
    return _store(answer, user=user, request=request, channel=channel, key=key if answer.final else "")


def _store(answer: Answer, *, user: User, request: SearchRequest, channel: str, key: str) -> Ranking:
    ranked, words = answer.ranked, answer.words
    with log_atomic():
        query = Query(
            user=user,
            text=request.text,
            translation=words.translation,
            untranslated=list(words.untranslated),
            translated=_translation_kept(words.row.pk if words.row else None),
            filters=request.filters(),
            examples=[example.as_json() for example in request.examples],
            without_history=not request.history,
            parsed=answer.parsed,
            channel=channel,
            vector=_vector_kept(answer.vector.pk),
        )
        query.full_clean(exclude=["user", "vector", "translated"])
        query.save()
        arrays = {
            "scene_ids": ranked.scene_ids.tolist(),
            "tile_ids": ranked.tile_ids.tolist(),
            "scores": ranked.scores.tolist(),
            "similarities": ranked.similarities.tolist(),
        }
        ranking = Ranking.objects.create(
            query=query,
            encoder=answer.encoder,
            ranker=answer.ranker.version,
            **{name: array_literal(values) for name, values in arrays.items()},
            reasons=ranked.reasons,
            searched=answer.searched,
            estimated=answer.estimated,
            route=answer.route,
            cache_key=key,
            took_ms=answer.took_ms,
        )
        for name, values in arrays.items():
            setattr(ranking, name, values)
        return ranking


# The arrays stay in the database. Nothing is inserted when the row was erased meanwhile.
_COPIED: Final = (
    "encoder_id", "ranker", "scene_ids", "tile_ids", "scores", "similarities", "reasons", "searched", "estimated",
    "route", "cache_key", "computed_at",
)  # fmt: skip
_COPY: Final = f"""
INSERT INTO search_ranking (
    id, query_id, cut_to, dropped_ranks, swapped_ranks, swap_share, teams, took_ms, created_at, {", ".join(_COPIED)})
SELECT gen_random_uuid(), %s, 0, '{{}}', '{{}}', 0, '{{}}',
    jsonb_build_object('encode', 0, 'retrieve', 0, 'rank', 0, 'total', %s::float), statement_timestamp(),
    {", ".join(_COPIED)}
FROM search_ranking WHERE id = %s RETURNING id
"""


def _take_over(source_id: UUID, user: User, request: SearchRequest, channel: str, begun: float) -> Ranking | None:
    """Store a known answer as this person's own; None if it was erased meanwhile."""
    with log_atomic():
        source = Query.objects.filter(rankings=source_id).first()
        if source is None:
            return None
        query = Query(
            user=user,
            text=request.text,
            translation=source.translation,
            untranslated=source.untranslated,
            translated=_translation_kept(source.translated_id),
            filters=request.filters(),
            examples=[example.as_json() for example in request.examples],
            without_history=not request.history,
            parsed=source.parsed,
            channel=channel,
            vector=_vector_kept(source.vector_id),
        )
        query.full_clean(exclude=["user", "vector", "translated"])
        query.save()
        with connection.cursor() as cursor:
            cursor.execute(_COPY, [query.pk, round(_MS * (perf_counter() - begun), 2), source_id])
            row = cursor.fetchone()
        if row is None:
            query.delete()
            return None
    return ranking_get(user, row[0])


def _vector_kept(pk: int | None) -> QueryVector | None:
    """Return the row, locked until the query points to it; None if somebody's erasure took it meanwhile."""
    rows = QueryVector.objects.select_for_update(no_key=True).defer("vector")
    return rows.filter(pk=pk).first() if pk is not None else None


def _translation_kept(pk: int | None) -> TranslatedText | None:
    """Return the row, locked as the vector's is; None if there is none (any more)."""
    return TranslatedText.objects.select_for_update(no_key=True).filter(pk=pk).first() if pk is not None else None
