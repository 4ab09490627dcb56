"""Where one thing is, seen from another, on the tiles of a scene: the best pair of tiles that stand so.

Pure functions on arrays. A tile is as likely to show a thing as its standardised score says; a pair of tiles is worth
the lower of its two scores, and only pairs whose places fit count. Rows grow downwards and scenes are taken as they are
stored: above is towards the first row (north in a scene that is north up).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

MOST_TILES: Final = 24
"""Tiles of a scene that are tried for each thing, best first."""
_COSINE: Final = 0.5
"""A direction counts up to 60 degrees to either side of the axis."""
_NEAR: Final = 0.35
"""Near: up to about a third of the scene's diagonal."""
_TOUCHING: Final = 1.5
"""Next to: centres at most this many mean tile sizes apart."""
_QUADRANTS: Final = 4
_DIRECTIONS: Final = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "above": (0.0, -1.0), "below": (0.0, 1.0)}


@dataclass(frozen=True)
class Places:
    """The tiles of one scene: ``centres`` (t, 2) and ``sizes`` (t,) in units of the scene's diagonal."""

    centres: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @classmethod
    def of(cls, windows: NDArray[np.integer]) -> "Places":
        """Return the places of tiles ``windows`` (t, 4 or 5): [level,] x, y, width, height in pixels."""
        boxes = np.asarray(windows[:, -4:], dtype=np.float64)
        corner = (boxes[:, :2] + boxes[:, 2:]).max(axis=0) - boxes[:, :2].min(axis=0)
        diagonal = max(float(np.hypot(*corner)), 1.0)
        return cls(centres=(boxes[:, :2] + boxes[:, 2:] / 2) / diagonal, sizes=boxes[:, 2:].mean(axis=1) / diagonal)


@dataclass(frozen=True)
class Found:
    """What a relation is worth in a scene, and the tiles (rows of the scene) that show it: subject, then objects."""

    score: float
    tiles: tuple[int, ...]


def relation_find(*, kind: str, places: Places, subject: Scores, objects: tuple[Scores, ...]) -> Found | None:
    """Return the best tiles for "subject is ``kind`` of objects", or None if no tiles stand so.

    ``subject`` and each of ``objects`` are standardised scores (t,) of the scene's tiles. Raises ValueError for a kind
    that is not known.
    """
    if kind == "surrounded":
        return _surrounded(places, subject, objects)
    if kind == "between":
        return _between(places, subject, objects[0], objects[-1], same=len(objects) == 1)
    first, second = _best(subject), _best(objects[0])
    fits = _fits(kind, places, first, second)
    worth = np.where(fits, np.minimum(subject[first][:, np.newaxis], objects[0][second]), -np.inf)
    return _peak(worth, first, second)


def _fits(kind: str, places: Places, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.bool_]:
    """(a, b) whether the tile of the first thing stands so towards that of the second."""
    offsets = places.centres[first][:, np.newaxis] - places.centres[second]
    distances = np.hypot(offsets[..., 0], offsets[..., 1])
    apart = distances > 0
    if kind in _DIRECTIONS:
        along = offsets @ np.array(_DIRECTIONS[kind])
        return np.asarray(apart & (along >= _COSINE * distances - 1e-9))
    if kind == "near":
        return np.asarray(distances <= _NEAR)
    if kind == "next_to":
        reach = (places.sizes[first][:, np.newaxis] + places.sizes[second]) / 2 * _TOUCHING
        return np.asarray(apart & (distances <= reach + 1e-9))
    raise ValueError(f"{kind!r} is no relation")


def _between(places: Places, subject: Scores, one: Scores, two: Scores, *, same: bool) -> Found | None:
    """The subject's tile in the middle part of the line from one to two, near that line."""
    middle, left, right = _best(subject), _best(one), _best(two)
    start, end = places.centres[left], places.centres[right]
    line = end[np.newaxis] - start[:, np.newaxis]
    length = np.maximum(np.hypot(line[..., 0], line[..., 1]), 1e-9)
    offset = places.centres[middle][:, np.newaxis, np.newaxis] - start[np.newaxis, :, np.newaxis]
    along = (offset * line[np.newaxis]).sum(axis=-1) / length**2
    across = np.abs(offset[..., 0] * line[..., 1] - offset[..., 1] * line[..., 0]) / length
    fits = (along > 0.2) & (along < 0.8) & (across <= 0.35 * length) & (length > 1e-6)
    worth = np.minimum(subject[middle][:, np.newaxis, np.newaxis], np.minimum(one[left][:, np.newaxis], two[right]))
    if same:
        fits &= left[:, np.newaxis] != right
    return _peak(np.where(fits, worth, -np.inf), middle, left, right)


def _surrounded(places: Places, subject: Scores, objects: tuple[Scores, ...]) -> Found | None:
    """The subject's tile, and the best tile of what surrounds it in each quarter around; two quarters may be empty."""
    around = np.max(np.stack(objects), axis=0)
    best: Found | None = None
    for tile in _best(subject):
        offsets = places.centres - places.centres[tile]
        quarter = ((np.arctan2(offsets[:, 1], offsets[:, 0]) + np.pi / 4) // (np.pi / 2)).astype(int) % _QUADRANTS
        others = np.flatnonzero(np.hypot(offsets[:, 0], offsets[:, 1]) > 0)
        peaks = [
            group[np.argmax(around[group])] for q in range(_QUADRANTS) if len(group := others[quarter[others] == q])
        ]
        if len(peaks) < _QUADRANTS // 2:
            continue
        score = min(float(subject[tile]), float(around[peaks].mean()))
        if best is None or score > best.score:
            best = Found(score, (int(tile), *(int(peak) for peak in peaks)))
    return best


def _best(scores: Scores) -> NDArray[np.intp]:
    """Rows of the best tiles, best first; equal ones in their order."""
    return np.argsort(-scores, kind="stable")[:MOST_TILES]


def _peak(worth: NDArray[np.float64], *rows: NDArray[np.intp]) -> Found | None:
    place = np.unravel_index(int(np.argmax(worth)), worth.shape)
    score = float(worth[place])
    if not np.isfinite(score):
        return None
    return Found(score, tuple(int(row[at]) for row, at in zip(rows, place, strict=True)))
