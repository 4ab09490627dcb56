"""The exponential moving average of weights: a better model than the last step's, at no cost in use.

Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992), with exponential weights.

This module imports torch: import it inside functions only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import nn

_HASTE: Final = 10


class MovingAverage:
    """mean <- d mean + (1 - d) weights after every step, over all parameters and buffers of some modules.

    d is min(`decay`, t / (t + 10)) at step t, so that the first steps do not hold on to the beginning.
    """

    def __init__(self, modules: list[nn.Module], decay: float) -> None:
        self._live = [t for m in modules for t in m.state_dict(keep_vars=True).values() if t.is_floating_point()]
        self._mean = [t.detach().clone() for t in self._live]
        self._decay = decay
        self._updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take one step towards the present weights."""
        self._updates += 1
        weight = 1 - min(self._decay, self._updates / (self._updates + _HASTE))
        for mean, live in zip(self._mean, self._live, strict=True):
            mean.lerp_(live.detach(), weight)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """A context in which the modules hold the average."""
        kept = [live.detach().clone() for live in self._live]
        self.apply_for_good()
        try:
            yield
        finally:
            with torch.no_grad():
                for live, own in zip(self._live, kept, strict=True):
                    live.copy_(own)

    @torch.no_grad()
    def apply_for_good(self) -> None:
        """The modules take the average over."""
        for mean, live in zip(self._mean, self._live, strict=True):
            live.copy_(mean)

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self._mean, "updates": self._updates}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._updates = state["updates"]
        for mean, saved in zip(self._mean, state["mean"], strict=True):
            mean.copy_(saved)
