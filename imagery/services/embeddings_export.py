"""Writing the vectors of a collection's windows as GeoParquet, row group by row group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import psycopg
from django.db import connection
from django.utils.translation import gettext as _

from imagery.models import Collection, Encoder, Scene
from imagery.scene_outlines import window_outlines
from imagery.selectors_stac import scenes_taken_out
from imagery.services.encoders import encoder_active
from imagery.stac.assets_out import MULTIHASH_SHA256
from imagery.stac.geoparquet import GEO_KEY, MEDIA_TYPE, WINDOW, embeddings_schema, encoder_facts, geo_metadata
from imagery.stac.item_out import item_id
from imagery.storage import file_sha256
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
_SCENES: Final = 200
"""So many scenes are asked for at once."""
_ROWS: Final = 4096
"""Rows of a row group: 16 MB of vectors of 1,024 numbers."""
_HALFVEC_HEAD_BYTES: Final = 4  # pgvector, halfvec_send: int16 dimension, int16 unused, then big-endian halves.
_EDGES: Final = ("xmin", "ymin", "xmax", "ymax")
_SELECT: Final = """
SELECT tile.scene_id, tile.level, tile.x, tile.y, tile.width, tile.height, halfvec_send(found.vector), found.regions
FROM imagery_tile tile JOIN imagery_embedding found ON found.tile_id = tile.id
WHERE tile.scene_id = ANY(%s) AND found.encoder_id = %s
ORDER BY tile.scene_id, tile.level, tile.y, tile.x
"""


@dataclass
class EmbeddingsFile:
    """What was written. ``bbox`` of all rows: (west, south, east, north) in degrees WGS 84."""

    path: Path
    encoder: Encoder
    rows: int = 0
    kinds: set[str] = field(default_factory=set)
    bbox: tuple[float, float, float, float] | None = None

    def note(self, rows: Sequence[_Row], boxes: Sequence[tuple[float, float, float, float] | None]) -> None:
        """Count rows and widen what they cover."""
        self.rows += len(rows)
        self.kinds |= {row.outline["type"] for row in rows if row.outline is not None}
        for box in (each for each in boxes if each is not None):
            west, east = (-180.0, 180.0) if box[0] > box[2] else (box[0], box[2])
            known = self.bbox or box
            self.bbox = (min(known[0], west), min(known[1], box[1]), max(known[2], east), max(known[3], box[3]))

    def as_asset(self) -> dict[str, Any]:
        """Return the file as a STAC Asset without an address."""
        return {
            "title": f"Vectors of {self.encoder.name} as GeoParquet",
            "type": MEDIA_TYPE,
            "roles": ["embeddings"],
            "file:size": self.path.stat().st_size,
            "file:checksum": MULTIHASH_SHA256 + file_sha256(self.path),
            "rsportal:embeddings": encoder_facts(self.encoder) | {"rows": self.rows},
        }


def embeddings_export(
    *, user: User, collection: Collection, out: Path, encoder: Encoder | None = None
) -> EmbeddingsFile:
    """Write the vectors under ``encoder`` (the active one) of the scenes that ``user`` may take away into ``out``.

    Raises InvalidInput when the file exists, and OSError.
    """
    import pyarrow.parquet as pq

    if out.exists():
        raise InvalidInput(_("%s exists already; name a new file.") % out, field="out")
    encoder = encoder or encoder_active()
    written = EmbeddingsFile(path=out, encoder=encoder)
    schema = embeddings_schema(encoder)
    part = out.with_name(f".{out.name}.part")
    try:
        with pq.ParquetWriter(part, schema, compression="zstd", write_statistics=True) as writer:
            for table in _tables(user, collection, encoder, schema, written):
                writer.write_table(table, row_group_size=_ROWS)
            geo = geo_metadata(kinds=written.kinds, bbox=written.bbox)
            writer.add_key_value_metadata({GEO_KEY.decode(): geo.decode()})
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return written


def _tables(
    user: User, collection: Collection, encoder: Encoder, schema: pa.Schema, written: EmbeddingsFile
) -> Iterator[pa.Table]:
    """Yield the rows in tables of about :data:`_ROWS`; those of a scene stand together."""
    import pyarrow as pa

    pending: list[pa.Table] = []
    waiting = 0
    scenes = scenes_taken_out(user, collection).order_by("pk").defer("placeholder", "bands", "stac")
    for some in _chunks(scenes.iterator(chunk_size=_SCENES), _SCENES):
        for part in _chunks(_rows(some, encoder), _ROWS):
            pending.append(_table(part, collection, encoder, schema, written))
            waiting += len(part)
            if waiting >= _ROWS:
                yield pa.concat_tables(pending).combine_chunks()
                pending, waiting = [], 0
    if pending:
        yield pa.concat_tables(pending).combine_chunks()


@dataclass(frozen=True)
class _Row:
    scene: Scene
    window: tuple[int, int, int, int, int]
    """(level, x, y, width, height)"""
    vector: bytes
    """As pgvector sends a halfvec."""
    regions: bytes | None
    outline: dict[str, Any] | None


def _chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _rows(scenes: Sequence[Scene], encoder: Encoder) -> Iterator[_Row]:
    """Yield the windows of scenes that have a vector, scene by scene, coarsest first."""
    known = {scene.pk: scene for scene in scenes}
    cursor = psycopg.Cursor(connection.connection)  # Django's own cursors can only be answered in text.
    cursor.format = psycopg.pq.Format.BINARY
    with connection.make_cursor(cursor) as wrapped:  # type: ignore[arg-type]  # Its stubs know Django's own only.
        wrapped.execute(_SELECT, [list(known), encoder.pk])
        found = wrapped.fetchall()
    for scene_id, of_scene in groupby(found, key=itemgetter(0)):
        scene, rows = known[scene_id], list(of_scene)
        outlines = window_outlines(scene, [row[2:6] for row in rows])
        for row, outline in zip(rows, outlines, strict=True):
            yield _Row(scene, row[1:6], row[6], row[7], outline)


def _table(
    rows: Sequence[_Row], collection: Collection, encoder: Encoder, schema: pa.Schema, written: EmbeddingsFile
) -> pa.Table:
    import pyarrow as pa
    import shapely

    count = len(rows)
    halves = np.frombuffer(b"".join(row.vector for row in rows), dtype=np.uint8).reshape(count, -1)
    vectors = halves[:, _HALFVEC_HEAD_BYTES:].copy().view(">f2").astype(np.float32)
    shapes = [None if row.outline is None else shapely.geometry.shape(row.outline) for row in rows]
    boxes = [None if row.outline is None else _box(row.outline) for row in rows]
    facts = encoder_facts(encoder)
    same = {
        "collection": collection.slug, "encoder": encoder.name, "encoder_revision": facts["revision"],
        "encoder_checksum": encoder.checksum, "dimension": encoder.dimension, "dtype": facts["dtype"],
    }  # fmt: skip
    columns: dict[str, Any] = {
        "id": [item_id(row.scene) for row in rows],
        "scene": [str(row.scene.pk) for row in rows],
        "content_hash": [row.scene.content_hash for row in rows],
        **{name: [row.window[place] for row in rows] for place, name in enumerate(WINDOW)},
        "regions": [row.regions for row in rows],
        "geometry": [None if shape is None else shapely.to_wkb(shape, byte_order=1) for shape in shapes],
        "bbox": [None if box is None else dict(zip(_EDGES, box, strict=True)) for box in boxes],
        **{name: [value] * count for name, value in same.items()},
    }
    arrays = {"vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=schema.field("vector").type)}
    written.note(rows, boxes)
    return pa.table(
        [arrays.get(name) or pa.array(columns[name], type=schema.field(name).type) for name in schema.names],
        schema=schema,
    )


def _box(geometry: dict[str, Any]) -> tuple[float, float, float, float]:
    """Return (west, south, east, north); west > east where the two parts meet at the antimeridian."""
    parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    spans = [(min(p[0] for p in part[0]), max(p[0] for p in part[0])) for part in parts]
    latitudes = [point[1] for part in parts for point in part[0]]
    west, east = min(span[0] for span in spans), max(span[1] for span in spans)
    if len(spans) > 1 and west == -180 and east == 180:
        west = min(span[0] for span in spans if span[0] != -180)
        east = max(span[1] for span in spans if span[1] != 180)
    return west, min(latitudes), east, max(latitudes)
