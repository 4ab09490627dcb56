"""A linear adapter: a learned correction of an encoder's text vectors towards one archive's pictures. Pure numpy.

t -> unit(t W) with a square W. It acts on texts only, when they are encoded, so the stored vectors of pictures stay
as they are and taking it away is enough to undo it. ``imagery/evaluation/adapting.py`` learns one.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import unit_rows
from .errors import EncoderMismatch

_NUMBER: Final = np.dtype("<f2")


def apply(vectors: NDArray[np.float32], matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit text rows (n, d) and the adapter (d, d) -> unit rows (n, d) float32. Raises EncoderMismatch."""
    if matrix.shape != (vectors.shape[1],) * 2:
        raise EncoderMismatch(
            f"The adapter is for vectors of {matrix.shape[0]} numbers, but the encoder gives {vectors.shape[1]}: "
            'remove it with "manage.py adapt --remove".'
        )
    return unit_rows(vectors @ matrix)


def fingerprint(facts: Mapping[str, Any]) -> str:
    """What tells adapters apart, for caches of text vectors: 16 hexadecimal digits; empty for no adapter.

    ``facts`` is what the encoder's row says of its adapter (``Encoder.adapter``).
    """
    return str(facts.get("checksum", "")) if facts else ""


def checksum(content: bytes) -> str:
    """16 hexadecimal digits that stand for the packed adapter."""
    return hashlib.sha256(content).hexdigest()[:16]


def pack(matrix: NDArray[np.floating]) -> bytes:
    """(d, d) -> its numbers row by row as float16, little-endian. Raises ValueError if one does not fit."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"An adapter is square, not {matrix.shape}.")
    with np.errstate(over="ignore"):
        halves = np.asarray(matrix, dtype=_NUMBER)
    if not np.isfinite(halves).all():
        raise ValueError("A number of the adapter does not fit into half precision.")
    return halves.tobytes()


def unpack(content: bytes, *, dimension: int, expected: str) -> NDArray[np.float32]:
    """(d, d) float32, not writable. Raises EncoderMismatch if the bytes are not those of checksum ``expected``."""
    if checksum(content) != expected or len(content) != dimension * dimension * _NUMBER.itemsize:
        raise EncoderMismatch(
            'The encoder\'s adapter is damaged: remove it with "manage.py adapt --remove" and learn it again.'
        )
    matrix = np.frombuffer(content, dtype=_NUMBER).astype(np.float32).reshape(dimension, dimension)
    matrix.flags.writeable = False
    return matrix
