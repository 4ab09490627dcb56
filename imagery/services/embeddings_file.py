"""Reading a GeoParquet file of vectors: in batches, each value checked before anything is done with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from imagery.stac.geoparquet import KEY, NAMES, REGIONS, VECTOR, WINDOW
from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_LENGTH_TOLERANCE: Final = 0.01
"""Half precision keeps the length of a unit row of 1,024 numbers within a thousandth."""
_SIDE_MOST: Final = 2**31 - 1
_LEVEL_MOST: Final = 2**15 - 1


@dataclass(frozen=True)
class Vectors:
    """Rows of a file: ``vectors`` (n, d) float32, ``windows`` (n, 5) of level, x, y, width, height in pixels."""

    name: str
    first: int
    ids: list[str]
    hashes: list[str]
    windows: NDArray[np.int64]
    vectors: NDArray[np.float32]
    regions: list[bytes | None]

    def __len__(self) -> int:
        return len(self.vectors)

    def window(self, row: int) -> tuple[int, int, int, int, int]:
        """Return (level, x, y, width, height) of a row."""
        level, x, y, width, height = (int(value) for value in self.windows[row])
        return level, x, y, width, height

    def inside(self, row: int, width: int, height: int) -> bool:
        """Return whether a row's window is a part of a scene of this size; of an unknown size (0), any is."""
        level, x, y, w, h = self.window(row)
        if not (0 <= level <= _LEVEL_MOST and min(x, y) >= 0 and 0 < w <= _SIDE_MOST - x and 0 < h <= _SIDE_MOST - y):
            return False
        if not width or not height:
            return True
        return (x, y, w, h) == (0, 0, width, height) if level == 0 else x + w <= width and y + h <= height

    def halfvecs(self) -> NDArray[np.void]:
        """Return the vectors as PostgreSQL receives a halfvec: the dimension, 16 unused bits, big-endian halves."""
        dimension = self.vectors.shape[1]
        out = np.zeros(len(self), dtype=[("d", ">i2"), ("unused", ">i2"), ("x", ">f2", (dimension,))])
        out["d"], out["x"] = dimension, self.vectors
        return out

    def vectors_require(self, dimension: int, region_bytes: int) -> None:
        """Raise InvalidInput unless every row is a finite unit vector of ``dimension``, regions of their length."""
        if self.vectors.shape[1] != dimension:
            raise InvalidInput(
                _("%(file)s holds vectors of %(found)d numbers; the encoder's have %(dimension)d.")
                % {"file": self.name, "found": self.vectors.shape[1], "dimension": dimension},
                code="wrong_dimension",
            )
        lengths = np.linalg.norm(self.vectors, axis=1)
        wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= _LENGTH_TOLERANCE))
        if len(wrong):
            row = int(wrong[0])
            raise InvalidInput(
                _("%(file)s, row %(row)d: the vector has length %(length).4g instead of 1; nothing was imported.")
                % {"file": self.name, "row": self.first + row, "length": float(lengths[row])},
                code="not_unit",
            )
        for row, regions in enumerate(self.regions):
            if regions is not None and len(regions) != region_bytes:
                raise InvalidInput(
                    _("%(file)s, row %(row)d: regions take %(found)d bytes instead of %(wanted)d.")
                    % {"file": self.name, "row": self.first + row, "found": len(regions), "wanted": region_bytes},
                    code="wrong_regions",
                )


@dataclass(frozen=True)
class EmbeddingsFile:
    """An open file: ``facts`` of its encoder (``imagery.stac.geoparquet.encoder_facts``), how many ``rows``."""

    path: Path
    facts: dict[str, Any]
    rows: int
    file: pq.ParquetFile

    def batches(self, size: int, *, columns: Sequence[str] = (*NAMES, *WINDOW, VECTOR, REGIONS)) -> Iterator[Vectors]:
        """Yield the rows; of columns that are not asked for the values are empty. Raises InvalidInput."""
        import pyarrow as pa

        first = 0
        there = set(self.file.schema_arrow.names)
        wanted = [name for name in columns if name in there]
        try:
            for batch in self.file.iter_batches(batch_size=size, columns=wanted):
                if len(batch):
                    yield self._read(batch, first)
                first += len(batch)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(self.path, error) from error

    def _read(self, batch: pa.RecordBatch, first: int) -> Vectors:
        count = len(batch)
        names = set(batch.schema.names)

        def texts(name: str) -> list[str]:
            return [value or "" for value in batch.column(name).to_pylist()] if name in names else [""] * count

        vectors = batch.column(VECTOR)
        if vectors.null_count:
            raise InvalidInput(
                _("%(file)s, row %(row)d: there is no vector.")
                % {"file": self.path.name, "row": first + vectors.is_null().index(True).as_py()}
            )
        rows = np.asarray(vectors.flatten().to_numpy(zero_copy_only=False), dtype=np.float32).reshape(count, -1)
        windows = (
            np.stack([batch.column(name).to_numpy(zero_copy_only=False) for name in WINDOW], axis=1)
            if set(WINDOW) <= names
            else np.zeros((count, len(WINDOW)))
        )
        regions = batch.column(REGIONS).to_pylist() if REGIONS in names else [None] * count
        return Vectors(
            name=self.path.name,
            first=first,
            ids=texts("id"),
            hashes=texts("content_hash"),
            windows=np.nan_to_num(windows, nan=-1).astype(np.int64),
            vectors=rows,
            regions=regions,
        )


@contextmanager
def embeddings_open(path: Path) -> Iterator[EmbeddingsFile]:
    """Open a file of vectors. Raises InvalidInput when it is none: naming the column or metadata that lacks."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    with file:
        _columns_require(path, file.schema_arrow)
        try:
            facts = json.loads((file.metadata.metadata or {})[KEY])
        except (KeyError, ValueError) as error:
            raise InvalidInput(
                _("%(file)s does not say which encoder made its vectors (its metadata lacks “%(key)s”).")
                % {"file": path.name, "key": KEY.decode()},
                code="no_encoder",
            ) from error
        if not isinstance(facts, dict):
            facts = {}
        yield EmbeddingsFile(path=path, facts=facts, rows=file.metadata.num_rows, file=file)


def _columns_require(path: Path, schema: pa.Schema) -> None:
    import pyarrow as pa

    def wrong(name: str, kind: str) -> InvalidInput:
        return InvalidInput(
            _("%(file)s is no file of vectors: the column “%(name)s” (%(kind)s) is missing.")
            % {"file": path.name, "name": name, "kind": kind},
            code="no_column",
        )

    kinds = {field.name: field.type for field in schema}
    for name in WINDOW:
        if name not in kinds or not pa.types.is_integer(kinds[name]):
            raise wrong(name, "int")
    vector = kinds.get(VECTOR)
    if vector is None or not pa.types.is_fixed_size_list(vector) or not pa.types.is_floating(vector.value_type):
        raise wrong(VECTOR, "fixed size list of float")
    if not any(name in kinds for name in NAMES):
        raise wrong(" / ".join(NAMES), "string")
    for name, accepts, kind in (
        (REGIONS, pa.types.is_binary, "binary"),
        *((name, _is_text, "string") for name in NAMES),
    ):
        if name in kinds and not accepts(kinds[name]):
            raise wrong(name, kind)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))


def _unreadable(path: Path, error: Exception) -> InvalidInput:
    return InvalidInput(
        _("%(file)s cannot be read as Parquet: %(reason)s") % {"file": path.name, "reason": str(error)[:200]},
        code="unreadable",
    )
