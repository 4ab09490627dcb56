"""Metadata of synthetic scenes, distributed like those of an archive that collects from several satellites."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from imagery.models.collection import Visibility

MARK: Final = "rsportal:synthetic"
"""The property of every synthetic scene; its value is the seed it was made from."""
SLUG_PREFIX: Final = "synthetic-"
_KM_OF_A_DEGREE: Final = 111.32
_FIRST_DAY: Final = datetime(2014, 1, 1, tzinfo=UTC)
_LAST_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
_GROWTH: Final = 1.8
"""Exponent above 1: more scenes of later years, as archives grow."""
_UNDATED, _PERIODS, _NOWHERE = 0.01, 0.03, 0.03
_AT_HOME: Final = 0.7
"""Share of a collection's scenes that show the classes it is about; the others show anything."""
_DECIMALS: Final = 5


@dataclass(frozen=True)
class Platform:
    """A source of scenes: how common, ground sample distance in metres, picture side in pixels, whether clouds show."""

    name: str
    instruments: tuple[str, ...]
    share: float
    gsd: float
    side: int
    proj: str
    clouds: bool = True


PLATFORMS: Final = (
    Platform("sentinel-2a", ("msi",), 0.24, 10, 1024, "EPSG:326{zone:02d}"),
    Platform("sentinel-2b", ("msi",), 0.22, 10, 1024, "EPSG:326{zone:02d}"),
    Platform("landsat-8", ("oli", "tirs"), 0.15, 30, 512, "EPSG:326{zone:02d}"),
    Platform("landsat-9", ("oli-2", "tirs-2"), 0.07, 30, 512, "EPSG:326{zone:02d}"),
    Platform("planetscope", ("psb.sd",), 0.12, 3, 1024, "EPSG:326{zone:02d}"),
    Platform("gaofen-2", ("pms",), 0.06, 0.8, 2048, "EPSG:4326"),
    Platform("worldview-3", ("wv110",), 0.04, 0.31, 2048, "EPSG:4326"),
    Platform("aerial", ("rgb camera",), 0.0993, 0.2, 2048, "EPSG:3857", clouds=False),
    Platform("kompsat-3a", ("aeiss-a",), 0.0007, 0.55, 2048, "EPSG:4326"),
)


@dataclass(frozen=True)
class CollectionPlan:
    """A collection to make: its share of the scenes, who sees it, its licence, and which owner (by number) it has."""

    slug: str
    title: str
    share: float
    visibility: Visibility
    license: str
    owner: int


_WORLD, _MEMBERS, _OWN = Visibility.ALL_USERS, Visibility.MEMBERS, Visibility.PRIVATE
COLLECTIONS: Final = (
    CollectionPlan(f"{SLUG_PREFIX}land-cover", "Synthetic: land cover", 0.31, _WORLD, "CC-BY-4.0", 0),
    CollectionPlan(f"{SLUG_PREFIX}cities", "Synthetic: cities", 0.17, _WORLD, "CC-BY-SA-4.0", 0),
    CollectionPlan(f"{SLUG_PREFIX}coasts", "Synthetic: coasts", 0.12, _WORLD, "CC-BY-4.0", 1),
    CollectionPlan(f"{SLUG_PREFIX}farmland", "Synthetic: farmland", 0.09, _WORLD, "CC0-1.0", 1),
    CollectionPlan(f"{SLUG_PREFIX}transport", "Synthetic: transport", 0.08, _WORLD, "ODbL-1.0", 2),
    CollectionPlan(f"{SLUG_PREFIX}mountains", "Synthetic: mountains", 0.06, _WORLD, "", 2),
    CollectionPlan(f"{SLUG_PREFIX}disasters", "Synthetic: disasters", 0.05, _WORLD, "CC-BY-NC-4.0", 3),
    CollectionPlan(f"{SLUG_PREFIX}commercial", "Synthetic: commercial", 0.06, _MEMBERS, "", 3),
    CollectionPlan(f"{SLUG_PREFIX}survey", "Synthetic: survey", 0.04, _MEMBERS, "all rights reserved", 1),
    CollectionPlan(f"{SLUG_PREFIX}drafts", "Synthetic: drafts", 0.02, _OWN, "", 2),
)
OWNERS: Final = 4

# Longitude, latitude, spread in degrees: land where much is photographed, and islands at 180 degrees.
_REGIONS: Final = (
    (8.0, 48.0, 7.0), (-2.0, 52.5, 3.0), (24.0, 60.0, 6.0), (37.0, 50.0, 9.0), (113.0, 30.0, 8.0), (116.0, 38.0, 4.0),
    (104.0, 32.0, 6.0), (78.0, 22.0, 8.0), (139.0, 36.5, 3.0), (106.0, -6.5, 5.0), (134.0, -25.0, 11.0),
    (172.0, -41.0, 4.0), (179.3, -17.5, 1.5), (-179.0, 66.5, 3.0), (-96.0, 40.0, 11.0), (-119.0, 38.0, 4.0),
    (-77.0, 40.0, 4.0), (-100.0, 20.0, 5.0), (-58.0, -12.0, 9.0), (-63.0, -34.0, 6.0), (20.0, 5.0, 10.0),
    (30.0, -25.0, 6.0), (45.0, 25.0, 6.0), (2.0, 30.0, 8.0),
)  # fmt: skip


@dataclass(frozen=True)
class SceneRow:
    """The columns of one synthetic scene, in Python types; ``collection`` is a number into COLLECTIONS."""

    id: UUID
    collection: int
    title: str
    moment: datetime | None
    start: datetime | None
    end: datetime | None
    platform: Platform
    cloud_cover: float | None
    proj_code: str
    bbox: tuple[float, float, float, float] | None
    created_at: datetime

    @property
    def footprint(self) -> dict[str, Any] | None:
        """GeoJSON: a Polygon, or a MultiPolygon cut at the antimeridian (RFC 7946, 3.1.9)."""
        if self.bbox is None:
            return None
        west, south, east, north = self.bbox
        if west <= east:
            return {"type": "Polygon", "coordinates": [_ring(west, south, east, north)]}
        parts = [[_ring(west, south, 180.0, north)], [_ring(-180.0, south, east, north)]]
        return {"type": "MultiPolygon", "coordinates": parts}


def scene_rows(*, classes: NDArray[np.int64], first: int, seed: int) -> list[SceneRow]:
    """Return the metadata of the scenes number ``first`` and on, one for each of ``classes`` (n,), what they show.

    Where a scene lies and which collection it is in depend on what it shows; date, platform and clouds do not, so
    that filters of both kinds can be tried. The same arguments give the same rows.
    """
    rng = np.random.default_rng([seed, first, 2])
    count = len(classes)
    collections = _collections(classes, rng)
    platforms = rng.choice(len(PLATFORMS), size=count, p=_normed([platform.share for platform in PLATFORMS]))
    days = rng.random(count) ** (1 / _GROWTH)
    span = (_LAST_DAY - _FIRST_DAY).total_seconds()
    kinds = rng.random(count)
    clouds = np.where(rng.random(count) < 0.35, 0.0, np.minimum(100.0, rng.exponential(22.0, count)))
    # Three regions a class, the first the most common.
    region = (classes * 7 + np.minimum(rng.geometric(0.6, count) - 1, 2) * 5) % len(_REGIONS)
    offsets = rng.standard_normal((count, 2))
    nowhere = rng.random(count) < _NOWHERE
    names = rng.bytes(16 * count)
    later = rng.random(count)
    rows = []
    for i in range(count):
        platform = PLATFORMS[platforms[i]]
        taken = _FIRST_DAY + timedelta(seconds=round(float(days[i]) * span))
        undated, period = kinds[i] < _UNDATED, _UNDATED <= kinds[i] < _UNDATED + _PERIODS
        box = None if nowhere[i] else _box(_REGIONS[region[i]], offsets[i], platform)
        middle = 0.0 if box is None else box[0]
        rows.append(
            SceneRow(
                id=UUID(bytes=names[16 * i : 16 * i + 16], version=4),
                collection=int(collections[i]),
                title=f"Synthetic {first + i + 1}, class {classes[i] + 1}",
                moment=None if undated or period else taken,
                start=taken if period else None,
                end=taken + timedelta(days=30) if period else None,
                platform=platform,
                cloud_cover=round(float(clouds[i]), 1) if platform.clouds else None,
                proj_code="" if box is None else platform.proj.format(zone=int((middle + 180) // 6) + 1),
                bbox=box,
                created_at=min(taken + timedelta(days=1 + 20 * float(later[i])), _LAST_DAY),
            )
        )
    return rows


def home_collections(classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of the collection (n,) that is about each of ``classes`` (n,): the larger, the more classes."""
    ends = np.cumsum(_normed([plan.share for plan in COLLECTIONS]))
    # Multiples of the golden ratio spread evenly over [0, 1), however many there are.
    return np.minimum(np.searchsorted(ends, (classes * 0.6180339887) % 1.0), len(COLLECTIONS) - 1)


def _collections(classes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw a collection for each scene: mostly the one that is about its class, else any by size."""
    anywhere = rng.choice(len(COLLECTIONS), size=len(classes), p=_normed([plan.share for plan in COLLECTIONS]))
    return np.where(rng.random(len(classes)) < _AT_HOME, home_collections(classes), anywhere)


def _box(
    region: tuple[float, float, float], offset: NDArray[np.float64], platform: Platform
) -> tuple[float, float, float, float]:
    """Return (west, south, east, north) in degrees of a picture near a region; west > east across the antimeridian."""
    lon, lat, spread = region
    lat = min(80.0, max(-80.0, lat + float(offset[1]) * spread))
    height = platform.gsd * platform.side / 1000 / _KM_OF_A_DEGREE
    width = height / math.cos(math.radians(lat))
    west = (lon + float(offset[0]) * spread - width / 2 + 180) % 360 - 180
    east = west + width
    east = east - 360 if east > 180 else east
    return (round(west, _DECIMALS), round(lat - height / 2, _DECIMALS), round(east, _DECIMALS),
            round(lat + height / 2, _DECIMALS))  # fmt: skip


def _ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _normed(shares: list[float]) -> NDArray[np.float64]:
    values = np.asarray(shares)
    return values / values.sum()
