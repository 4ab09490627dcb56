"""World maps: where the scenes of an archive lie."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Final, NamedTuple

_LEAST_RADIUS_DEGREES: Final = 1.8
_MOST_RADIUS_DEGREES: Final = 7.0
_FEW: Final = 20  # below this many scenes a cell's circle stays small


class Cell(NamedTuple):
    """A part of the world by its centre (lon, lat, degrees) and how many ``scenes`` lie there."""

    lon: float
    lat: float
    scenes: int


@dataclass(frozen=True)
class Spot:
    """A circle on the world map: x = lon, y = -lat, radius in degrees, for ``count`` scenes."""

    x: float
    y: float
    radius: float
    count: int


def spots(cells: Iterable[Cell]) -> list[Spot]:
    """Return one circle for each place among ``cells``; its area follows the count, the largest drawn first."""
    counts: Counter[tuple[float, float]] = Counter()
    for cell in cells:
        counts[cell.lon, cell.lat] += cell.scenes
    largest = max([*counts.values(), _FEW])
    return [
        Spot(round(lon, 2), round(-lat, 2), _radius(count / largest), count)
        for (lon, lat), count in counts.most_common()
    ]


def _radius(share: float) -> float:
    return round(max(_LEAST_RADIUS_DEGREES, _MOST_RADIUS_DEGREES * sqrt(share)), 2)
