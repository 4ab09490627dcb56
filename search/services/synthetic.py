"""Synthetic archives for load tests, with queries that are answered without a model."""

from __future__ import annotations

import hashlib
from typing import Final

from imagery.models import Encoder
from imagery.services.synthetic import (
    Progress,
    Seeded,
    synthetic_catalogue_remove,
    synthetic_catalogue_seed,
    synthetic_encoders,
    synthetic_scenes,
)
from imagery.synthetic.vectors import VectorSource
from search.encode_query import query_recipe
from search.models import Impression, Query, QueryVector

QUERIES: Final = 4_000
_AT_ONCE: Final = 500


def synthetic_seed(
    *,
    scenes: int,
    dimension: int | None = None,
    seed: int = 0,
    windows: int = 0,
    force: bool = False,
    progress: Progress,
) -> Seeded:
    """Make a synthetic archive (``imagery.services.synthetic``) and store 4,000 queries with their vectors.

    The texts are ``query_text(n)``, n from 0; any other text is refused, since there is no model. Beside real scenes
    no query is stored: the active encoder can encode any text. Raises InvalidInput and Conflict.
    """
    seeded = synthetic_catalogue_seed(
        scenes=scenes, dimension=dimension, seed=seed, windows=windows, force=force, progress=progress
    )
    if seeded.own_encoder:
        _queries_store(seeded.encoder, seeded.source)
    return seeded


def synthetic_remove(*, progress: Progress) -> int:
    """Take away the synthetic archive and every search that showed one of its scenes; return the number of scenes."""
    own = Query.objects.filter(rankings__encoder__in=synthetic_encoders()).values("pk")
    Query.objects.filter(pk__in=own).delete()
    shown = Impression.objects.filter(scene__in=synthetic_scenes()).values("ranking__query")
    Query.objects.filter(pk__in=shown).delete()
    return synthetic_catalogue_remove(progress=progress)


def query_text(number: int) -> str:
    """Return the text of the synthetic query ``number``: one word that no rule takes apart."""
    return f"synthetic{number}"


def _queries_store(encoder: Encoder, source: VectorSource) -> None:
    vectors, _classes = source.queries(QUERIES)
    recipe = query_recipe(encoder)
    rows = [
        QueryVector(
            encoder=encoder,
            recipe=recipe,
            text=query_text(number),
            text_sha256=hashlib.sha256(query_text(number).encode()).hexdigest(),
            vector=vector,
        )
        for number, vector in enumerate(vectors)
    ]
    QueryVector.objects.bulk_create(rows, batch_size=_AT_ONCE)
