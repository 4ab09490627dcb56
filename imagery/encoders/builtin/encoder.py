"""The built-in encoder in use: numpy for texts, torch or OpenVINO for images. MODEL_CARD.md says how good it is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.base import EncoderSpec, ImageInput, ImageTextEncoder, TowerName
from imagery.encoders.errors import EncoderMismatch, EncoderUnavailable
from imagery.encoders.runtime import known
from imagery.encoders.runtime.plan import REFERENCE, Plan, Precision, Runtime
from imagery.encoders.runtime.running import Batches, image_tower_name, openvino_tower, stacked
from imagery.encoders.runtime.towers import TorchTower, Tower

from .files import facts, lender, tensors, weights_file
from .legend import in_caption_words
from .pixels import normalised, pixel_block
from .sentences import SentenceFeatures
from .text_head import TextHead

if TYPE_CHECKING:
    from imagery.encoders.runtime.export import Exportable


class BuiltinEncoder(ImageTextEncoder):
    """Vectors of 224 px pictures and of texts in English, Chinese and other languages.

    A text tower that was taught alone (`manage.py distill --text-only`) leaves the pictures to its teacher.
    """

    def __init__(self, spec: EncoderSpec, *, plan: Plan = REFERENCE) -> None:
        super().__init__(facts(spec), plan=plan)
        self.spec = spec
        self._path = weights_file(spec)
        self._lender = lender(spec)
        self._batches = Batches(plan, texts=False)
        self._image_tower: Tower | None = None
        self._sentences: SentenceFeatures | None = None
        self._text_head: TextHead | None = None

    def _load_image_tower(self) -> bool:
        if self._lender is not None:
            teacher = self._teacher()
            before = teacher.loads[TowerName.IMAGE]
            teacher.load(image=True, text=False)
            return teacher.loads[TowerName.IMAGE] > before
        if self._image_tower is not None:
            return False
        self._image_tower = self._runner()
        return True

    def _teacher(self) -> ImageTextEncoder:
        from imagery.encoders.registry import get_encoder

        assert self._lender is not None
        # Under its own checksum, so that its exported tower is one with that of the teacher's own row.
        plan = replace(self.plan, checksum=self._lender.checksum) if self.plan.checksum else self.plan
        return get_encoder(self._lender.spec, plan=plan)

    def _runner(self) -> Tower:
        if self.plan.runtime is Runtime.OPENVINO:
            return openvino_tower(self.spec, self.plan, image_tower_name(self.plan))
        if self.plan.precision is not Precision.FLOAT32:
            raise EncoderUnavailable("The built-in encoder's image tower runs in float32 only when torch runs it.")
        import torch

        return TorchTower(self._module().to(memory_format=torch.channels_last), device=self.plan.device)

    def _module(self) -> Any:
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
        tower = tower.eval().requires_grad_(False)
        if not self.plan.regions:
            return tower
        from .regions import RegionTower

        return RegionTower(tower)

    def _load_text_tower(self) -> bool:
        if self._text_head is not None:
            return False
        self._sentences = SentenceFeatures()
        self._text_head = TextHead(tensors(self._path, "text"))
        return True

    def _unload_image_tower(self) -> bool:
        tower, self._image_tower = self._image_tower, None
        return tower is not None

    def _unload_text_tower(self) -> bool:
        head, self._text_head, self._sentences = self._text_head, None, None
        return head is not None

    def exportable(self, tower: TowerName) -> "Exportable | None":
        """See the base class; texts are numpy already, and a lender's tower is the lender's own affair."""
        if tower is TowerName.TEXT or self._lender is not None:
            return None
        from imagery.encoders.runtime.export import Exportable

        inputs = [self.image_input(picture) for picture in known.pictures(5)]
        return Exportable(self._module(), stacked(inputs[:2]), stacked(inputs[2:]))

    def _image_input(self, image: Image.Image) -> ImageInput:
        if self._lender is not None:
            return self._teacher().image_input(image)
        pixels = normalised(pixel_block([image])[0].astype(np.float32))
        return {"pixels": np.ascontiguousarray(pixels.transpose(2, 0, 1))}

    def _encode_inputs(self, inputs: Sequence[ImageInput]) -> NDArray[np.float32]:
        if self._lender is not None:
            if not self.plan.regions:
                return self._teacher().encode_inputs(inputs)
            whole, cells = self._teacher().encode_regions(inputs)
            return np.concatenate([whole, cells.reshape(len(whole), -1)], axis=1)
        tower = self._image_tower
        assert tower is not None
        return self._batches.run(inputs, lambda part: tower(stacked(part)))

    def _token_count(self, text: str) -> int:
        assert self._sentences is not None
        return self._sentences.token_count(in_caption_words(text))

    def _encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        assert self._sentences is not None
        assert self._text_head is not None
        return self._text_head(self._sentences([in_caption_words(text) for text in texts]))
