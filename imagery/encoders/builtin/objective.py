"""The training objective: contrastive, aware that one caption may describe several images.

This module imports torch: import it inside functions only.
"""

import torch
from torch import Tensor


def contrastive_loss(images: Tensor, texts: Tensor, positive: Tensor, *, scale: Tensor) -> Tensor:
    """InfoNCE (van den Oord et al. 2018) both ways, as in CLIP (Radford et al. 2021), with several positives.

    `images` (n, d) and `texts` (m, d) are unit rows; `positive` (n, m) is true where the text describes the
    image; the result is a number, in nats. Each positive pair is compared with
    the negatives only, never with other positives: identical captions must not push their images apart.
    """
    scores = images @ texts.T * scale
    return 0.5 * (_one_way(scores, positive) + _one_way(scores.T, positive.T))


def _one_way(scores: Tensor, positive: Tensor) -> Tensor:
    """Rows are queries; the mean over queries of the mean over their positives."""
    against = torch.logsumexp(scores.masked_fill(positive, float("-inf")), dim=1, keepdim=True)
    each = torch.nn.functional.softplus(against - scores)
    weights = positive.float()
    counts = weights.sum(dim=1)
    losses = (each * weights).sum(dim=1) / counts.clamp(min=1.0)
    return losses[counts > 0].mean()
