"""What every reader of imagery offers: pixels by windows, with their georeference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from django.utils.translation import gettext_noop
from numpy.typing import NDArray

from imagery.geometry import Footprint, apply, footprint_of_grid, gsd_of_grid, window_transform
from imagery.readers.formats import Format

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

    from imagery.readers.georeference import Placement

Window: TypeAlias = tuple[int, int, int, int]
"""(x, y, width, height) in pixels of the full resolution, y downwards."""
Size: TypeAlias = tuple[int, int]
"""(width, height) in pixels."""
Bounds: TypeAlias = tuple[float, float, float, float]
"""(left, bottom, right, top) in units of the CRS."""


@dataclass(frozen=True)
class BandInfo:
    """One band: its ``name`` (B04, red, band 1), its colour ``role`` (red, green, blue, grey, alpha or empty).

    ``common_name`` is STAC's (nir, swir16) where it is known, ``code`` the sensor's number of it (4, 8A).
    """

    name: str
    role: str = ""
    description: str = ""
    common_name: str = ""
    code: str = ""

    def as_stac(self) -> dict[str, str]:
        """Return the band as an entry of STAC's ``bands``."""
        more = {"description": self.description, "eo:common_name": self.common_name}
        return {"name": self.name} | {key: value for key, value in more.items() if value}


@dataclass(frozen=True)
class ImageData:
    """Pixels with their georeference.

    ``array`` is (bands, h, w) in the file's own type as read, or (h, w, 3) uint8 once rendered; ``mask`` is
    (h, w) bool, True where there is data. ``bounds`` are in ``crs``; both are None without georeference or when
    the grid is rotated (``bounds`` only).
    """

    array: NDArray[Any]
    mask: NDArray[np.bool_]
    bounds: Bounds | None = None
    crs: str | None = None


def fit_within(size: Size, longest: int) -> Size:
    """Return ``size`` scaled down (never up) so that its longest side is at most ``longest``; no side below 1."""
    factor = min(1.0, longest / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


class Reader(ABC):
    """An open scene. Use as a context manager; not for several threads at once.

    Subclasses set the attributes below when they open. ``transform`` maps pixel corners (x right, y down) to
    ``crs`` coordinates; grids stored south-up or mirrored are presented north-up. ``note`` says why a scene that
    claims a position has none.
    """

    name: str = ""
    """The file's name, for messages."""
    format: Format
    width: int
    height: int
    dtype: str
    bands: tuple[BandInfo, ...]
    rgb: tuple[int, int, int]
    """Positions in ``bands`` to show as red, green and blue."""
    crs: CRS | None = None
    transform: Affine | None = None
    note: str = ""
    acquired: datetime | None = None
    display_ready: bool = False
    """Whether the bands of ``rgb`` are meant for the eye as they are (8 bit), so that no stretch is applied."""
    block: Size | None = None
    """(width, height) of the pieces a file stores its pixels in; None: it is decoded as a whole."""
    mixable: bool = True
    """Whether neighbouring colours may be averaged: not those of a palette, which stand for categories."""

    def place(self, placement: Placement) -> tuple[bool, bool]:
        """Set crs, transform and note by what the file says of its place; return whether to (mirror it, turn it up).

        A place that is incomplete, or that cannot be told with certainty, counts as none; ``note`` then says why.
        Pixels of grids stored south-up or mirrored are to be shown the other way round.
        """
        crs, stored = placement.crs, placement.transform
        self.crs, self.transform, self.note = None, None, placement.note
        if crs is None and stored is not None:
            self.note = self.note or gettext_noop("It has a grid but no coordinate reference system.")
        elif crs is not None and (stored is None or stored.determinant == 0):
            self.note = self.note or gettext_noop("It names a coordinate reference system but no grid.")
        elif crs is not None and stored is not None:
            flips = stored.is_rectilinear and stored.a < 0, stored.is_rectilinear and stored.e > 0
            self.crs, self.transform = crs, _flipped(stored, self.width, self.height, flips)
            if self.footprint is not None:
                self.note = ""
                return flips
            self.crs, self.transform = None, None
            self.note = gettext_noop("Its coordinates cannot be placed on Earth with certainty.")
        return False, False

    @abstractmethod
    def read(
        self, window: Window | None = None, out_size: Size | None = None, bands: tuple[int, ...] | None = None
    ) -> ImageData:
        """Return (bands, h, w) of ``window`` (None: the whole scene), resampled to ``out_size`` (width, height).

        ``bands`` are positions in ``self.bands``; None reads those of ``rgb``. Raises UnreadableImage.
        """

    def verify(self) -> None:  # noqa: B027 - most readers notice damage while they read
        """Look for damage that reading forgives. For the ingest, once. Raises UnreadableImage."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def band_count(self) -> int:
        """How many bands the scene has."""
        return len(self.bands)

    @property
    def whole(self) -> Window:
        """The window of the whole scene."""
        return (0, 0, self.width, self.height)

    @property
    def proj_code(self) -> str:
        """The CRS as ``EPSG:32618`` (STAC ``proj:code``), empty when unknown or without a code."""
        if self.crs is None:
            return ""
        authority = self.crs.to_authority()
        return ":".join(authority) if authority else ""

    @property
    def footprint(self) -> Footprint | None:
        """Outline on Earth (lon, lat; WGS 84), or None when it cannot be told with certainty."""
        if self.crs is None or self.transform is None:
            return None
        return footprint_of_grid(self.crs, self.transform, self.width, self.height)

    @property
    def gsd_m(self) -> float | None:
        """Ground sample distance in metres at the scene's centre, or None."""
        if self.crs is None or self.transform is None:
            return None
        return gsd_of_grid(self.crs, self.transform, self.width, self.height)

    def bounds_of(self, window: Window) -> Bounds | None:
        """Return the bounds of ``window`` in units of ``crs``; None without position or on a rotated grid."""
        if self.crs is None or self.transform is None or not self.transform.is_rectilinear:
            return None
        grid = window_transform(self.transform, window)
        left, top = apply(grid, 0, 0)
        right, bottom = apply(grid, window[2], window[3])
        return (min(left, right), min(bottom, top), max(left, right), max(bottom, top))


def _flipped(stored: Affine, width: int, height: int, flips: tuple[bool, bool]) -> Affine:
    """Return the transform of the grid as presented (north-up, east to the right)."""
    from affine import Affine

    c, f = apply(stored, width if flips[0] else 0, height if flips[1] else 0)
    sign_x, sign_y = (-1 if flips[0] else 1), (-1 if flips[1] else 1)
    return Affine(stored.a * sign_x, stored.b * sign_y, c, stored.d * sign_x, stored.e * sign_y, f)
