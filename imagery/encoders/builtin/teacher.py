"""The encoder a student learns from: its vectors of pictures and captions, computed once and kept.

A large teacher needs seconds for a picture on a CPU, so its vectors are most of a distillation's time. They are kept
block by block; a run that was killed goes on with the next block.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.base import EncoderSpec, ImageTextEncoder
from imagery.encoders.errors import UnsupportedLanguage
from rsportal.errors import InvalidInput

from .corpus import CaptionedImage
from .distill_store import kept_rows
from .distill_views import BLOCK_IMAGES, view_pixels

_TEXT_BLOCK: Final = 256
_Compute = Callable[[int, int], NDArray[np.float32]]


@dataclass(frozen=True)
class Teacher:
    """`name` is what people call it; `checksum` is that of its files, so that a run never goes on with another one."""

    name: str
    spec: EncoderSpec
    checksum: str
    encoder: ImageTextEncoder

    @property
    def dimension(self) -> int:
        return self.encoder.dimension

    def picture_rows(self, items: Sequence[CaptionedImage], store: Path) -> NDArray[np.float32]:
        """(n, dimension) float32 unit rows of the pictures as their files have them."""

        def compute(start: int, stop: int) -> NDArray[np.float32]:
            with ExitStack() as opened:
                return self.encoder.encode_images([_opened(item.path, opened) for item in items[start:stop]])

        return self._kept(store, len(items), BLOCK_IMAGES, compute)

    def view_rows(self, pixels: NDArray[np.uint8], view: int, store: Path, *, seed: int) -> NDArray[np.float32]:
        """(n, dimension) float32 unit rows of random view `view` of (n, S, S, 3) pixels, as the student is shown it."""

        def compute(start: int, stop: int) -> NDArray[np.float32]:
            drawn = view_pixels(pixels, view, start, seed=seed)
            return self.encoder.encode_images([Image.fromarray(picture) for picture in drawn])

        return self._kept(store, len(pixels), BLOCK_IMAGES, compute)

    def text_rows(self, texts: Sequence[str], store: Path) -> NDArray[np.float32]:
        """(n, dimension) float32 unit rows. Raises InvalidInput for a text the teacher cannot read."""

        def compute(start: int, stop: int) -> NDArray[np.float32]:
            try:
                return self.encoder.encode_texts(texts[start:stop])
            except UnsupportedLanguage as error:
                raise InvalidInput(
                    f"The teacher {self.name} reads {', '.join(self.encoder.languages)}, but a caption is in another "
                    f"language ({error.message}) Give captions that it can read; their Chinese is made from them.",
                    field="captions",
                ) from error

        return self._kept(store, len(texts), _TEXT_BLOCK, compute)

    def _kept(self, store: Path, count: int, block: int, compute: _Compute) -> NDArray[np.float32]:
        shape = (count, self.dimension)
        return np.asarray(kept_rows(store, shape=shape, dtype=np.float32, block=block, compute=compute), np.float32)


def _opened(path: Path, stack: ExitStack) -> Image.Image:
    try:
        image = stack.enter_context(Image.open(path))
        image.load()
    except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for some broken files.
        raise InvalidInput(f"{path} cannot be read as a picture ({error}).", field="images") from error
    return image
