"""Taking vectors over from a GeoParquet file, so that nothing is encoded again.

The file is checked as a whole before a row is written. Then each batch is one transaction, and a second run of the
same file changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.encoders.regions import CELLS
from imagery.models import Collection, Encoder, Scene
from imagery.services.accept import editor_require
from imagery.services.embeddings_file import EmbeddingsFile, Vectors, embeddings_open
from imagery.services.encoders import encoder_active
from imagery.services.fill import encoders_lock_shared, scenes_fill
from imagery.services.partitions import partition_create
from rsportal.accounts.models import User
from rsportal.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from uuid import UUID

Progress = Callable[[int, int], None]
_BATCH: Final = 4096
_MADE: Final = """
CREATE TEMPORARY TABLE embeddings_in (
    scene_id uuid NOT NULL, level int2 NOT NULL, x int4 NOT NULL, y int4 NOT NULL, width int4 NOT NULL,
    height int4 NOT NULL, vector halfvec NOT NULL, regions bytea
) ON COMMIT DROP
"""
_TILES: Final = """
INSERT INTO imagery_tile (scene_id, level, x, y, width, height)
SELECT DISTINCT scene_id, level, x, y, width, height FROM embeddings_in WHERE scene_id = ANY(%s)
ON CONFLICT DO NOTHING
"""
# What is the same already is left alone: a write would tell everybody that the archive has changed.
_VECTORS: Final = """
INSERT INTO imagery_embedding AS kept (encoder_id, tile_id, vector, regions)
SELECT DISTINCT ON (tile.id) %s, tile.id, given.vector, given.regions
FROM embeddings_in given JOIN imagery_tile tile USING (scene_id, level, x, y, width, height)
ON CONFLICT (encoder_id, tile_id) DO UPDATE SET vector = excluded.vector, regions = excluded.regions
WHERE kept.vector <> excluded.vector OR kept.regions IS DISTINCT FROM excluded.regions
"""
_KNOWN: Final = """
SELECT count(*) FROM embeddings_in JOIN imagery_tile USING (scene_id, level, x, y, width, height)
"""
_WHOLE: Final = """
SELECT scene.id FROM imagery_scene scene
WHERE scene.id = ANY(%s) AND scene.status = %s AND EXISTS (
    SELECT FROM imagery_tile tile JOIN imagery_embedding kept ON kept.tile_id = tile.id
    WHERE tile.scene_id = scene.id AND tile.level = 0 AND kept.encoder_id = %s)
FOR UPDATE OF scene
"""


@dataclass
class ImportReport:
    """``rows`` of the file; of these ``written`` (new or changed) and ``same``; the rest found no place.

    ``unknown``: rows of scenes the collection does not hold, or that are still being ingested. ``elsewhere``: rows of
    windows that a scene is not cut into (or outside it). ``searchable``: scenes that can be searched from now on.
    """

    rows: int = 0
    written: int = 0
    same: int = 0
    unknown: int = 0
    elsewhere: int = 0
    searchable: int = 0


def embeddings_import(
    *, path: Path, collection: Collection, user: User, encoder: Encoder | None = None, progress: Progress | None = None
) -> ImportReport:
    """Give the scenes of ``collection`` the vectors of a file under ``encoder`` (the active one).

    A scene is known by the SHA-256 of its bytes, else by its STAC id. A scene without pixels becomes searchable when
    the vector of its whole comes in for the active encoder. Raises NotAllowed, and InvalidInput for a file that is
    no such file, is of another encoder, or holds vectors that are not of length 1.
    """
    editor_require(collection, user)
    encoder = encoder or encoder_active()
    report = ImportReport()
    with embeddings_open(path) as file:
        _encoder_require(file, encoder)
        for batch in file.batches(_BATCH, columns=("vector", "regions")):
            batch.vectors_require(encoder.dimension, CELLS * encoder.dimension)
        partition_create(encoder)
        for batch in file.batches(_BATCH):
            _batch_store(batch, collection, encoder, report)
            report.rows += len(batch)
            if progress:
                progress(report.rows, file.rows)
    return report


def _encoder_require(file: EmbeddingsFile, encoder: Encoder) -> None:
    """Refuse vectors of another space: nothing could tell them apart once they are in."""
    given = file.facts
    checks: tuple[tuple[str, Any], ...] = (
        ("checksum", encoder.checksum),
        ("dimension", encoder.dimension),
        ("kind", str(encoder.kind)),
    )
    for name, value in checks:
        if given.get(name) != value:
            raise InvalidInput(
                _(
                    "%(file)s holds vectors of the encoder “%(given)s” (%(name)s %(found)s); here “%(encoder)s” has "
                    "%(name)s %(value)s. Vectors of two encoders cannot be compared: import them for the encoder that "
                    "made them."
                )
                % {
                    "file": file.path.name, "given": str(given.get("encoder"))[:60], "name": name,
                    "found": str(given.get(name))[:80], "encoder": encoder.name, "value": value or "-",
                },
                code="other_encoder",
            )  # fmt: skip


def _batch_store(batch: Vectors, collection: Collection, encoder: Encoder, report: ImportReport) -> None:
    with transaction.atomic():
        states = encoders_lock_shared()
        if encoder.pk not in states:
            raise Conflict(_("The encoder %s was removed meanwhile.") % encoder.name)
        active = states[encoder.pk] == Encoder.State.ACTIVE
        scenes = _scenes_lock(batch, collection, active=active)
        rows = [(row, scene) for row in range(len(batch)) if (scene := _scene_of(batch, row, scenes)) is not None]
        report.unknown += len(batch) - len(rows)
        inside = [(row, scene) for row, scene in rows if batch.inside(row, scene.width, scene.height)]
        if inside:
            bare = {scene.pk: scene for _row, scene in inside if scene.status == Scene.Status.METADATA}
            known = _write(batch, inside, encoder, bare=list(bare), report=report)
            report.elsewhere += len(rows) - known
            if bare:
                report.searchable += _ready(list(bare.values()), batch, inside, encoder)
        else:
            report.elsewhere += len(rows)


def _scenes_lock(batch: Vectors, collection: Collection, *, active: bool) -> dict[str, Scene]:
    """Return the scenes of a batch by content hash and by STAC id; nobody deletes or changes them meanwhile.

    Scenes without pixels are among them only for the active encoder, whose vectors alone are searched.
    """
    statuses = [Scene.Status.READY, *([Scene.Status.METADATA] if active else [])]
    mine = Scene.objects.filter(collection=collection, status__in=statuses).only(
        "pk", "status", "width", "height", "content_hash", "stac_id"
    )
    known = Q(stac_id__in={name for name in batch.ids if name}) | Q(content_hash__in={h for h in batch.hashes if h})
    scenes = list(mine.filter(known).order_by("pk").select_for_update(no_key=True))
    by_name = {f"id:{scene.stac_id}": scene for scene in scenes if scene.stac_id}
    return by_name | {f"hash:{scene.content_hash}": scene for scene in scenes}


def _scene_of(batch: Vectors, row: int, scenes: dict[str, Scene]) -> Scene | None:
    return scenes.get(f"hash:{batch.hashes[row]}") or scenes.get(f"id:{batch.ids[row]}")


def _write(
    batch: Vectors, rows: list[tuple[int, Scene]], encoder: Encoder, *, bare: list[UUID], report: ImportReport
) -> int:
    """Write the vectors of ``rows``; return for how many there is a window."""
    with connection.cursor() as cursor:
        cursor.execute(_MADE)
        halves = batch.halfvecs()
        with cursor.copy("COPY embeddings_in FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["uuid", "int2", "int4", "int4", "int4", "int4", "bytea", "bytea"])
            for row, scene in rows:
                copy.write_row((scene.pk, *batch.window(row), halves[row].tobytes(), batch.regions[row]))
        if bare:
            cursor.execute(_TILES, [bare])
        cursor.execute(_KNOWN)
        known = int(cursor.fetchone()[0])
        cursor.execute(_VECTORS, [encoder.pk])
        report.written += cursor.rowcount
        report.same += known - cursor.rowcount
        cursor.execute("DROP TABLE embeddings_in")
    return known


def _ready(scenes: list[Scene], batch: Vectors, rows: list[tuple[int, Scene]], encoder: Encoder) -> int:
    """Make scenes READY that have the vector of their whole now; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_WHOLE, [[scene.pk for scene in scenes], Scene.Status.METADATA, encoder.pk])
        whole = {found[0] for found in cursor.fetchall()}
    for row, scene in rows:
        level, _x, _y, width, height = batch.window(row)
        if scene.pk in whole and level == 0 and not scene.width:
            Scene.objects.filter(pk=scene.pk).update(width=width, height=height)
    Scene.objects.filter(pk__in=whole).update(status=Scene.Status.READY, updated_at=timezone.now())
    scenes_fill(whole)
    return len(whole)
