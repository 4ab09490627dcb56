"""The map of one footprint: a window around it, ready to be drawn as SVG without JavaScript or internet."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, cos, floor, radians
from typing import Any, Final

from rsportal.maps.land import Point, Ring, Window, land_in

BBox = tuple[float, float, float, float]
"""(west, south, east, north), degrees WGS 84; west > east crosses the antimeridian."""

_WIDTH_PX: Final = 480
_HEIGHT_PX: Final = 300
_CONTEXT: Final = 4.0  # the window is this many times as large as the footprint
_LEAST_SPAN_DEGREES: Final = 4.0  # the outlines (1:50 million) carry no more detail than this
_LEAST_FOOTPRINT_PX: Final = 12.0  # a smaller footprint gets a ring around it
_STEPS_DEGREES: Final = (0.5, 1, 2, 5, 10, 15, 30, 45)
_GRID_LINES: Final = 6
_ROUNDING_DEGREES: Final = 1e-6


@dataclass(frozen=True)
class GridLine:
    """A meridian or parallel of the graticule at ``at`` px, with its label."""

    at: float
    label: str


@dataclass(frozen=True)
class FootprintMap:
    """All that the SVG of one footprint shows; lengths in px of the view box, y downwards."""

    width: int
    height: int
    land: str
    footprint: str
    meridians: list[GridLine]
    parallels: list[GridLine]
    centre: Point
    ringed: bool
    locator: tuple[float, float, float, float]
    """x, y, width, height of the window in the locator's world view box (-180 -90 360 180)."""
    whole_world: bool


def footprint_map(geometry: dict[str, Any], bbox: BBox) -> FootprintMap:
    """Return the map of a GeoJSON (Multi)Polygon in (lon, lat) whose bounding box is ``bbox``.

    The projection is equirectangular with the footprint's own latitude as its standard parallel, so that shapes
    near the centre keep their proportions.
    """
    west, south, east, north = bbox
    if west > east:
        east += 360
    view = _View.around(west, south, east, north)
    middle = view.point(((west + east) / 2, (south + north) / 2))
    shape = [[(_unrolled(lon, west, east), lat) for lon, lat in ring] for ring in polygon_rings(geometry)]
    size = max((east - west) * view.x_scale, (north - south) * view.y_scale)
    window = view.window
    return FootprintMap(
        width=_WIDTH_PX,
        height=_HEIGHT_PX,
        land="".join(view.path(ring) for ring in land_in(window)),
        footprint="".join(view.path(ring) for ring in shape),
        meridians=[
            GridLine(round(view.point((lon, 0))[0], 1), longitude_label(lon))
            for lon in view.steps(window.west, window.east)
        ],
        parallels=[
            GridLine(round(view.point((0, lat))[1], 1), latitude_label(lat))
            for lat in view.steps(window.south, window.north)
        ],
        centre=(round(middle[0], 1), round(middle[1], 1)),
        ringed=size < _LEAST_FOOTPRINT_PX,
        locator=_locator(window),
        whole_world=window.east - window.west >= 359,
    )


@dataclass(frozen=True)
class _View:
    window: Window
    x_scale: float
    y_scale: float
    """px per degree of longitude and latitude."""

    @classmethod
    def around(cls, west: float, south: float, east: float, north: float) -> "_View":
        lon, lat = (west + east) / 2, (south + north) / 2
        squeeze = max(0.2, cos(radians(lat)))
        aspect = _WIDTH_PX / _HEIGHT_PX
        tall = max(_LEAST_SPAN_DEGREES, _CONTEXT * (north - south), _CONTEXT * (east - west) * squeeze / aspect)
        wide = tall * aspect / squeeze
        if wide > 360 or tall > 180:
            lon, lat, wide, tall = (0.0 if east <= 180 else lon), 0.0, 360.0, 360.0 / aspect
        lat = min(max(lat, -90 + tall / 2), 90 - tall / 2) if tall < 180 else 0.0
        window = Window(lon - wide / 2, lat - tall / 2, lon + wide / 2, lat + tall / 2)
        return cls(window, _WIDTH_PX / wide, _HEIGHT_PX / tall)

    def point(self, place: Point) -> Point:
        return (place[0] - self.window.west) * self.x_scale, (self.window.north - place[1]) * self.y_scale

    def path(self, ring: Ring) -> str:
        points = (self.point(place) for place in ring)
        return "M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + "Z"

    def steps(self, low: float, high: float) -> list[float]:
        step = next((s for s in _STEPS_DEGREES if (high - low) / s <= _GRID_LINES), _STEPS_DEGREES[-1])
        return [index * step for index in range(ceil(low / step), floor(high / step) + 1)]


def polygon_rings(geometry: dict[str, Any]) -> list[Ring]:
    """Return the rings of a GeoJSON Polygon or MultiPolygon as (lon, lat) points; nothing for other types."""
    polygons: Sequence[Any] = ()
    if geometry.get("type") == "Polygon":
        polygons = [geometry["coordinates"]]
    elif geometry.get("type") == "MultiPolygon":
        polygons = geometry["coordinates"]
    return [[(float(point[0]), float(point[1])) for point in ring] for polygon in polygons for ring in polygon]


def longitude_label(lon: float) -> str:
    """Return a meridian's label, such as ``15°E``, whatever turn of the Earth ``lon`` (degrees) is on."""
    lon = (lon + 180) % 360 - 180
    return f"{abs(lon):g}°" + ("" if lon in {0, -180} else "E" if lon > 0 else "W")


def latitude_label(lat: float) -> str:
    """Return a parallel's label, such as ``30°N``."""
    return f"{abs(lat):g}°" + ("" if lat == 0 else "N" if lat > 0 else "S")


def _unrolled(lon: float, west: float, east: float) -> float:
    """Return ``lon`` on the turn of the Earth on which the footprint [west, east] lies (east may exceed 180)."""
    return lon + 360 if east > 180 and lon + 360 <= east + _ROUNDING_DEGREES and lon < west else lon


def _locator(window: Window) -> tuple[float, float, float, float]:
    west = (window.west + 180) % 360 - 180 if window.east - window.west < 359 else -180.0
    return (
        round(west, 2),
        round(-window.north, 2),
        round(window.east - window.west, 2),
        round(window.north - window.south, 2),
    )
