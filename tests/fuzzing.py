"""Files as nobody wants them: real images of every kind, with bytes flipped, cut, swollen, spliced and misnamed.

Everything follows from a number, so that what was found can be made again.
"""

from __future__ import annotations

import random
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from tests import images

_NUMBERS: Final = (
    0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 20_000, 65_536, 1 << 20, 1 << 28, 0x7FFF_FFFF, 0x8000_0000,
    0xFFFF_FFFE, 0xFFFF_FFFF,
)  # fmt: skip
_HEAD_BYTES: Final = 600
_SUFFIXES: Final = ("png", "jpg", "webp", "tif", "jp2", "zip", "txt", "vrt", "")


@dataclass(frozen=True)
class Mutant:
    """A damaged file: what it was made of and how, its name and its bytes."""

    number: int
    seed: str
    way: str
    name: str
    content: bytes


def seeds(folder: Path) -> dict[str, bytes]:
    """Return whole files by name: every format, compression and kind of georeference the portal reads."""
    made: dict[str, bytes] = {}
    for maker in (_pictures, _rasters, _zips):
        for path in maker(folder):
            made[path.name] = path.read_bytes()
    return made


def mutant(number: int, whole: Mapping[str, bytes]) -> Mutant:
    """Return the damaged file of a number; the same for the same seeds."""
    chance = random.Random(number)
    seed = chance.choice(sorted(whole))
    way = chance.choice(sorted(_WAYS))
    content = _WAYS[way](chance, bytearray(whole[seed]), whole)
    stem, suffix = f"m{number}", seed.rpartition(".")[2]
    if chance.random() < 0.06:
        suffix, way = chance.choice(_SUFFIXES), f"{way}, misnamed"
    return Mutant(number, seed, way, f"{stem}.{suffix}".rstrip("."), bytes(content))


def _pictures(folder: Path) -> list[Path]:
    rgb = Image.fromarray(images.gradient(96, 64))
    alpha = rgb.copy()
    alpha.putalpha(128)
    exif = Image.Exif()
    exif[274] = 6
    exif.get_ifd(34665)[36867] = "2024:05:31 10:20:30"
    drawn: list[tuple[str, Image.Image, dict[str, Any]]] = [
        ("rgb.png", rgb, {}),
        ("palette.png", rgb.quantize(32), {}),
        ("grey.png", rgb.convert("L"), {}),
        ("alpha.png", alpha, {}),
        ("bilevel.png", rgb.convert("1"), {}),
        ("baseline.jpg", rgb, {}),
        ("progressive.jpg", rgb, {"progressive": True}),
        ("cmyk.jpg", rgb.convert("CMYK"), {}),
        ("exif.jpg", rgb, {"exif": exif}),
        ("large.jpg", Image.fromarray(images.gradient(900, 700)), {}),
        ("lossy.webp", rgb, {}),
        ("lossless.webp", rgb, {"lossless": True}),
        ("alpha.webp", alpha, {}),
    ]
    for name, picture, options in drawn:
        picture.save(folder / name, **options)
    images.deep_png(folder / "deep.png", np.moveaxis(images.deep_ramp(), 0, -1))
    return [folder / name for name, _picture, _options in drawn] + [folder / "deep.png"]


def _rasters(folder: Path) -> list[Path]:
    bytes_, deep = np.moveaxis(images.gradient(160, 160), -1, 0), images.deep_ramp()
    tiles: dict[str, Any] = {"tiled": True, "blockxsize": 64, "blockysize": 64}
    plan: list[tuple[str, NDArray[Any], dict[str, Any]]] = [
        ("strips.tif", bytes_, {}),
        ("deep.tif", deep, {"nodata": 0}),
        ("float.tif", deep.astype(np.float32), {"compress": "deflate", "predictor": 3}),
        ("signed.tif", deep.astype(np.int16), {"compress": "lzw", "predictor": 2}),
        ("many.tif", images.deep_ramp(13), {"interleave": "band", "compress": "deflate"}),
        ("jpeg.tif", bytes_, {**tiles, "compress": "jpeg", "photometric": "ycbcr"}),
        ("bits.tif", (bytes_[:1] > 100).astype(np.uint8), {"nbits": 1, "compress": "ccittfax4"}),
        ("bigtiff.tif", bytes_, {**tiles, "BIGTIFF": "YES"}),
        ("cog.tif", np.moveaxis(images.gradient(600, 500), -1, 0), {"driver": "COG", "compress": "deflate"}),
        ("gcps.tif", bytes_, {"crs": None, "transform": None}),
        ("bytes.jp2", bytes_, {"driver": "JP2OpenJPEG"}),
        ("deep.jp2", images.deep_ramp(3, 200, 160), {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}),
        ("tiles.jp2", bytes_, {"driver": "JP2OpenJPEG", "BLOCKXSIZE": 64, "BLOCKYSIZE": 64}),
    ]
    plan += [
        (f"{how}.tif", bytes_, {**tiles, "compress": how})
        for how in ("deflate", "lzw", "packbits", "zstd", "lzma", "webp", "lerc")
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, array, options in plan:
            images.geotiff(folder / name, array, **options)
        points = [
            GroundControlPoint(row, column, 500_000 + 9 * column + 0.01 * column * row, 4_500_000 - 9 * row + column)
            for row in (0, 80, 160)
            for column in (0, 80, 160)
        ]
        with rasterio.open(folder / "gcps.tif", "r+") as target:
            target.gcps = (points, CRS.from_epsg(32633))
    return [folder / name for name, _array, _options in plan]


def _zips(folder: Path) -> list[Path]:
    """Write an honest archive, and one of each kind that must not be unpacked as it is."""
    picture = (folder / "rgb.png").read_bytes()
    with zipfile.ZipFile(folder / "honest.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/one.png", picture)
        archive.writestr("a/two.jpg", (folder / "baseline.jpg").read_bytes())
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", picture + bytes(20_000_000))
    with zipfile.ZipFile(folder / "paths.zip", "w") as archive:
        for name in ("../up.png", "/absolute.png", "a/../../b.png", "c:\\d.png", "good.png"):
            archive.writestr(name, picture)
    with zipfile.ZipFile(folder / "nested.zip", "w") as archive:
        archive.write(folder / "honest.zip", "inner.zip")
    return [folder / f"{name}.zip" for name in ("honest", "bomb", "paths", "nested")]


def _flips(chance: random.Random, content: bytearray, _whole: Mapping[str, bytes]) -> bytearray:
    for _time in range(chance.choice((1, 2, 5, 20, 100))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return content


def _head_flips(chance: random.Random, content: bytearray, _whole: Mapping[str, bytes]) -> bytearray:
    for _time in range(chance.choice((1, 1, 2, 4))):
        content[chance.randrange(min(len(content), _HEAD_BYTES))] = chance.choice((0, 1, 127, 128, 255))
    return content


def _numbers(chance: random.Random, content: bytearray, _whole: Mapping[str, bytes]) -> bytearray:
    """Write extreme numbers where widths, heights, counts, offsets and lengths stand."""
    for _time in range(chance.choice((1, 1, 2, 3))):
        size = chance.choice((2, 4, 4, 8))
        end = max(1, min(len(content) - size, chance.choice((400, len(content)))))
        at = chance.randrange(end)
        value = chance.choice(_NUMBERS) & ((1 << 8 * size) - 1)
        content[at : at + size] = value.to_bytes(size, chance.choice(("little", "big")))
    return content


def _cut(chance: random.Random, content: bytearray, _whole: Mapping[str, bytes]) -> bytearray:
    return content[: chance.randrange(len(content))]


def _drop(chance: random.Random, content: bytearray, _whole: Mapping[str, bytes]) -> bytearray:
    at = chance.randrange(len(content))
    del content[at : at + chance.randrange(1, 200)]
    return content


def _repeat(chance: random.Random, content: bytearray, _whole: Mapping[str, bytes]) -> bytearray:
    at = chance.randrange(len(content))
    part = content[at : at + chance.randrange(1, 200)]
    return content[:at] + part * chance.choice((2, 50, 2000)) + content[at:]


def _splice(chance: random.Random, content: bytearray, whole: Mapping[str, bytes]) -> bytearray:
    other = whole[chance.choice(sorted(whole))]
    return content[: chance.randrange(len(content))] + other[chance.randrange(len(other)) :]


def _noise(chance: random.Random, content: bytearray, _whole: Mapping[str, bytes]) -> bytearray:
    at = chance.randrange(len(content))
    content[at:] = chance.randbytes(len(content) - at)
    return content


def _nothing(_chance: random.Random, content: bytearray, _whole: Mapping[str, bytes]) -> bytearray:
    return content


_WAYS: Final[dict[str, Callable[[random.Random, bytearray, Mapping[str, bytes]], bytearray]]] = {
    "bytes flipped": _flips,
    "head flipped": _head_flips,
    "extreme numbers": _numbers,
    "cut off": _cut,
    "bytes dropped": _drop,
    "bytes repeated": _repeat,
    "spliced": _splice,
    "noise": _noise,
    "as it was": _nothing,
}
