"""Synthetic archives for load tests: loading one in bulk, finding it again, taking it away.

Messages are in English only: nobody but the command shows them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import numpy as np
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from imagery.models import Collection, Encoder, Scene, Tile
from imagery.querysets import SceneQuerySet
from imagery.services.encoders import encoder_active
from imagery.services.fill import encoders_lock
from imagery.services.partitions import partition_building, partition_drop, partition_name
from imagery.services.synthetic_copy import embeddings_copy, scenes_copy, tile_ids_reserve, tiles_copy
from imagery.synthetic.scenes import COLLECTIONS, MARK, OWNERS, scene_rows
from imagery.synthetic.vectors import BLOCK, VectorSource
from rsportal.accounts.models import User
from rsportal.errors import Conflict, InvalidInput

ENCODER_PREFIX: Final = "synthetic-"
NO_MODEL: Final = "./synthetic-vectors-have-no-model"
"""The source of the synthetic encoder: there is nothing behind it that could encode, and whoever tries is told so."""
USER_PREFIX: Final = "synthetic-"
_MADE_WITH: Final = "synthetic"
_ROWS_AT_ONCE: Final = 5_000
_MOST_SCENES: Final = 50_000_000

Progress = Callable[[str, int, int], None]
"""Called with what goes on, how many are done, and of how many."""


@dataclass(frozen=True)
class Seeded:
    """What was made: the ``encoder`` that has the vectors, whether it was made too, and the seconds it took."""

    encoder: Encoder
    own_encoder: bool
    source: VectorSource
    scenes: int
    vectors: int
    seconds: float
    copy_seconds: float
    """Of these, what binary COPY of the vectors took."""


def synthetic_catalogue_seed(
    *,
    scenes: int,
    dimension: int | None = None,
    seed: int = 0,
    windows: int = 0,
    force: bool = False,
    progress: Progress,
) -> Seeded:
    """Make collections, owners, scenes, tiles and their vectors in one transaction; no index is built.

    In a portal without scenes the vectors (of 1,024 numbers unless told otherwise) belong to an encoder of their own,
    which becomes the active one and cannot encode anything. Beside real scenes (``force``) they belong to the active
    encoder, so that both are searched. Raises InvalidInput and Conflict.
    """
    if not 1 <= scenes <= _MOST_SCENES:
        raise InvalidInput(f"--scenes must be 1 to {_MOST_SCENES:,}.", field="scenes")
    if not 0 <= windows <= 64:
        raise InvalidInput("--windows must be 0 to 64.", field="windows")
    begun = perf_counter()
    with transaction.atomic():
        if synthetic_scenes().exists() or synthetic_encoders().exists():
            raise Conflict('There is a synthetic archive already. Take it away first: "seed_synthetic --remove".')
        beside = Scene.objects.exists()
        if beside and not force:
            raise Conflict(
                "This portal has scenes of its own. A synthetic archive belongs into a portal made for load tests; "
                "--force puts it beside them all the same."
            )
        encoder = _encoder_of_portal(dimension) if beside else None
        source = VectorSource(
            scenes=scenes, dimension=encoder.dimension if encoder else _dimension(dimension), seed=seed, windows=windows
        )
        encoder = encoder or _encoder_make(source)
        collection_ids = _collections_make()
        copying = _load(source, encoder, collection_ids, progress)
    for table in (Collection, Scene, Tile):
        _tidy(table._meta.db_table)
    # Statistics of vectors serve no plan and are dear to take.
    _tidy(f"{partition_name(encoder.pk)} (encoder_id, tile_id)")
    return Seeded(
        encoder=encoder,
        own_encoder=not beside,
        source=source,
        scenes=scenes,
        vectors=scenes * (1 + windows),
        seconds=perf_counter() - begun,
        copy_seconds=copying,
    )


def synthetic_scenes() -> SceneQuerySet:
    """Return the synthetic scenes: those that carry the mark, wherever they have been moved since."""
    rows: SceneQuerySet = Scene.objects.filter(content_hash__startswith="synthetic:", properties__has_key=MARK)
    return rows


def synthetic_encoders() -> QuerySet[Encoder]:
    """Return the encoders that were made for synthetic archives."""
    return Encoder.objects.filter(name__startswith=ENCODER_PREFIX, source=NO_MODEL)


def synthetic_source(encoder: Encoder) -> VectorSource:
    """Return what made the vectors of a synthetic encoder (and can make them, and queries, again)."""
    return VectorSource(dimension=encoder.dimension, **encoder.means_of[_MADE_WITH])


def synthetic_catalogue_remove(*, progress: Progress) -> int:
    """Take away every synthetic scene and its vectors, and what was made for them as far as nothing else hangs on it.

    The encoder that was active before is active again. Returns the number of scenes. What was recorded about searches
    in them must be gone (``search.services.synthetic``). Can be repeated after an interruption.
    """
    own = list(synthetic_encoders())
    with transaction.atomic():
        rows = encoders_lock()
        for encoder in own:
            before = rows.get(encoder.previous_id) if encoder.previous_id else None
            active = rows[encoder.pk].state == Encoder.State.ACTIVE
            Encoder.objects.filter(pk=encoder.pk).update(state=Encoder.State.RETIRED)
            if active and before is not None and before.state == Encoder.State.READY:
                Encoder.objects.filter(pk=before.pk).update(state=Encoder.State.ACTIVE)
    for encoder in own:
        partition_drop(encoder.pk)
    total, done = synthetic_scenes().count(), 0
    while ids := list(synthetic_scenes().order_by().values_list("pk", flat=True)[:_ROWS_AT_ONCE]):
        Scene.objects.filter(pk__in=ids).delete()
        done += len(ids)
        progress("removing scenes", done, total)
    Encoder.objects.filter(pk__in=[encoder.pk for encoder in own]).delete()
    made = Collection.objects.filter(slug__in=[plan.slug for plan in COLLECTIONS], owner__in=_own_users())
    made.filter(scenes__isnull=True).delete()
    _own_users().filter(owned_collections__isnull=True).delete()
    return done


def _load(source: VectorSource, encoder: Encoder, collection_ids: list[int], progress: Progress) -> float:
    each = 1 + source.window_count
    first_id = tile_ids_reserve(source.scenes * each)
    with connection.cursor() as cursor:
        # Else a million checks wait in memory for the end of the transaction.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    copying = 0.0
    with partition_building(encoder) as table:
        for first in range(0, source.scenes, BLOCK):
            block = source.block(first // BLOCK)
            rows = scene_rows(classes=block.classes, first=first, seed=source.seed)
            scenes_copy(rows=rows, collection_ids=collection_ids, seed=source.seed, first=first)
            ids = tiles_copy(scenes=rows, windows=source.window_count, first_id=first_id + first * each)
            vectors = np.concatenate([block.whole[:, None], block.windows], axis=1)
            begun = perf_counter()
            embeddings_copy(
                table=table, encoder_id=encoder.pk, tile_ids=ids.ravel(), vectors=vectors.reshape(-1, source.dimension)
            )
            copying += perf_counter() - begun
            progress("loading scenes", first + len(rows), source.scenes)
    return copying


def _encoder_of_portal(dimension: int | None) -> Encoder:
    encoder = encoder_active()
    if dimension is not None and dimension != encoder.dimension:
        raise InvalidInput(
            f"The vectors go to the active encoder {encoder.name}, which has {encoder.dimension} numbers; leave out "
            "--dimension.",
            field="dimension",
        )
    return encoder


def _dimension(asked: int | None) -> int:
    dimension = 1_024 if asked is None else asked
    if not 32 <= dimension <= 4_000:
        raise InvalidInput("--dimension must be 32 to 4000.", field="dimension")
    return dimension


def _encoder_make(source: VectorSource) -> Encoder:
    before = next((row for row in encoders_lock().values() if row.state == Encoder.State.ACTIVE), None)
    if before is not None:
        before.state = Encoder.State.READY
        before.save(update_fields=["state"])
    encoder = Encoder(
        name=f"{ENCODER_PREFIX}{source.dimension}",
        kind=Encoder.Kind.TRANSFORMERS,
        source=NO_MODEL,
        dimension=source.dimension,
        image_size=256,
        languages=["en"],
        text_mean=[round(float(number), 7) for number in source.text_mean],
        image_mean=[round(float(number), 7) for number in source.image_mean],
        means_at=timezone.now(),
        means_of={
            "reason": "Synthetic: what the vectors were made with.",
            "archive": source.scenes,
            _MADE_WITH: {"scenes": source.scenes, "seed": source.seed, "windows": source.window_count},
        },
        state=Encoder.State.ACTIVE,
        activated_at=timezone.now(),
        previous=before,
    )
    encoder.full_clean()
    encoder.save()
    return encoder


def _collections_make() -> list[int]:
    owners = []
    for number in range(OWNERS):
        user = User(username=f"{USER_PREFIX}owner-{number + 1}", is_active=False)
        user.set_unusable_password()
        user.full_clean()
        user.save()
        owners.append(user)
    made = []
    for plan in COLLECTIONS:
        collection = Collection(
            slug=plan.slug,
            title=plan.title,
            description='Made up for load tests: no pictures. "manage.py seed_synthetic --remove" takes it away.',
            license=plan.license,
            visibility=plan.visibility,
            owner=owners[plan.owner],
        )
        collection.full_clean()
        collection.save()
        made.append(collection)
    return [collection.pk for collection in made]


def _own_users() -> QuerySet[User]:
    return User.objects.filter(username__startswith=USER_PREFIX, password__startswith="!")


def _tidy(table: str) -> None:
    """Take statistics and, outside a transaction, mark the pages as seen by all, so that indexes alone can answer."""
    with connection.cursor() as cursor:
        cursor.execute(f"{'ANALYZE' if connection.in_atomic_block else 'VACUUM (ANALYZE)'} {table}")
