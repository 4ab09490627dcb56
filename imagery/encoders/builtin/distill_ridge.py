"""The start of a student's heads: the linear map of least squares from its features to its teacher's vectors.

Ridge regression (Hoerl and Kennard 1970) needs seconds and no learning rate, and what gradient steps then have to learn
is only what a linear map cannot say. Pure numpy.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.base import unit_rows

# Relative to the mean variance of the features.
_STRENGTHS: Final = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_BLOCK_ROWS: Final = 4096


def fitted(
    inputs: NDArray[np.float32],
    targets: NDArray[np.float32],
    held_out: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight (d, p) and bias (d,) of the map (n, p) -> (n, d) of least squared error.

    `targets` are unit rows; the strength is the one with the largest mean cosine on `held_out` (inputs, targets).
    """
    centre, aim = inputs.mean(axis=0, dtype=np.float64), targets.mean(axis=0, dtype=np.float64)
    square = np.zeros((inputs.shape[1], inputs.shape[1]))
    product = np.zeros((inputs.shape[1], targets.shape[1]))
    for start in range(0, len(inputs), _BLOCK_ROWS):
        x = inputs[start : start + _BLOCK_ROWS] - centre
        square += x.T @ x
        product += x.T @ (targets[start : start + _BLOCK_ROWS] - aim)
    unit = np.trace(square) / len(square)
    best: tuple[float, NDArray[np.float32], NDArray[np.float32]] | None = None
    for strength in _STRENGTHS:
        weight = np.linalg.solve(square + strength * unit * np.eye(len(square)), product).T
        bias = aim - weight @ centre
        rows = unit_rows(held_out[0] @ weight.T + bias)
        cosine = float((rows * held_out[1]).sum(axis=1).mean())
        if best is None or cosine > best[0]:
            best = cosine, weight.astype(np.float32), bias.astype(np.float32)
    assert best is not None
    return best[1], best[2]
