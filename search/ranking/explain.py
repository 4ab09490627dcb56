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
    found: list[dict[str, Any]] = [{"similarity": value} for value in _listed(similarities)]
    for name, note in pool.notes.items():
        nothing = 0 if name.endswith(".places") else None
        for reason, value in zip(found, _listed(note), strict=True):
            if value is not None and value != nothing:
                reason[name] = value
    return found


def _listed(note: NDArray[Any]) -> list[Any]:
    """Return the values of a note, numbers with three digits; of a thousand hits at once, not one by one."""
    if note.dtype.kind == "f":
        return list(np.round(note, _DIGITS).tolist())
    if note.dtype.kind != "O":
        return list(note.tolist())
    return [round(value, _DIGITS) if isinstance(value, float) else value for value in note.tolist()]
