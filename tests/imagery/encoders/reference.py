"""The vectors of plain transformers code, as the models' own pages show it: what ours must agree with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rows = NDArray[np.float32]


def plain_texts(folder: Path, texts: Sequence[str], *, batch: int = 1) -> Rows:
    """(n, d) unit rows of the whole model's text side, ``batch`` texts at a time."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = []
    for start in range(0, len(texts), batch):
        some = list(texts[start : start + batch])
        if model.config.model_type == "clip":
            inputs = dict(tokenizer(some, padding=True, truncation=True, max_length=77, return_tensors="pt"))
        else:
            padded = tokenizer(some, padding="max_length", max_length=64, truncation=True, return_tensors="pt")
            inputs = {"input_ids": padded["input_ids"]}
        with torch.no_grad():
            rows.append(model.get_text_features(**inputs).pooler_output.numpy())
    return unit(np.concatenate(rows))


def plain_images(folder: Path, images: Sequence[Image.Image], *, batch: int = 1) -> Rows:
    """(n, d) unit rows of the whole model's image side, through the model's own image processor.

    Pictures are made RGB first, by PIL: most of the processors do the same, SigLIP 2's leaves it to its caller.
    """
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    processor = image_processor(folder, model.config.model_type)
    rows = []
    for start in range(0, len(images), batch):
        some = [image.convert("RGB") for image in images[start : start + batch]]
        inputs = processor(images=some, return_tensors="pt")
        with torch.no_grad():
            rows.append(model.get_image_features(**inputs).pooler_output.numpy())
    return unit(np.concatenate(rows))


def image_processor(folder: Path, model_type: str) -> Any:
    """The checkpoint's own image processor, in the form that needs no torchvision."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    kinds = {"clip": CLIPImageProcessorPil, "siglip": SiglipImageProcessorPil, "siglip2": Siglip2ImageProcessorPil}
    return kinds[model_type].from_pretrained(folder)


def unit(rows: NDArray[Any]) -> Rows:
    """Each row divided by its length."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
