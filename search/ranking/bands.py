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


def bands(scores: ArrayLike, calibration: Mapping[str, Any]) -> list[Band]:
    """Return the band of each score (n,). Without a calibration nothing is known, so every hit is possible."""
    chances = probabilities(scores, calibration)
    if chances is None:
        return [Band.POSSIBLE] * len(np.asarray(scores))
    return [_band(chance) for chance in chances]


def weaker_from(hit_bands: Sequence[Band]) -> int | None:
    """Return the index of the first hit below the "weaker matches" line, or None when every hit is above it."""
    return next((index for index, band in enumerate(hit_bands) if band == Band.UNLIKELY), None)


def _band(chance: float) -> Band:
    if chance >= LIKELY_FROM:
        return Band.LIKELY
    return Band.POSSIBLE if chance >= POSSIBLE_FROM else Band.UNLIKELY
