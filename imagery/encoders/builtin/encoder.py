"""The built-in encoder in use: numpy for texts, torch for images. MODEL_CARD.md says how good it is."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.base import EncoderSpec, ImageTextEncoder
from imagery.encoders.errors import EncoderMismatch

from .files import facts, lender, tensors, weights_file
from .pixels import normalised, pixel_block
from .sentences import SentenceFeatures
from .text_head import TextHead

# Few enough that the maps stay near the processor.
_IMAGE_BATCH: Final = 4


class BuiltinEncoder(ImageTextEncoder):
    """Vectors of 224 px pictures and of texts in English, Chinese and other languages.

    A text tower that was taught alone (`manage.py distill --text-only`) leaves the pictures to its teacher.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__(facts(spec))
        self._path = weights_file(spec)
        self._lender = lender(spec)
        self._image_tower: Any = None
        self._sentences: SentenceFeatures | None = None
        self._text_head: TextHead | None = None

    def _load_image_tower(self) -> None:
        if self._image_tower is not None:
            return
        if self._lender is not None:
            from imagery.encoders.registry import get_encoder

            teacher = get_encoder(self._lender.spec)
            teacher.load(image=True, text=False)
            self._image_tower = teacher
            return
        import torch

        from .model import ImageTower

        tower = ImageTower(dimension=self.dimension)
        tower.backbone.fold()  # The shipped weights are folded.
        state = {name: torch.from_numpy(array) for name, array in tensors(self._path, "image").items()}
        try:
            tower.load_state_dict(state)
        except RuntimeError as error:
            raise EncoderMismatch(
                f"{self._path.name} does not fit this version of the project ({error}): restore the shipped file."
            ) from error
        self._image_tower = tower.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def _load_text_tower(self) -> None:
        if self._text_head is not None:
            return
        self._sentences = SentenceFeatures()
        self._text_head = TextHead(tensors(self._path, "text"))

    def _encode_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        if self._lender is not None:
            return np.asarray(self._image_tower.encode_images(images), dtype=np.float32)
        import torch

        rows = []
        for start in range(0, len(images), _IMAGE_BATCH):
            pixels = torch.from_numpy(pixel_block(images[start : start + _IMAGE_BATCH]))
            block = normalised(pixels.permute(0, 3, 1, 2).float()).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                rows.append(self._image_tower(block).numpy())
        return np.concatenate(rows)

    def _token_count(self, text: str) -> int:
        assert self._sentences is not None
        return self._sentences.token_count(text)

    def _encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        assert self._sentences is not None
        assert self._text_head is not None
        return self._text_head(self._sentences(texts))
