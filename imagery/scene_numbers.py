"""What the samples of a scene are: bands, types, and statistics of a reading that is small whatever its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imagery.readers import Reader, fit_within

if TYPE_CHECKING:
    from imagery.scene_tiles import SceneTiles

STATISTICS_SIDE_PIXELS: Final = 1024
"""Longest side of the reading that statistics are measured on."""
_BINS: Final = 10
_PERCENTILES: Final = (2, 98)


def scene_info(tiles: SceneTiles, reader: Reader) -> dict[str, Any]:
    """Return size, bands and type of an open scene, and its bounds (degrees) and zooms where it has a place."""
    scene = tiles.scene
    zooms = tiles.zooms if scene.bbox else None
    return {
        "width": reader.width,
        "height": reader.height,
        "count": reader.band_count,
        "dtype": reader.dtype,
        "band_descriptions": [[band.name, band.description] for band in reader.bands],
        "crs": reader.proj_code or None,
        "bounds": list(scene.bbox) if scene.bbox else None,
        "minzoom": zooms.least if zooms else None,
        "maxzoom": zooms.most if zooms else None,
        "levels": tiles.levels,
    }


def scene_statistics(reader: Reader, *, longest: int = STATISTICS_SIDE_PIXELS) -> dict[str, dict[str, Any]]:
    """Return statistics of every band by its name, of its samples with data in a reading of ``longest`` pixels.

    Bands are read one after the other, so memory is that of one. ``histogram`` is [counts, edges]; numbers are null for
    a band without data. Raises UnreadableImage.
    """
    size = fit_within((reader.width, reader.height), longest)
    found: dict[str, dict[str, Any]] = {}
    for position, band in enumerate(reader.bands):
        data = reader.read(None, size, (position, position, position))
        samples = data.array[0][data.mask].astype(np.float64)
        found[band.name] = _of_band(samples, total=int(data.mask.size))
    return found


def _of_band(samples: np.ndarray[Any, np.dtype[np.float64]], *, total: int) -> dict[str, Any]:
    facts: dict[str, Any] = {"count": int(samples.size), "valid_percent": round(100 * samples.size / max(total, 1), 3)}
    if not samples.size:
        return (
            facts
            | dict.fromkeys(("min", "max", "mean", "std", "median", "percentile_2", "percentile_98"))
            | {"histogram": [[], []]}
        )
    low, high = (float(value) for value in np.percentile(samples, _PERCENTILES))
    counts, edges = np.histogram(samples, bins=_BINS)
    return facts | {
        "min": float(samples.min()),
        "max": float(samples.max()),
        "mean": float(samples.mean()),
        "std": float(samples.std()),
        "median": float(np.median(samples)),
        "percentile_2": low,
        "percentile_98": high,
        "histogram": [counts.tolist(), edges.tolist()],
    }
