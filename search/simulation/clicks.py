"""Which hits a simulated person opens: the position-based click model.

A hit is opened if it is looked at and then found good; how likely it is looked at depends on nothing but its place
(Richardson, Dominowska and Ragno, WWW 2007; Craswell et al., "An experimental comparison of click position-bias
models", WSDM 2008). The form of both parts is that of Joachims, Swaminathan and Schnabel, "Unbiased learning-to-rank
with biased feedback", WSDM 2017, section 6.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsportal.errors import InvalidInput


@dataclass(frozen=True)
class ClickModel:
    """P(opened) = (1 / rank) ** ``eta`` for a relevant hit, times ``noise`` for one that is not.

    Ranks are those of a page of ``page`` hits and begin with 1; what is not on the page is never opened.
    """

    eta: float = 1.0
    noise: float = 0.05
    page: int = 20

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 10:
            raise InvalidInput(f"--eta is {self.eta:g}; it must be 0 (no bias) to 10.", field="eta")
        if not 0 <= self.noise <= 1:
            raise InvalidInput(f"--noise is {self.noise:g}; it must be 0 to 1.", field="noise")
        if self.page < 1:
            raise InvalidInput(f"--page is {self.page}; it must be at least 1.", field="page")

    def chances(self, relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return how likely each of the hits of a page (n,), best first, is opened."""
        ranks = np.arange(1, len(relevant) + 1, dtype=np.float64)
        return np.asarray(ranks**-self.eta * np.where(relevant, 1.0, self.noise), dtype=np.float64)

    def opened(self, relevant: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.intp]:
        """Return the places (from 0) on a page that one person opens, each by its own draw."""
        return np.flatnonzero(rng.random(len(relevant)) < self.chances(relevant))
