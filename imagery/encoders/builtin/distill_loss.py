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
    contrastive: float,
) -> Tensor:
    """A number: 1 - cosine to the teacher, mean over pictures plus mean over texts, plus `contrastive` x InfoNCE.

    All rows are of unit length: `images` and `teacher_images` (n, d), `texts` and `teacher_texts` (m, d); `positive`
    (n, m) is true where the text describes the picture. InfoNCE compares the student's texts with the teacher's
    pictures (an archive of the teacher's is queried so), its pictures with the teacher's texts, and the student's with
    its own; without `images` only the first. The cosine alone would let a student rest at the teacher's mean vector,
    from which the vectors of most large models are never far.
    """
    loss = _distance(texts, teacher_texts)
    contrasts = [contrastive_loss(teacher_images, texts, positive, scale=scale)]
    if images is not None:
        loss = loss + _distance(images, teacher_images)
        contrasts += [contrastive_loss(images, side, positive, scale=scale) for side in (teacher_texts, texts)]
    return loss + contrastive * torch.stack(contrasts).mean()


def _distance(rows: Tensor, targets: Tensor) -> Tensor:
    return 1 - (rows * targets).sum(dim=1).mean()
