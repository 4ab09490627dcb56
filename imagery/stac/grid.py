"""The pixel grid of a scene as STAC properties, kept when it is read so that no export has to open its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from imagery.stac.names import GRID_BBOX, TRANSFORM

if TYPE_CHECKING:
    from imagery.readers import Reader

WKT: Final = "proj:wkt2"
DATA_TYPE: Final = "data_type"
GRID_PROPERTIES: Final = (TRANSFORM, GRID_BBOX, WKT, DATA_TYPE)
_DATA_TYPES: Final = frozenset(
    {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"}
)


def grid_properties(reader: Reader) -> dict[str, Any]:
    """Return :data:`GRID_PROPERTIES` as far as they are known; the grid is the one windows are counted in.

    ``proj:transform`` has six numbers, row by row, from pixel corners (x right, y down) to the reference system, which
    is spelt out (WKT2) where it has no code. Nothing is said of a grid whose outline cannot be told.
    """
    out: dict[str, Any] = {DATA_TYPE: reader.dtype if reader.dtype in _DATA_TYPES else "other"}
    if reader.crs is None or reader.transform is None or reader.footprint is None:
        return out
    out[TRANSFORM] = [float(value) for value in reader.transform[:6]]
    if bounds := reader.bounds_of(reader.whole):
        out[GRID_BBOX] = [float(value) for value in bounds]
    if not reader.proj_code:
        out[WKT] = reader.crs.to_wkt(version="WKT2_2019")
    return out
