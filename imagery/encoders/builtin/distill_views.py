"""Random views of pictures as 8-bit pixels: teacher and student are shown the very same ones.

torch is imported inside functions only.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .pixels import eight_bit

# Views are drawn by blocks of pictures with a seed each, so that any block can be drawn again alone.
BLOCK_IMAGES: Final = 64


def view_pixels(pixels: NDArray[np.uint8], view: int, start: int, *, seed: int) -> NDArray[np.uint8]:
    """View `view` of the pictures start..start + BLOCK_IMAGES - 1 of (n, S, S, 3); view 0 is the picture itself."""
    block = np.array(pixels[start : start + BLOCK_IMAGES])
    if view == 0:
        return block
    import torch

    from .augment import random_views

    (own,) = np.random.SeedSequence([seed, view, start]).generate_state(1)
    drawn = random_views(torch.from_numpy(block), generator=torch.Generator().manual_seed(int(own)))
    return np.asarray(eight_bit(drawn.permute(0, 2, 3, 1).numpy()))
