"""Sketches of what was asked: 64 bytes by which similar queries are found without reading the vectors of all.

Random hyperplanes (M. Charikar, STOC 2002): two vectors lie on different sides of a random hyperplane with chance
angle / pi, so the number of different bits tells the cosine. What the sketches let through is measured exactly.
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from search.models.vote import SKETCH_BITS
from search.ranking.query import Vector

_SEED: Final = 19_480_229
"""Of the hyperplanes. Sketches that are kept were made with it: another one would make them strangers."""
_SLACK: Final = 3.5
"""Standard deviations of the number of different bits: of 4,300 pairs at the threshold one is missed."""


def sketch_of(asked: Vector) -> str:
    """Return the sketch of a vector (d,) as PostgreSQL writes bits: a text of ``SKETCH_BITS`` zeros and ones."""
    sides = asked @ _hyperplanes(len(asked)) >= 0
    return (sides.astype(np.uint8) + ord("0")).tobytes().decode("ascii")


def bits_apart(cosine: float) -> int:
    """Return how many bits the sketches of vectors differ in at most, but for one pair in thousands, whose cosine is
    at least this."""
    chance = math.acos(cosine) / math.pi
    return math.ceil(SKETCH_BITS * chance + _SLACK * math.sqrt(SKETCH_BITS * chance * (1.0 - chance)))


@lru_cache(maxsize=4)
def _hyperplanes(dimension: int) -> NDArray[np.float32]:
    """Normals (d, bits). The old generator is asked because its numbers are promised never to change (NEP 19)."""
    numbers = np.random.RandomState(_SEED).standard_normal((dimension, SKETCH_BITS))
    return numbers.astype(np.float32)
