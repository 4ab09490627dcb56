"""Why a hit is where it is: a small JSON object a hit, kept in ``Ranking.reasons``."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from search.ranking.pool import Pool

_DIGITS: Final = 3


def reasons_of(pool: Pool, *, similarities: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return for each row of the pool what its stages said of it.

    ``{"similarity": plain cosine, stage: what it noted, stage + ".places": places gained by it (lost: negative)}``;
    a stage that said nothing of a hit, or moved it nowhere, is left out.
    """
    found: list[dict[str, Any]] = [{"similarity": round(float(value), _DIGITS)} for value in similarities]
    for name, note in pool.notes.items():
        for reason, value in zip(found, note.tolist(), strict=True):
            if value is not None and not (name.endswith(".places") and value == 0):
                reason[name] = round(value, _DIGITS) if isinstance(value, float) else value
    return found
