"""Running a search and keeping its answer; an answer that is still right is used again."""

from time import perf_counter
from typing import Any, Final
from uuid import UUID

from django.db.models import F

from imagery.models import Encoder
from imagery.services.encoders import encoder_active
from rsportal.accounts.models import User
from search.answer_key import answer_key, request_state
from search.engine import MOST_CANDIDATES, request_answer
from search.example_vectors import examples_state
from search.exploration.experiment import Experiment, experiment_of
from search.exploration.shown import Shown, answer_swapped, answers_interleaved, trial_ranker
from search.exploration.swaps import head_order
from search.feedback.state import feedback_state
from search.models import Query, QueryVector, Ranking, TranslatedText
from search.query import SearchRequest
from search.selectors import ranking_cached, ranking_get
from search.services.entries import entry_going_on
from search.services.log_writes import array_literal, log_atomic
from search.services.ranking_copies import ranking_copy

_MS: Final = 1_000.0
_OURS: Final = ("user", "vector", "translated", "asked", "asked_under")
"""What no person wrote needs no validation: looking rows up again and copying a vector takes longer than storing it."""


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
    feedback = feedback_state(user, request)
    experiment, rival = trial_ranker(encoder, experiment_of(user=user, request=request, channel=channel))
    examples = examples_state(user=user, examples=request.examples)
    personal = " ".join(part for part in (str(feedback), experiment.key, examples) if part)
    key = answer_key(request=request, state=state, encoder=encoder, limit=limit, personal=personal)
    known = ranking_cached(user, key, channel)
    if known is not None and known.own:
        return ranking_get(user, known.pk)
    if known is not None and rival is None:  # In a trial everybody's answer is drafted anew.
        taken = _take_over(known.pk, experiment=experiment, user=user, request=request, channel=channel, begun=begun)
        if taken is not None:
            return taken
    answer = request_answer(encoder=encoder, request=request, user=user, limit=limit, feedback=feedback)
    if not answer.searched and Encoder.objects.filter(pk=encoder.pk, state=Encoder.State.RETIRED).exists():
        # It was replaced and its vectors dropped since we read which one is active: ask the one that is now.
        return search_run(user=user, request=request, channel=channel, limit=limit)
    if rival is None:
        shown = answer_swapped(answer, experiment)
    else:
        other = request_answer(
            encoder=encoder, request=request, user=user, limit=limit, feedback=feedback, ranker=rival
        )
        shown = answers_interleaved(answer, other, experiment, limit=limit)
    answer = shown.answer
    return _store(shown, user=user, request=request, channel=channel, key=key if answer.final else "")


def _store(shown: Shown, *, user: User, request: SearchRequest, channel: str, key: str) -> Ranking:
    answer, ranked = shown.answer, shown.answer.ranked
    with log_atomic():
        # Whoever judges hits asks again and again: that is one entry of their history.
        query = entry_going_on(user=user, request=request, channel=channel, answer=answer) if answer.learnt else None
        if query is None:
            query = _entry(
                user=user,
                request=request,
                channel=channel,
                translation=answer.words.translation,
                untranslated=list(answer.words.untranslated),
                translated_id=answer.words.row.pk if answer.words.row else None,
                parsed=answer.parsed,
                vector_id=answer.vector.pk if answer.vector else None,
                asked=answer.asked.tolist(),
                asked_under_id=answer.encoder.pk,
            )
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
            swapped_ranks=shown.swapped_ranks,
            swap_share=shown.swap_share,
            trial_id=shown.trial_id,
            teams=shown.teams,
            searched=answer.searched,
            estimated=answer.estimated,
            route=answer.route,
            cache_key=key,
            took_ms=answer.took_ms,
        )
        for name, values in arrays.items():
            setattr(ranking, name, values)
        return ranking


def _entry(
    *,
    user: User,
    request: SearchRequest,
    channel: str,
    translated_id: int | None,
    vector_id: int | None,
    **answered: Any,
) -> Query:
    """Store the question; ``answered`` are the fields of Query that its answer decides."""
    query = Query(
        user=user,
        text=request.text,
        filters=request.filters(),
        examples=[example.as_json() for example in request.examples],
        without_history=not request.history,
        channel=channel,
        translated=_translation_kept(translated_id),
        vector=_vector_kept(vector_id),
        **answered,
    )
    query.full_clean(exclude=_OURS)
    query.save()
    return query


def _take_over(
    source_id: UUID, *, experiment: Experiment, user: User, request: SearchRequest, channel: str, begun: float
) -> Ranking | None:
    """Store a known answer as this person's own, with swaps of their own; None if it was erased meanwhile."""
    with log_atomic():
        source = (
            Query.objects.filter(rankings=source_id)
            .annotate(swapped_ranks=F("rankings__swapped_ranks"), hits=F("rankings__scores__len"))
            .first()
        )
        if source is None:
            return None
        query = _entry(
            user=user,
            request=request,
            channel=channel,
            translation=source.translation,
            untranslated=source.untranslated,
            translated_id=source.translated_id,
            parsed=source.parsed,
            vector_id=source.vector_id,
            asked=source.asked,
            asked_under_id=source.asked_under_id,
        )
        swaps = experiment.swaps(source.hits or 0)
        pk = ranking_copy(
            source_id=source_id,
            query_id=query.pk,
            head=head_order(hits=source.hits or 0, was=source.swapped_ranks, wanted=swaps),
            swapped_ranks=swaps,
            swap_share=experiment.share,
            total_ms=round(_MS * (perf_counter() - begun), 2),
        )
        if pk is None:
            query.delete()
            return None
    return ranking_get(user, pk)


def _vector_kept(pk: int | None) -> QueryVector | None:
    """Return the row, locked until the query points to it; None if somebody's erasure took it meanwhile."""
    rows = QueryVector.objects.select_for_update(no_key=True).defer("vector")
    return rows.filter(pk=pk).first() if pk is not None else None


def _translation_kept(pk: int | None) -> TranslatedText | None:
    """Return the row, locked as the vector's is; None if there is none (any more)."""
    return TranslatedText.objects.select_for_update(no_key=True).filter(pk=pk).first() if pk is not None else None
