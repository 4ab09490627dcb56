"""Trained towers -> the one file the built-in encoder is shipped as.

This module imports torch: import it inside functions only.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch
from safetensors.torch import save

from .files import HEADER_LENGTH_BYTES
from .model import ImageTower, TextTower
from .pixels import IMAGE_SIZE
from .sentences import LANGUAGES, MAX_TOKENS, PACKAGE, package_version

_READABLE_BY_ALL: Final = 0o644


@torch.no_grad()
def export_weights(
    image: ImageTower | None,
    text: TextTower,
    path: Path,
    *,
    scores: dict[str, float],
    more: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Half-precision weights of both towers, with the facts in the header; the backbone is folded already.

    `more` adds facts or replaces them. Without `image` it must name the encoder that reads the pictures instead
    (`files.lender`) and its image_size.
    """
    tensors = {
        f"{tower}.{name}": tensor.detach().cpu().half().contiguous()
        for tower, module in (("image", image), ("text", text))
        if module is not None
        for name, tensor in module.state_dict().items()
    }
    facts = {
        "dimension": str(text.head.dimension),
        "image_size": str(IMAGE_SIZE),
        "languages": ",".join(LANGUAGES),
        "max_text_length": str(MAX_TOKENS),
        "sentence_encoder": f"{PACKAGE}=={package_version()}",
        "validation": json.dumps({name: round(value, 2) for name, value in scores.items()}),
        **more,
    }
    path.write_bytes(_with_sorted_header(save(tensors, metadata=facts)))
    path.chmod(_READABLE_BY_ALL)  # The portal may run as somebody else.


def _with_sorted_header(content: bytes) -> bytes:
    """The same safetensors file with the names of its header in order.

    The library writes the facts in an order of chance, but equal weights shall be equal files: an encoder is known by
    its checksum.
    """
    end = HEADER_LENGTH_BYTES + int.from_bytes(content[:HEADER_LENGTH_BYTES], "little")
    header = json.loads(content[HEADER_LENGTH_BYTES:end])
    text = json.dumps(header, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    # The tensors' place is aligned by spaces after the header, which the format allows for.
    padded = text.ljust(end - HEADER_LENGTH_BYTES)
    return len(padded).to_bytes(HEADER_LENGTH_BYTES, "little") + padded + content[end:]
