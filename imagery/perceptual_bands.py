"""Hashes a few bits away from another one, found by an index among millions.

Multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012): two hashes that differ in at most 7 of 64 bits differ in at
most one bit of at least one of their four bands of 16 bits. So it is enough to look up, in an index of each band, the
band itself and the 16 values one bit away from it. Nothing is missed, and little is found that is farther away.
"""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import CombinedExpression
from django.db.models.lookups import In

BANDS: Final = 4
_BAND_BITS: Final = 16
_BAND_MASK: Final = (1 << _BAND_BITS) - 1
MAX_DISTANCE: Final = 2 * BANDS - 1
"""Bits; hashes up to this far away are found, all of them."""


def hash_indexes() -> list[models.Index]:
    """Return one index for each band of ``Scene.perceptual_hash``.

    They hold scenes without a hash, too: of a partial index on an expression, the planner does not use the statistics,
    takes 340,000 of a million rows for what are 1,000, and reads them all.
    """
    return [models.Index(_band(band), name=f"scene_hash_band_{band}") for band in range(BANDS)]


def near_hash(*perceptual_hashes: int) -> Q:
    """Return the rule that passes every hash at most ``MAX_DISTANCE`` bits away from one of these, and some others."""
    rule = Q(pk__in=[])
    for band in range(BANDS):
        values = {(each >> (_BAND_BITS * band)) & _BAND_MASK for each in perceptual_hashes}
        probes = {value ^ flip for value in values for flip in (0, *(1 << bit for bit in range(_BAND_BITS)))}
        if probes:
            rule |= Q(In(_band(band), sorted(probes)))
    return rule


def distance_to(perceptual_hash: int) -> models.Func:
    """Return the expression of how many bits (0 to 64) ``Scene.perceptual_hash`` differs from this one."""
    return models.Func(
        F("perceptual_hash"),
        template=f"bit_count((%(expressions)s # '{int(perceptual_hash)}'::bigint)::bit(64))",
        output_field=models.IntegerField(),
    )


def _band(band: int) -> CombinedExpression:
    return F("perceptual_hash").bitrightshift(_BAND_BITS * band).bitand(_BAND_MASK)
