"""Where and how fast training goes. torch is imported inside functions only."""

import math
from typing import TYPE_CHECKING, Final

from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    import torch

_WARM_UP_STEPS: Final = 50


def rate_factor(step: int, total: int) -> float:
    """The share of the largest learning rate at step 0..total - 1: a linear warm-up under half a cosine."""
    warm_up = max(1, min(_WARM_UP_STEPS, total // 2))
    return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / total))


def usable_device(name: str) -> "torch.device":
    """The torch device of this name. Raises InvalidInput if it cannot be used here."""
    import torch

    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA.
        raise InvalidInput(f"--device {name} cannot be used here ({str(error).splitlines()[0]}).") from error
    return device
