"""How well two sets of vectors of the same inputs agree. Pure numpy."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS: Final = 10


@dataclass(frozen=True)
class Agreement:
    """Cosines between the rows of two runs."""

    mean_cosine: float
    min_cosine: float

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {name: round(value, 7) for name, value in asdict(self).items()}


def agreement(rows: NDArray[np.floating], reference: NDArray[np.floating]) -> Agreement:
    """Compare (n, d) unit rows with the (n, d) unit rows they should be. Raises ValueError on other shapes."""
    if rows.shape != reference.shape or rows.ndim != 2 or len(rows) == 0:
        raise ValueError(f"Rows of shape {rows.shape} cannot be compared with rows of shape {reference.shape}.")
    cosines = np.einsum("ij,ij->i", np.asarray(rows, dtype=np.float64), np.asarray(reference, dtype=np.float64))
    if not np.isfinite(cosines).all():
        return Agreement(mean_cosine=-1.0, min_cosine=-1.0)
    return Agreement(mean_cosine=float(cosines.mean()), min_cosine=float(cosines.min()))


def nearest(queries: NDArray[np.floating], rows: NDArray[np.floating], count: int = NEIGHBOURS) -> NDArray[np.int64]:
    """(q, count) the numbers of the rows most similar to each query, best first; equal ones by number."""
    scores = np.asarray(queries, dtype=np.float32) @ np.asarray(rows, dtype=np.float32).T
    return np.asarray(np.argsort(-scores, axis=1, kind="stable")[:, :count], dtype=np.int64)


def top_overlap(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """The mean share, 0..1, of (q, k) neighbours in ``first`` that are in ``second`` too, in any order."""
    if first.shape != second.shape or first.size == 0:
        raise ValueError(f"Neighbours of shape {first.shape} cannot be compared with those of shape {second.shape}.")
    shared = [len(set(a) & set(b)) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    return float(np.mean(shared)) / first.shape[1]


def best_kept(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """The share, 0..1, of queries whose best row in ``first`` is among their (q, k) rows in ``second``."""
    return float(np.mean((second == first[:, :1]).any(axis=1)))
