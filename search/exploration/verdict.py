"""Who won: the sign test and the interval of a share. Pure."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

_Z: Final = 1.959963984540054
"""Of the normal distribution, for 95 %."""
SIGNIFICANT: Final = 0.05


@dataclass(frozen=True)
class Verdict:
    """``wins`` of A and of B. ``share`` is B's of both, with ``low`` and ``high`` (95 %, Wilson); ``p`` is that of the
    two-sided sign test: how likely so uneven a result is when neither is better. Without wins: 0.5, 0, 1 and 1."""

    wins_a: int
    wins_b: int
    share: float
    low: float
    high: float
    p: float

    @property
    def decided(self) -> int:
        """How many chose."""
        return self.wins_a + self.wins_b

    @property
    def clear(self) -> bool:
        """Whether chance alone would hardly give this."""
        return self.p < SIGNIFICANT


def verdict_of(wins_a: int, wins_b: int) -> Verdict:
    """Return what so many wins say."""
    low, high = wilson(wins_b, wins_a + wins_b)
    total = wins_a + wins_b
    return Verdict(wins_a, wins_b, wins_b / total if total else 0.5, low, high, sign_test(wins_a, wins_b))


def wilson(successes: int, tries: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (E. B. Wilson, Probable Inference, JASA 1927); (0, 1) without tries."""
    if not tries:
        return 0.0, 1.0
    share, square = successes / tries, _Z * _Z
    middle = (share + square / (2 * tries)) / (1 + square / tries)
    half = _Z / (1 + square / tries) * math.sqrt(share * (1 - share) / tries + square / (4 * tries * tries))
    return max(0.0, middle - half), min(1.0, middle + half)


def sign_test(one: int, two: int) -> float:
    """Return the two-sided p-value of the exact sign test: so uneven or more, of as many throws of a fair coin."""
    total, fewer = one + two, min(one, two)
    if one == two:
        return 1.0
    chosen = np.arange(1, fewer + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log((total - chosen + 1) / chosen))]) - total * math.log(2)
    return float(min(1.0, 2 * np.exp(logs).sum()))
