"""How likely a hit is looked at by its rank, beside the first hit: what clicks are weighted by.

Estimated by ``manage.py estimate_propensities`` from swaps of neighbours; before there is an estimate, assumed.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.models import PositionPropensity

ASSUMED_ETA: Final = 1.0
"""Of ``rank ** -eta``, what T. Joachims, A. Swaminathan and T. Schnabel (WSDM 2017, section 6) take as the severity of
the bias unless they know better."""


def propensity_assumed(ranks: ArrayLike) -> NDArray[np.float64]:
    """Return ``1 / rank`` for ranks (n,) from 1: what is assumed before there is an estimate."""
    return np.asarray(ranks, dtype=np.float64) ** -ASSUMED_ETA


def propensity_of(ranks: ArrayLike) -> NDArray[np.float64]:
    """Return how likely hits at these ranks (n,) are looked at, beside the one at rank 1; above 0, at most 1.

    One statement reads the estimate; without one it is ``propensity_assumed``.
    """
    known = list(PositionPropensity.objects.order_by("rank").values_list("rank", "propensity"))
    return propensity_along(ranks, known)


def propensity_along(ranks: ArrayLike, known: Sequence[tuple[int, float]]) -> NDArray[np.float64]:
    """Return propensities (n,) along an estimate, (rank, propensity) in order of rank from 1.

    Beyond its last rank the estimate goes on as what is assumed does: with ``last / rank``.
    """
    wanted = np.asarray(ranks, dtype=np.float64)
    if not known:
        return propensity_assumed(wanted)
    at, values = np.array([rank for rank, _p in known], dtype=np.float64), np.array([p for _rank, p in known])
    inside = np.exp(np.interp(np.log(wanted), np.log(at), np.log(values)))
    beyond = np.maximum(wanted / at[-1], 1.0) ** -ASSUMED_ETA
    return np.asarray(inside * beyond, dtype=np.float64)
