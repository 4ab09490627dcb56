"""Where on Earth the pixels of a scene lie, as a small table that a page interpolates in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from imagery.readers import Reader

_STEPS: Final = 16
_DECIMALS: Final = 8


def scene_places(reader: Reader, *, steps: int = _STEPS) -> dict[str, Any] | None:
    """Return ``columns`` and ``rows`` (pixel edges, ``steps`` + 1 each) with ``lon`` and ``lat`` of every crossing.

    ``lon`` and ``lat`` are lists of rows in degrees WGS 84, null where the grid is not on Earth. None without a place.
    Between the crossings positions are interpolated on the sphere.
    """
    from rasterio.warp import transform as warp

    if reader.crs is None or reader.transform is None:
        return None
    columns, rows = np.linspace(0, reader.width, steps + 1), np.linspace(0, reader.height, steps + 1)
    x, y = np.meshgrid(columns, rows)
    grid = reader.transform
    there_x, there_y = grid.a * x + grid.b * y + grid.c, grid.d * x + grid.e * y + grid.f
    lons, lats = warp(reader.crs, "EPSG:4326", there_x.ravel(), there_y.ravel())
    lon, lat = np.asarray(lons).reshape(x.shape), np.asarray(lats).reshape(x.shape)
    there = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90)

    def table(plane: Any) -> list[list[float | None]]:
        return [
            [round(float(value), _DECIMALS) if known else None for value, known in zip(line, ok, strict=True)]
            for line, ok in zip(plane, there, strict=True)
        ]

    return {
        "columns": [round(float(value), 3) for value in columns],
        "rows": [round(float(value), 3) for value in rows],
        "lon": table((lon + 180) % 360 - 180),
        "lat": table(lat),
    }
