"""What a student is punished for: being far from its teacher's vectors, and telling captions apart badly.

This module imports torch: import it inside functions only.
"""

import torch
from torch import Tensor

from .objective import contrastive_loss


def distillation_loss(
    *,
    images: Tensor | None,
    texts: Tensor,
    teacher_images: Tensor,
    teacher_texts: Tensor,
    positive: Tensor,
    scale: Tensor,
    spreads: tuple[float, float],
    contrastive: float,
) -> Tensor:
    """A number: the teacher's variance that is not explained, of pictures plus of texts, plus `contrastive` x InfoNCE.

    All rows are of unit length: `images` and `teacher_images` (n, d), `texts` and `teacher_texts` (m, d); `positive`
    (n, m) is true where the text describes the picture. What is not explained is 1 - cosine over `spreads`, the mean
    of 1 - cosine of the teacher's own pictures and texts to their mean (`distill_scores.spread`): the vectors of most
    large models are near their mean, so a plain cosine is high for a student that has learnt nothing else. InfoNCE
    compares the student's texts with the teacher's pictures (an archive of the teacher's is queried so), its pictures
    with the teacher's texts, and the student's with its own; without `images` only the first.
    """
    loss = _distance(texts, teacher_texts) / spreads[1]
    contrasts = [contrastive_loss(teacher_images, texts, positive, scale=scale)]
    if images is not None:
        loss = loss + _distance(images, teacher_images) / spreads[0]
        contrasts += [contrastive_loss(images, side, positive, scale=scale) for side in (teacher_texts, texts)]
    return loss + contrastive * torch.stack(contrasts).mean()


def _distance(rows: Tensor, targets: Tensor) -> Tensor:
    return 1 - (rows * targets).sum(dim=1).mean()
