"""Which queries are alike: what was asked together as one vector, and how near two of them must be.

Without what all texts have in common: of three published CLIP models up to a tenth of the pairs of *different* classes
have a cosine above .9, and none has .75 less the text mean (bench/similar_queries.py, docs/learning.md).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from search.ranking.examples import query_composed
from search.ranking.query import Geometry, RankQuery, Vector, unit
from search.ranking.stages import Stage, StageSettings


@dataclass(frozen=True)
class Likeness:
    """From which cosine on two queries are the same question (``same``), and from which on similar ones (``similar``).

    92 in 100 pairs of phrases above .75 are of one class of thirty with the built-in encoder, and a phrase and its
    translation reach it 86 times in 100; the same words with an article or in the plural reach .9 97 times in 100.
    """

    same: float
    similar: float


CENTRED: Final = Likeness(same=0.9, similar=0.75)
AS_THEY_ARE: Final = Likeness(same=0.98, similar=0.95)
"""Of vectors whose text mean is not known yet."""
_CENTRED: Final = StageSettings(normalise=Stage(on=True))
_AS_THEY_ARE: Final = StageSettings()


def asked_together(query: RankQuery, geometry: Geometry) -> Vector:
    """Return the unit vector (d,) that all of a query stands for when it is compared with other queries.

    The text without the text mean, as far as that is known, and the examples that are wanted beside it
    (``search.ranking.examples``), whatever the ranking's stages are set to: so that vectors that were kept under other
    settings can still be compared.
    """
    if query.examples:
        return query_composed(query, geometry=geometry, settings=_CENTRED if geometry.complete else _AS_THEY_ARE)
    if geometry.text_mean is None:
        return query.vector
    return unit(np.asarray(query.vector - geometry.text_mean, dtype=np.float32))


def likeness_of(geometry: Geometry) -> Likeness:
    """Return the thresholds for vectors of ``asked_together``."""
    return AS_THEY_ARE if geometry.text_mean is None else CENTRED
