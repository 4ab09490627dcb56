"""The last stage: a cross-encoder's second look at the first hits changes their order among themselves."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from search.ranking.scenes import RankedScenes

_DIGITS: Final = 3


def second_look_rank(
    ranked: RankedScenes, *, log_odds: NDArray[np.float64], weight: float, skipped: str = ""
) -> RankedScenes:
    """Return the scenes with the first m in the order of the second look; ``log_odds`` (m,), NaN for not looked at.

    ``scores`` stay with the places, so that they fall from the first scene to the last and mean what they meant. Each
    of the m reasons gets ``cross_encoder``: ``{"chance": 0 to 1}`` that picture and text match, or ``{"skipped": why}``
    (``skipped``, or "picture" where only that was missing); and ``cross_encoder.places`` that the hit gained (lost:
    negative).
    """
    head = np.asarray(log_odds, dtype=np.float64)
    order = np.arange(len(ranked.scene_ids))
    order[: len(head)] = second_look_order(scores=ranked.scores[: len(head)], log_odds=head, weight=weight)
    reasons = [dict(ranked.reasons[row]) for row in order]
    for place, row in enumerate(order[: len(head)]):
        if np.isnan(head[row]):
            reasons[place]["cross_encoder"] = {"skipped": skipped or "picture"}
        else:
            reasons[place]["cross_encoder"] = {"chance": round(float(1.0 / (1.0 + np.exp(-head[row]))), _DIGITS)}
        if row != place:
            reasons[place]["cross_encoder.places"] = int(row) - place
    return replace(
        ranked,
        scene_ids=ranked.scene_ids[order],
        tile_ids=ranked.tile_ids[order],
        similarities=ranked.similarities[order],
        reasons=reasons,
    )


def second_look_order(*, scores: NDArray[np.float64], log_odds: NDArray[np.float64], weight: float) -> NDArray[np.intp]:
    """Return the order (n,), best first, of hits that come with descending ``scores`` (n,) of the stages before.

    ``log_odds`` (n,) are the cross-encoder's, NaN for hits it did not look at. Those keep their places; the others
    share theirs out anew by z(score) + weight z(log odds), z over them alone. Of equal ones the earlier stays first.
    Raises ValueError on shapes that differ.
    """
    if scores.shape != log_odds.shape or scores.ndim != 1:
        raise ValueError(f"scores {scores.shape} and log_odds {log_odds.shape} must be one number a hit")
    order = np.arange(len(scores))
    places = np.flatnonzero(~np.isnan(log_odds))
    fused = standardised(scores[places]) + weight * standardised(log_odds[places])
    order[places] = places[np.argsort(-fused, kind="stable")]
    return order


def standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) -> (n,) of mean 0 and standard deviation 1; zeros where all values are the same."""
    spread = values.std() if len(values) else 0.0
    return (values - values.mean()) / spread if spread > 0 else np.zeros(len(values))
