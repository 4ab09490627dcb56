"""Bands: what a score means in words, by the calibration of the encoder that gave it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from django.db import models
from django.utils.translation import gettext_lazy as _
from numpy.typing import ArrayLike, NDArray

LIKELY_FROM: Final = 0.5
POSSIBLE_FROM: Final = 0.2


class Band(models.TextChoices):
    """How far a hit can be trusted."""

    LIKELY = "likely", _("likely match")
    POSSIBLE = "possible", _("possible match")
    UNLIKELY = "unlikely", _("unlikely match")


def probabilities(scores: ArrayLike, calibration: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """Return the probability (n,) that each hit shows what was asked, or None for an uncalibrated encoder.

    Platt scaling: 1 / (1 + exp(-(scale * score + offset))); J. Platt, Probabilistic outputs for support vector
    machines, 1999. ``calibration`` is ``{"scale": float, "offset": float}``, or empty.
    """
    if "scale" not in calibration or "offset" not in calibration:
        return None
    logits = float(calibration["scale"]) * np.asarray(scores, dtype=np.float64) + float(calibration["offset"])
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -500.0, 500.0)))


def bands_in_order(similarities: ArrayLike, calibration: Mapping[str, Any]) -> list[Band]:
    """Return the band of each hit of a ranking, by its plain cosine (n,), never better than the band of a hit above.

    The calibration speaks of cosines, whatever the stages ordered by, so that a band means the same in every search.
    Where the stages ordered otherwise than the cosine, neighbours in the list share the mean of their probabilities:
    isotonic regression on the rank (Barlow et al. 1972), the non-increasing curve nearest to what the cosines say. So
    the line of the weaker matches stands at one place, and everything under it is weak. Without a calibration nothing
    is known, so every hit is possible.
    """
    chances = probabilities(similarities, calibration)
    if chances is None:
        return [Band.POSSIBLE] * len(np.asarray(similarities))
    return [_band(chance) for chance in falling(chances)]


def falling(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the non-increasing sequence (n,) nearest to ``values`` (least squares), by pooling adjacent violators."""
    means: list[float] = []
    sizes: list[int] = []
    for value in values.tolist():
        mean, size = value, 1
        while means and means[-1] < mean:
            mean = (mean * size + means[-1] * sizes[-1]) / (size + sizes[-1])
            size += sizes.pop()
            means.pop()
        means.append(mean)
        sizes.append(size)
    return np.repeat(np.array(means), sizes)


def weaker_from(hit_bands: Sequence[Band]) -> int | None:
    """Return the index of the first hit below the "weaker matches" line, or None when every hit is above it."""
    return next((index for index, band in enumerate(hit_bands) if band == Band.UNLIKELY), None)


def _band(chance: float) -> Band:
    if chance >= LIKELY_FROM:
        return Band.LIKELY
    return Band.POSSIBLE if chance >= POSSIBLE_FROM else Band.UNLIKELY
