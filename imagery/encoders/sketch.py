"""From a drawing's vector to where pictures lie: the bridge between an encoder's edge maps and its images. Pure numpy.

Encoders have seen photographs; a line drawing lands far from the pictures it shows, near other drawings. With vectors
E (n, d) of the edge maps of n pictures and X (n, d) of the pictures themselves, ridge regression (Hoerl and Kennard
1970) of X - mean(X) on E - mean(E) tells which picture a drawing means:

    x = unit(mean(X) + spread * unit((e - mean(E)) W)),  W = (C + strength * tr(C)/d * I)^-1 (E - mean(E))'(X - mean(X))

with C = (E - mean(E))'(E - mean(E)). ``spread``, the mean length of X - mean(X), gives a sketch the share of the mean
that a picture has, so that it compares with stored vectors as they are. docs/sketch.md has what this is worth.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .base import unit_rows
from .errors import EncoderMismatch

STRENGTHS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_NUMBER: Final = np.dtype("<f2")


@dataclass(frozen=True)
class Bridge:
    """``edge_mean`` and ``image_mean`` (d,), ``matrix`` (d, d), all float32; ``spread`` is a length."""

    edge_mean: NDArray[np.float32]
    image_mean: NDArray[np.float32]
    matrix: NDArray[np.float32]
    spread: float

    @property
    def dimension(self) -> int:
        """Length of the vectors it is for."""
        return len(self.edge_mean)

    def directions(self, edges: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit rows of drawings (n, d) -> unit rows (n, d) of where their pictures lie, seen from the mean picture."""
        return unit_rows((edges - self.edge_mean) @ self.matrix)

    def apply(
        self, edges: NDArray[np.float32], *, image_mean: NDArray[np.floating] | None = None
    ) -> NDArray[np.float32]:
        """Unit rows of drawings (n, d) -> unit rows (n, d) among the vectors of pictures.

        ``image_mean`` (d,) is that of the archive that is searched, where it is not the one that taught: a sketch then
        stands as far from the middle of this archive, and on the same side. Raises EncoderMismatch.
        """
        if edges.shape[1] != self.dimension:
            raise EncoderMismatch(
                f"The sketch bridge is for vectors of {self.dimension} numbers, but the encoder gives "
                f'{edges.shape[1]}: run "manage.py fit_sketch" for it.'
            )
        middle = self.image_mean if image_mean is None else np.asarray(image_mean, dtype=np.float32)
        return unit_rows(middle + self.spread * self.directions(edges))


def bridge_fit(edges: NDArray[np.float32], images: NDArray[np.float32], *, strength: float) -> Bridge:
    """The bridge that edge maps (n, d) and their pictures (n, d), unit rows, teach; d**3 steps."""
    edge_mean, image_mean = edges.mean(axis=0), images.mean(axis=0)
    drawn = (edges - edge_mean).astype(np.float64)
    seen = (images - image_mean).astype(np.float64)
    square = drawn.T @ drawn
    square += strength * np.trace(square) / len(square) * np.eye(len(square))
    return Bridge(
        edge_mean=np.asarray(edge_mean, dtype=np.float32),
        image_mean=np.asarray(image_mean, dtype=np.float32),
        matrix=np.asarray(np.linalg.solve(square, drawn.T @ seen), dtype=np.float32),
        spread=float(np.linalg.norm(seen, axis=1).mean()),
    )


def pack(bridge: Bridge) -> bytes:
    """Its numbers as float16, little-endian: spread, both means, the matrix row by row. Raises ValueError."""
    numbers = [np.array([bridge.spread]), bridge.edge_mean, bridge.image_mean, bridge.matrix.ravel()]
    with np.errstate(over="ignore"):
        halves = np.concatenate(numbers).astype(_NUMBER)
    if not np.isfinite(halves).all():
        raise ValueError("A number of the sketch bridge does not fit into half precision.")
    return halves.tobytes()


def unpack(content: bytes, *, dimension: int, expected: str) -> Bridge:
    """The bridge of ``pack``'s bytes. Raises EncoderMismatch if they are not those of checksum ``expected``."""
    length = 1 + 2 * dimension + dimension * dimension
    if checksum(content) != expected or len(content) != length * _NUMBER.itemsize:
        raise EncoderMismatch('The encoder\'s sketch bridge is damaged: run "manage.py fit_sketch" to make it anew.')
    numbers = np.frombuffer(content, dtype=_NUMBER).astype(np.float32)
    numbers.flags.writeable = False
    edge_mean, image_mean = numbers[1 : 1 + 2 * dimension].reshape(2, dimension)
    return Bridge(edge_mean, image_mean, numbers[1 + 2 * dimension :].reshape(dimension, dimension), float(numbers[0]))


def checksum(content: bytes) -> str:
    """16 hexadecimal digits that stand for the packed bridge."""
    return hashlib.sha256(content).hexdigest()[:16]
