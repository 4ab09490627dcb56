"""Trained towers -> the one file the built-in encoder is shipped as.

This module imports torch: import it inside functions only.
"""

import json
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file

from .model import DIMENSION, ImageTower, TextTower
from .pixels import IMAGE_SIZE
from .sentences import LANGUAGES, MAX_TOKENS, PACKAGE, package_version

_READABLE_BY_ALL: Final = 0o644


@torch.no_grad()
def export_weights(image: ImageTower, text: TextTower, path: Path, *, scores: dict[str, float]) -> None:
    """Half-precision weights of both towers, with the facts in the header; the backbone is folded already."""
    tensors = {
        f"{tower}.{name}": tensor.detach().cpu().half().contiguous()
        for tower, module in (("image", image), ("text", text))
        for name, tensor in module.state_dict().items()
    }
    facts = {
        "dimension": str(DIMENSION),
        "image_size": str(IMAGE_SIZE),
        "languages": ",".join(LANGUAGES),
        "max_text_length": str(MAX_TOKENS),
        "sentence_encoder": f"{PACKAGE}=={package_version()}",
        "validation": json.dumps({name: round(value, 2) for name, value in scores.items()}),
    }
    save_file(tensors, path, metadata=facts)
    path.chmod(_READABLE_BY_ALL)  # safetensors writes for the owner only; the portal may run as somebody else.
