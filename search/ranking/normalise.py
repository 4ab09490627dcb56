"""Distribution normalisation: compare texts and images after taking away what all of them have in common.

Zhou et al., "Test-Time Distribution Normalization for Contrastively Learned Vision-Language Models", NeurIPS 2023,
arXiv 2302.11084, in its form for unit vectors: x = norm(image - mean of images), q = norm(text - mean of texts).
The two means go together: taking one away alone moves the two clouds apart and is worse than nothing.
"""

import numpy as np
from numpy.typing import NDArray

from search.ranking.query import Geometry, Vector, unit


def rows_corrected(rows: NDArray[np.float32], geometry: Geometry, *, share: float = 1.0) -> Vector:
    """Return image rows (n, d), unit, without ``share`` (0 to 1) of the image mean, at length 1 again."""
    return unit(rows - np.float32(share) * _mean(geometry.image_mean), out=True)


def target_corrected(vector: Vector, geometry: Geometry, *, share: float = 1.0) -> Vector:
    """Return a text's unit vector (d,) without ``share`` (0 to 1) of the text mean, at length 1 again."""
    return unit(vector - np.float32(share) * _mean(geometry.text_mean))


def _mean(mean: Vector | None) -> Vector:
    if mean is None:
        raise ValueError("Normalisation needs both means of the encoder; one is missing.")
    return mean
