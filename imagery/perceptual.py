"""What a picture looks like, in 64 bits: copies that were compressed or scaled anew differ in a few of them.

The signs of the 64 lowest frequencies of its brightness: a discrete cosine transform of 32 x 32 means. Zauner
("Implementation and benchmarking of perceptual image hash functions", 2010) compares with the median of all where this
compares with 0, which measured a little better (docs/archive.md). The mean itself is left out, so brightness does not
count, and colour does not.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE: Final = 32  # means in each direction
_BITS: Final = 64
FLAT: Final = 0
"""The hash of pictures without anything to tell them by (sea, cloud, a black margin); it is compared with nothing."""
_FLAT_DEVIATION: Final = 1.5  # grey levels of 255; below, the signs are those of the noise of compression


def perceptual_hash(rgb: NDArray[np.uint8]) -> int:
    """Return the hash of (h, w, 3) uint8 as a signed 64-bit integer, ``FLAT`` for a picture without contrast."""
    grey = Image.fromarray(rgb).convert("L").convert("F")
    means = np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    if means.std() < _FLAT_DEVIATION:
        return FLAT
    basis = _basis()
    lowest = (basis @ means @ basis.T)[_lowest()]
    bits = np.packbits(lowest > 0)
    return int.from_bytes(bits.tobytes(), "big", signed=True)


@cache
def _basis() -> NDArray[np.float64]:
    """Return the (32, 32) matrix of the orthonormal DCT-II; rows are frequencies."""
    frequency, place = np.arange(_SIDE)[:, None], np.arange(_SIDE)[None, :]
    basis = np.sqrt(2 / _SIDE) * np.cos(np.pi * (2 * place + 1) * frequency / (2 * _SIDE))
    basis[0] /= np.sqrt(2)
    return np.asarray(basis)


@cache
def _lowest() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the 64 lowest frequencies but the mean, by the sum of both, then by row."""
    pairs = sorted(((v, u) for v in range(_SIDE) for u in range(_SIDE) if v + u), key=lambda p: (p[0] + p[1], p[0]))
    rows, columns = zip(*pairs[:_BITS], strict=True)
    return np.array(rows), np.array(columns)
