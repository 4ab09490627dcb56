"""PNG, JPEG and WebP through Pillow (16-bit PNG through GDAL): pictures decoded in memory as a whole."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from PIL import ExifTags, Image

from imagery.readers.base import BandInfo, ImageData, Reader, Size, Window
from imagery.readers.errors import FileUnavailable, UnreadableImage, reason_of, unavailable
from imagery.readers.formats import Format
from imagery.readers.georeference import placement_beside

# Pillow's own guard (it refuses twice this) stands behind our check of the header.
Image.MAX_IMAGE_PIXELS = settings.PILLOW_MAX_PIXELS

_PILLOW_NAMES: Final = {Format.PNG: "PNG", Format.JPEG: "JPEG", Format.WEBP: "WEBP"}
_ERRORS: Final = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
_JPEG_DAMAGE: Final = re.compile(r"(?:premature end|bad Huffman code|found marker \S+ instead)[^.(:]*", re.IGNORECASE)
_VERIFIED_ROWS: Final = 256
_RGB: Final = (BandInfo("red", "red"), BandInfo("green", "green"), BandInfo("blue", "blue"))
_GREY: Final = (BandInfo("grey", "grey"),)
# EXIF orientation -> what brings the picture upright (EXIF 2.32, 4.6.4).
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPPING: Final = frozenset(_TURNS[orientation] for orientation in (5, 6, 7, 8))


class RasterReader(Reader):
    """A picture, placed by the files beside it if any. Palettes and CMYK become RGB; alpha is the mask.

    EXIF orientation is applied to pictures without a place: a world file speaks of the pixels as they are stored.
    """

    def __init__(
        self, path: Path, format: Format, *, name: str = "", sidecars: Mapping[str, Path] | None = None
    ) -> None:
        """Read the header and the sidecars only. Raises UnreadableImage."""
        self.path, self.format, self.name = path, format, name or path.name
        self._pixels: tuple[NDArray[Any], NDArray[np.bool_]] | None = None
        try:
            self._image = Image.open(path, formats=[_PILLOW_NAMES[format]])
            self._mode, size = self._image.mode, self._image.size
            exif = _header_exif(self._image)
        except Image.DecompressionBombError as error:
            raise _bomb(self.name, error) from error
        except _ERRORS as error:
            raise unreadable(self.name, error) from error
        self.width, self.height = size
        self._flips = self.place(placement_beside(sidecars)) if sidecars else (False, False)
        self._turn = _TURNS.get(exif.get(ExifTags.Base.Orientation, 1)) if self.transform is None else None
        if self._turn in _SWAPPING:
            self.width, self.height = size[1], size[0]
        self._deep = format is Format.PNG and png_bit_depth(path) == 16
        grey = self._mode in {"L", "LA", "1", "I", "I;16", "I;16B", "F"}
        self.bands = _GREY if grey else _RGB
        self.rgb = (0, 0, 0) if grey else (0, 1, 2)
        self.dtype = "uint16" if self._deep else "uint8"
        self.display_ready = not self._deep
        self.acquired = _acquired(exif)

    def read(
        self, window: Window | None = None, out_size: Size | None = None, bands: tuple[int, ...] | None = None
    ) -> ImageData:
        x, y, width, height = window or self.whole
        chosen = self.rgb if bands is None else bands
        if window is None and out_size is not None and self._pixels is None and self._can_draft(out_size):
            array, mask = self._decode(draft=out_size)
        else:
            if self._pixels is None:
                self._pixels = self._decode()
            array, mask = self._pixels
            array, mask = array[:, y : y + height, x : x + width], mask[y : y + height, x : x + width]
        array = array[list(chosen)]
        if out_size is not None and out_size != (array.shape[2], array.shape[1]):
            array, mask = resample(array, mask, out_size)
        bounds = self.bounds_of((x, y, width, height))
        return ImageData(array=array, mask=mask, bounds=bounds, crs=self.proj_code or None)

    def close(self) -> None:
        self._pixels = None
        self._image.close()

    def verify(self) -> None:
        """Refuse a JPEG that is damaged inside: decoders fill the rest with grey or shifted pixels and go on."""
        if self.format is Format.JPEG and (reason := jpeg_damage(self.path)):
            raise UnreadableImage(
                _("%(file)s is damaged inside: %(reason)s.") % {"file": self.name, "reason": reason}, code="damaged"
            )

    def _can_draft(self, out_size: Size) -> bool:
        """Whether JPEG's scaled decoding gives at least ``out_size`` for a quarter of the work or less."""
        return self.format is Format.JPEG and self.width >= 2 * out_size[0] and self.height >= 2 * out_size[1]

    def _decode(self, draft: Size | None = None) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return (bands, h, w) and its mask; with ``draft`` of any size of at least that."""
        array, mask = _decode_deep(self.path, self.name) if self._deep else self._decode_bytes(draft)
        step_x, step_y = (-1 if flip else 1 for flip in self._flips)
        return array[:, ::step_y, ::step_x], mask[::step_y, ::step_x]

    def _decode_bytes(self, draft: Size | None) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        try:
            with Image.open(self.path, formats=[_PILLOW_NAMES[self.format]]) as image:
                if draft is not None:
                    image.draft(None, (max(draft), max(draft)))
                image.load()
                return _to_bands(image if self._turn is None else image.transpose(self._turn))
        except _ERRORS as error:
            raise unreadable(self.name, error) from error


def jpeg_damage(path: Path) -> str:
    """Return what libjpeg says of damage inside a JPEG, empty if it says nothing (Pillow does not pass it on).

    What it decodes all the same without a fault in the picture (bytes between segments, as some cameras write them)
    is no damage; nor is a kind of JPEG that GDAL does not know.
    """
    from rasterio import Env
    from rasterio.windows import Window as RasterWindow

    from imagery.readers.gdal import open_dataset, translated

    try:
        options = {"GDAL_ERROR_ON_LIBJPEG_WARNING": True, "GDAL_ALLOW_LARGE_LIBJPEG_MEM_ALLOC": True}
        with Env(**options), translated(path.name), open_dataset(path, "JPEG") as dataset:
            for top in range(0, dataset.height, _VERIFIED_ROWS):
                rows = min(_VERIFIED_ROWS, dataset.height - top)
                dataset.read(1, window=RasterWindow(0, top, dataset.width, rows))
    except UnreadableImage as error:
        found = _JPEG_DAMAGE.search(error.message)
        return found[0] if found else ""
    return ""


def png_bit_depth(path: Path) -> int:
    """Return the bits per sample in a PNG's header (IHDR: byte 24); 0 when the header is cut off."""
    with path.open("rb") as file:
        head = file.read(25)
    return head[24] if len(head) == 25 else 0


def resample(array: NDArray[Any], mask: NDArray[np.bool_], size: Size) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return (bands, h, w) and (h, w) at ``size``: averages when shrinking, bilinear when growing; keeps the type."""
    shrinking = size[0] * size[1] < array.shape[1] * array.shape[2]
    method = Image.Resampling.BOX if shrinking else Image.Resampling.BILINEAR
    as_bytes = array.dtype == np.uint8
    planes = [
        np.asarray(Image.fromarray(plane if as_bytes else plane.astype(np.float32)).resize(size, method))
        for plane in array
    ]
    resized = np.stack(planes)
    if not as_bytes and np.issubdtype(array.dtype, np.integer):
        resized = np.rint(resized)
    small = mask if mask.all() else np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    if small.shape != (size[1], size[0]):
        small = np.ones((size[1], size[0]), dtype=np.bool_)
    return resized.astype(array.dtype), small


def unreadable(name: str, error: BaseException) -> UnreadableImage | FileUnavailable:
    """Return our error for a library's or the system's, in words that fit a person."""
    if system := unavailable(name, error):
        return system
    text = reason_of(error) or type(error).__name__
    if "truncated" in text or "unexpected end" in text.lower():
        return UnreadableImage(_("%(file)s is damaged: the file ends too early.") % {"file": name}, code="truncated")
    return UnreadableImage(_("%(file)s cannot be decoded: %(reason)s.") % {"file": name, "reason": text.rstrip(".")})


def _header_exif(image: Image.Image) -> Image.Exif:
    """Return the EXIF that stands before the pixels (Pillow decodes a whole PNG to look behind them)."""
    if image.format != "PNG":
        return image.getexif()
    exif = Image.Exif()
    if content := image.info.get("exif"):
        exif.load(content)
    return exif


def _bomb(name: str, error: Image.DecompressionBombError) -> UnreadableImage:
    """Return the refusal of an image so large that Pillow would not even tell its sides."""
    found = re.search(r"\((\d+) pixels\)", str(error))
    return UnreadableImage(
        _("%(file)s has too many pixels: %(found).1f megapixels, the limit for its format is %(limit).1f.")
        % {"file": name, "found": int(found[1] if found else 0) / 1e6, "limit": settings.PILLOW_MAX_PIXELS / 1e6},
        code="too_many_pixels",
    )


def _to_bands(picture: Image.Image) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    transparent = picture.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in picture.info
    grey = picture.mode in {"L", "LA", "1"}
    if transparent:
        pixels = np.asarray(_in_mode(picture, "RGBA"))
        return _planes(pixels[..., :1] if grey else pixels[..., :3]), pixels[..., 3] > 0
    pixels = np.asarray(_in_mode(picture, "L"))[..., None] if grey else np.asarray(_in_mode(picture, "RGB"))
    return _planes(pixels), np.ones(pixels.shape[:2], dtype=np.bool_)


def _in_mode(picture: Image.Image, mode: str) -> Image.Image:
    """Return the picture in a mode; without the copy that Pillow makes of one that is in it already."""
    return picture if picture.mode == mode and "transparency" not in picture.info else picture.convert(mode)


def _planes(pixels: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def _decode_deep(path: Path, name: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a 16-bit PNG at its full depth (Pillow would cut colour to 8 bits, which turns 12-bit data black)."""
    from imagery.readers.gdal import open_dataset, translated

    with translated(name), open_dataset(path, "PNG") as dataset:
        colours = 3 if dataset.count >= 3 else 1
        array = dataset.read(list(range(1, colours + 1)))
        alpha = dataset.count in {2, 4}
        mask = dataset.read(dataset.count) > 0 if alpha else dataset.dataset_mask() > 0
    return array, mask


def _acquired(exif: Image.Exif) -> datetime | None:
    """Return when a picture was taken if the file says so without doubt: GPS time (UTC) or a time with its offset."""
    with suppress(*_ERRORS, TypeError, ZeroDivisionError, KeyError, OverflowError):
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        if ExifTags.GPS.GPSDateStamp in gps and ExifTags.GPS.GPSTimeStamp in gps:
            day = datetime.strptime(str(gps[ExifTags.GPS.GPSDateStamp]).strip("\0 "), "%Y:%m:%d").replace(tzinfo=UTC)
            hours, minutes, seconds = (float(part) for part in gps[ExifTags.GPS.GPSTimeStamp])
            return day + timedelta(hours=hours, minutes=minutes, seconds=seconds)
        details = exif.get_ifd(ExifTags.IFD.Exif)
        taken = str(details[ExifTags.Base.DateTimeOriginal]).strip("\0 ")
        offset = str(details[ExifTags.Base.OffsetTimeOriginal]).strip("\0 ")
        return datetime.strptime(taken + offset, "%Y:%m:%d %H:%M:%S%z").astimezone(UTC)
    return None
