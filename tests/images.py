"""Images drawn by the tests themselves: each is one pitfall of real imagery."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp

UTM18 = "EPSG:32618"
NORTH_UP = Affine(10, 0, 435730, 0, -10, 4179460)


def gradient(width: int = 64, height: int = 48, *, seed: int = 0) -> NDArray[np.uint8]:
    """Return (h, w, 3) uint8: red grows to the right, green downwards, blue tells ``seed``."""
    x = np.linspace(0, 255, width)[None, :].repeat(height, axis=0)
    y = np.linspace(0, 255, height)[:, None].repeat(width, axis=1)
    noise = np.random.default_rng(seed).integers(0, 32, size=(height, width))
    return np.dstack([x, y, noise + seed % 200]).astype(np.uint8)


def draw(path: Path, *, width: int = 64, height: int = 48, seed: int = 0, **save: Any) -> Path:
    """Write a gradient in the format of the file's extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(gradient(width, height, seed=seed)).save(path, **save)
    return path


def geotiff(
    path: Path,
    array: NDArray[Any] | None = None,
    *,
    crs: str | None = UTM18,
    transform: Affine | None = NORTH_UP,
    driver: str = "GTiff",
    colours: Sequence[ColorInterp] | None = None,
    descriptions: Sequence[str] | None = None,
    **profile: Any,
) -> Path:
    """Write (bands, h, w) (a gradient by default) as a GeoTIFF, or by another GDAL driver."""
    if array is None:
        array = np.moveaxis(gradient(), -1, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = array.shape
    options: dict[str, Any] = {"driver": driver, "count": bands, "height": height, "width": width}
    options |= {"dtype": array.dtype.name, "crs": crs, "transform": transform} | profile
    with rasterio.open(path, "w", **{k: v for k, v in options.items() if v is not None}) as target:
        target.write(array)
        if colours is not None:
            target.colorinterp = colours
        if descriptions is not None:
            target.descriptions = descriptions
    return path


def deep_ramp(bands: int = 3, width: int = 64, height: int = 48, top: int = 3000) -> NDArray[np.uint16]:
    """Return (bands, h, w) uint16 with values as Sentinel-2 has them: black if cut to 8 bits."""
    ramp = np.linspace(200, top, width * height).reshape(height, width)
    return np.stack([ramp + 10 * band for band in range(bands)]).astype(np.uint16)


def deep_png(path: Path, array: NDArray[np.uint16]) -> Path:
    """Write (h, w) or (h, w, 3) uint16 as a 16-bit PNG, by hand: Pillow cannot write deep colour."""
    height, width = array.shape[:2]
    colour = 2 if array.ndim == 3 else 0
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks))
    return path


def bomb_png(path: Path, width: int = 60_000, height: int = 60_000) -> Path:
    """Write a PNG of some bytes whose header announces a huge image."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks))
    return path


def cut(path: Path, share: float = 0.5) -> Path:
    """Cut the end of a file off, in place; ``share`` of it stays."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def oriented_jpeg(path: Path, orientation: int, *, width: int = 64, height: int = 48) -> Path:
    """Write a JPEG with an EXIF orientation (1-8)."""
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(gradient(width, height)).save(path, exif=exif, quality=95)
    return path


def content(format: str = "PNG", *, seed: int = 0, size: int = 64) -> bytes:
    """Return the bytes of a gradient in a Pillow format."""
    out = io.BytesIO()
    Image.fromarray(gradient(size, size, seed=seed)).save(out, format=format)
    return out.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
