"""A linear adapter: a small learned correction of an encoder's text vectors towards one archive's pictures.

t -> unit(t + (t down) up), with down (d, r) and up (r, d). It acts on texts only, when they are encoded, so the
stored vectors of pictures stay as they are and taking it away is enough to undo it. Pure numpy; the JSON object kept
in the encoder's row is made by ``pack`` and read by ``apply``; ``imagery/evaluation/adapt.py`` learns one.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .base import unit_rows
from .errors import EncoderMismatch

MOST_BYTES: Final = 128 * 1024
"""Of both factors in half precision: they are read with the encoder's row, so they must stay small."""


def most_rank(dimension: int) -> int:
    """The largest rank r of (dimension, r) and (r, dimension) whose factors fit into ``MOST_BYTES``."""
    return max(1, min(dimension, MOST_BYTES // (2 * dimension * np.dtype(np.float16).itemsize)))


def apply(vectors: NDArray[np.float32], adapter: Mapping[str, Any]) -> NDArray[np.float32]:
    """Unit text rows (n, d) -> unit rows (n, d) float32; an empty ``adapter`` returns ``vectors`` as they are.

    Raises EncoderMismatch if the adapter is damaged or made for vectors of another length.
    """
    if not adapter:
        return vectors
    try:
        down, up = _factors(str(adapter["down"]), str(adapter["up"]), int(adapter["dimension"]), int(adapter["rank"]))
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise EncoderMismatch(
            f'The adapter of the encoder is damaged ({error}): remove it with "manage.py adapt --remove" and learn it '
            "again."
        ) from error
    if vectors.shape[1] != down.shape[0]:
        raise EncoderMismatch(
            f"The adapter is for vectors of {down.shape[0]} numbers, but the encoder gives {vectors.shape[1]}: remove "
            'it with "manage.py adapt --remove".'
        )
    return unit_rows(vectors + (vectors @ down) @ up)


def fingerprint(adapter: Mapping[str, Any]) -> str:
    """What tells adapters apart, for caches of text vectors: 16 hexadecimal digits; empty for no adapter."""
    return str(adapter.get("checksum", "damaged")) if adapter else ""


def pack(down: NDArray[np.floating], up: NDArray[np.floating]) -> dict[str, Any]:
    """The JSON object of an adapter: ``dimension``, ``rank``, both factors as base64 of float16, ``checksum``.

    Raises ValueError if (d, r) and (r, d) do not fit or a number is too large for half precision.
    """
    if down.ndim != 2 or down.shape != up.shape[::-1]:
        raise ValueError(f"Factors of shapes {down.shape} and {up.shape} do not fit.")
    # Both are scaled alike, so that neither loses precision to the other.
    scale = np.sqrt(max(float(np.abs(up).max()), 1e-12) / max(float(np.abs(down).max()), 1e-12))
    halves = [np.asarray(factor, dtype="<f2") for factor in (down * scale, up / scale)]
    if not all(np.isfinite(half).all() for half in halves):
        raise ValueError("The adapter's numbers are too large for half precision.")
    content = [half.tobytes() for half in halves]
    dimension, rank = down.shape
    return {
        "dimension": dimension,
        "rank": rank,
        "down": base64.b64encode(content[0]).decode(),
        "up": base64.b64encode(content[1]).decode(),
        "checksum": hashlib.sha256(b"".join(content)).hexdigest()[:16],
    }


@lru_cache(maxsize=4)
def _factors(down: str, up: str, dimension: int, rank: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return _unpacked(down, (dimension, rank)), _unpacked(up, (rank, dimension))


def _unpacked(text: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    factor = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f2").astype(np.float32).reshape(shape)
    if not np.isfinite(factor).all():
        raise ValueError("a number is not finite")
    factor.flags.writeable = False
    return factor
