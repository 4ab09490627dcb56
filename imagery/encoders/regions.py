"""Vectors of the quarters of a picture, from the maps of the same forward pass that gives the vector of the whole.

A tower of an encoder whose plan has ``regions`` gives the whole and its four quarters side by side; they are kept as
8-bit numbers. Pure numpy; docs/decisions/0008 says what they are worth.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

GRID: Final = 2
CELLS: Final = GRID * GRID
"""Cells of a picture, row by row from the top left."""
_LARGEST: Final = 127


def wide_split(rows: NDArray[np.floating], dimension: int) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """(n, (1 + CELLS) * dimension) of a tower -> whole (n, dimension) and cells (n, CELLS, dimension)."""
    return rows[:, :dimension], rows[:, dimension:].reshape(len(rows), CELLS, dimension)


def cells_packed(cells: NDArray[np.floating]) -> list[bytes]:
    """(n, CELLS, d) of any length -> CELLS * d bytes each: every cell scaled to its largest number, to nearest."""
    largest = np.maximum(np.abs(cells).max(axis=2, keepdims=True), np.finfo(np.float32).tiny)
    return [row.tobytes() for row in np.rint(cells / largest * _LARGEST).astype(np.int8)]


def cells_unpacked(packed: Sequence[bytes], dimension: int) -> NDArray[np.float32]:
    """The bytes of n pictures -> (n, CELLS, d) float32 unit rows; the scale of a cell does not matter.

    Raises ValueError for bytes of another dimension.
    """
    if any(len(row) != CELLS * dimension for row in packed):
        raise ValueError(f"cells of {dimension} numbers take {CELLS * dimension} bytes")
    rows = np.frombuffer(b"".join(packed), dtype=np.int8).reshape(len(packed), CELLS, dimension).astype(np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=2, keepdims=True), 1.0), dtype=np.float32)


def cell_window(window: tuple[int, int, int, int], cell: int) -> tuple[int, int, int, int]:
    """The part (x, y, width, height) of a ``window`` (x, y, width, height) that a cell (0 to CELLS - 1) shows."""
    x, y, width, height = window
    row, column = divmod(cell, GRID)
    left, top = x + width * column // GRID, y + height * row // GRID
    return left, top, x + width * (column + 1) // GRID - left, y + height * (row + 1) // GRID - top
