"""Running a search and keeping its answer."""

from time import perf_counter
from typing import Final

from django.db import transaction

from imagery.models import Encoder
from imagery.services.encoders import encoder_active
from rsportal.accounts.models import User
from search.candidates import MAX_CANDIDATE_SCENES, candidates_find
from search.encode_query import query_encode
from search.models import Query, QueryVector, Ranking, TranslatedText
from search.query import SearchRequest
from search.ranking import RANKER_VERSION, scenes_rank
from search.translation import search_words

_MS: Final = 1_000.0


def search_run(
    *, user: User, request: SearchRequest, channel: str = Query.Channel.WEB, limit: int = MAX_CANDIDATE_SCENES
) -> Ranking:
    """Answer a request with the ``limit`` best scenes that the person may see; store the query and its ranking.

    ``took_ms`` of the ranking has encode, retrieve, rank and total in milliseconds. Raises Unavailable when no
    encoder can answer and InvalidInput for a language that the encoder does not read.
    """
    begun = perf_counter()
    encoder = encoder_active()
    words = search_words(text=request.text, translation=request.translation, encoder=encoder)
    encoded = query_encode(text=words.text, encoder=encoder)
    encoded_at = perf_counter()
    found = candidates_find(vector=encoded.vector, encoder=encoder, request=request, user=user, k=limit)
    if not found.searched and Encoder.objects.filter(pk=encoder.pk, state=Encoder.State.RETIRED).exists():
        # It was replaced and its vectors dropped since we read which one is active: ask the one that is now.
        return search_run(user=user, request=request, channel=channel, limit=limit)
    retrieved_at = perf_counter()
    ranked = scenes_rank(
        tile_ids=found.tile_ids,
        scene_ids=found.scene_ids,
        whole=found.whole,
        similarities=1.0 - found.distances,
        limit=limit,
    )
    ranked_at = perf_counter()
    took_ms = {
        "encode": _ms(encoded_at - begun),
        "retrieve": _ms(retrieved_at - encoded_at),
        "rank": _ms(ranked_at - retrieved_at),
        "total": _ms(ranked_at - begun),
    }
    with transaction.atomic():
        query = Query(
            user=user,
            text=request.text,
            translation=words.translation,
            untranslated=list(words.untranslated),
            translated=_translation_kept(words.row),
            filters=request.filters(),
            channel=channel,
            vector=_vector_kept(encoded.row),
        )
        query.full_clean(exclude=["user", "vector", "translated"])
        query.save()
        return Ranking.objects.create(
            query=query,
            encoder=encoder,
            ranker=RANKER_VERSION,
            scene_ids=ranked.scene_ids.tolist(),
            tile_ids=ranked.tile_ids.tolist(),
            scores=ranked.scores.tolist(),
            searched=found.searched,
            took_ms=took_ms,
        )


def _vector_kept(row: QueryVector) -> QueryVector | None:
    """Return the row, locked until the query points to it; None if somebody's erasure took it meanwhile."""
    return QueryVector.objects.select_for_update(no_key=True).defer("vector").filter(pk=row.pk).first()


def _translation_kept(row: TranslatedText | None) -> TranslatedText | None:
    """Return the row, locked as the vector's is; None if there is none (any more)."""
    return TranslatedText.objects.select_for_update(no_key=True).filter(pk=row.pk).first() if row else None


def _ms(seconds: float) -> float:
    return round(seconds * _MS, 2)
