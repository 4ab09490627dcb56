"""Any SigLIP, SigLIP 2 or CLIP checkpoint of transformers as an encoder, one tower at a time.

torch and transformers are imported inside functions: a process that never encodes never pays for them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .base import EncoderSpec, ImageInput, ImageTextEncoder, TowerName
from .checkpoint import facts, folder, read_config
from .errors import EncoderMismatch, EncoderUnavailable
from .language import refuse_unreadable
from .runtime import known
from .runtime.plan import REFERENCE, Plan, Runtime
from .runtime.running import Batches, image_tower_name, openvino_tower, stacked
from .runtime.towers import TorchTower, Tower
from .transforms import to_rgb

if TYPE_CHECKING:
    from .runtime.export import Exportable

DEFAULT_DTYPE: Final = "float32"
_DTYPES: Final = ("float32", "bfloat16", "float16")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars, and no report that the other tower's weights were not used: that is what we asked for."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


class CheckpointEncoder(ImageTextEncoder):
    """The towers of one checkpoint, run by torch or as `plan` says; vectors are float32.

    `dtype` and `device` are for torch alone: the number format of the weights in memory and where they are.
    """

    def __init__(
        self, spec: EncoderSpec, *, dtype: str = DEFAULT_DTYPE, device: str = "cpu", plan: Plan | None = None
    ) -> None:
        if dtype not in _DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, not {dtype}.")
        plan = plan or replace(REFERENCE, device=device)
        super().__init__(facts(spec), plan=plan)
        self.spec = spec
        self._dtype_name = dtype if plan.precision is REFERENCE.precision else plan.precision.value
        self._model_type: str = read_config(folder(spec, weights=False))["model_type"]
        self._batches = {tower: Batches(plan, texts=tower is TowerName.TEXT) for tower in TowerName}
        self._image_tower: Tower | None = None
        self._image_processor: Any = None
        self._text_tower: Tower | None = None
        self._tokenizer: Any = None

    # Loading ---------------------------------------------------------------------------------------------------

    @property
    def precision(self) -> str:
        """See the base class; "float16" too."""
        return self._dtype_name if self.plan.runtime is Runtime.TORCH else self.plan.precision.value

    def _load_image_tower(self) -> bool:
        if self._image_tower is not None:
            return False
        self._load_image_processor()
        self._image_tower = self._runner(TowerName.IMAGE)
        return True

    def _load_image_processor(self) -> None:
        if self._image_processor is None:
            self._image_processor = self._loaded_image_processor(folder(self.spec, weights=True))

    def _load_text_tower(self) -> bool:
        if self._text_tower is not None:
            return False
        self._load_tokenizer()
        self._text_tower = self._runner(TowerName.TEXT)
        return True

    def _load_tokenizer(self) -> None:
        if self._tokenizer is None:
            import transformers

            self._tokenizer = self._loaded("tokenizer", transformers.AutoTokenizer, folder(self.spec, weights=True))

    def _unload_image_tower(self) -> bool:
        tower, self._image_tower = self._image_tower, None
        return tower is not None

    def _unload_text_tower(self) -> bool:
        tower, self._text_tower = self._text_tower, None
        return tower is not None

    def _runner(self, tower: TowerName) -> Tower:
        if self.plan.runtime is Runtime.OPENVINO:
            name = image_tower_name(self.plan) if tower is TowerName.IMAGE else tower.value
            return openvino_tower(self.spec, self.plan, name)
        return TorchTower(self._module(tower, self._dtype_name), device=self.plan.device, dtype=self._dtype_name)

    def _module(self, tower: TowerName, dtype: str) -> Any:
        name = "Vision" if tower is TowerName.IMAGE else "Text"
        module = self._tower(self._tower_class(name), folder(self.spec, weights=True), dtype)
        if tower is TowerName.TEXT or not self.plan.regions:
            return module
        from .siglip_regions import SiglipRegionTower

        return SiglipRegionTower(module)

    def exportable(self, tower: TowerName) -> "Exportable":
        """See the base class."""
        from .runtime.export import Exportable

        if tower is TowerName.IMAGE:
            inputs = [self.image_input(picture) for picture in known.pictures(5)]
            example, check = stacked(inputs[:2]), stacked(inputs[2:])
        else:
            with self._lock:
                self._load_tokenizer()
            example = self._tokens(known.TEXTS[:2], fixed=True)
            check = self._tokens(known.TEXTS[2:5], fixed=True)
        module = self._module(tower, REFERENCE.precision.value)
        if tower is TowerName.TEXT and self._model_type != "clip":
            from .runtime.last_token import pool_last_token_only

            module = pool_last_token_only(module)
        return Exportable(module, example, check)

    def _loaded_image_processor(self, path: Path) -> Any:
        """The checkpoint's own image processor, for pictures of the size that the weights read.

        Published checkpoints disagree with themselves (a preprocessor_config.json of 224 px beside weights of 256);
        the weights accept one size only.
        """
        loader, side = self._image_processor_class(), self.image_size
        square = {"height": side, "width": side}
        if self._model_type == "siglip":
            return self._loaded("image processor", loader, path, size=square)
        processor = self._loaded("image processor", loader, path)
        if self._model_type == "clip" and processor.do_center_crop and processor.crop_size.height != side:
            return self._loaded("image processor", loader, path, size={"shortest_edge": side}, crop_size=square)
        return processor

    def _image_processor_class(self) -> Any:
        # The PIL processors by name: the automatic choice wants torchvision.
        if self._model_type == "clip":
            from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

            return CLIPImageProcessorPil
        if self._model_type == "siglip2":
            from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

            return Siglip2ImageProcessorPil
        from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

        return SiglipImageProcessorPil

    def _tower_class(self, tower: str) -> Any:
        import transformers

        prefix = {"clip": "CLIP", "siglip": "Siglip", "siglip2": "Siglip2"}[self._model_type]
        suffix = "WithProjection" if self._model_type == "clip" else ""
        return getattr(transformers, f"{prefix}{tower}Model{suffix}")

    def _loaded(self, what: str, loader: Any, path: Path, **changes: Any) -> Any:
        try:
            with quiet_transformers():
                return loader.from_pretrained(path, local_files_only=True, **changes)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise EncoderUnavailable(
                f"The {what} of the encoder {self.spec.source} cannot be loaded ({error}): restore its files."
            ) from error

    def _tower(self, loader: Any, path: Path, dtype: str) -> Any:
        """One tower in evaluation mode; a weight that the files lack is an error, never a random number."""
        import torch

        try:
            with quiet_transformers():
                model, report = loader.from_pretrained(
                    path,
                    config=self._tower_config(loader, path),
                    local_files_only=True,
                    dtype=getattr(torch, dtype),
                    output_loading_info=True,
                    use_safetensors=True,
                )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise EncoderUnavailable(
                f"The weights of the encoder {self.spec.source} cannot be loaded ({error}): restore its files."
            ) from error
        missing = sorted(report["missing_keys"])
        if missing:
            raise EncoderMismatch(
                f"The weights of the encoder {self.spec.source} lack {len(missing)} tensors, {missing[0]} among them: "
                "the files do not belong together, fetch them again."
            )
        return model.eval().requires_grad_(False)

    @staticmethod
    def _tower_config(loader: Any, path: Path) -> Any:
        """The tower's part of the checkpoint's configuration.

        CLIP keeps the width of the common space at the top only; a tower read alone would assume 512.
        """
        import transformers

        whole = transformers.AutoConfig.from_pretrained(path, local_files_only=True)
        part = whole.text_config if "Text" in loader.__name__ else whole.vision_config
        if hasattr(whole, "projection_dim"):
            part.projection_dim = whole.projection_dim
        return part

    # Encoding --------------------------------------------------------------------------------------------------

    def _image_input(self, image: Image.Image) -> ImageInput:
        if self._image_processor is None:
            with self._lock:
                self._load_image_processor()
        arrays = self._image_processor(images=[to_rgb(image)], return_tensors="np")
        return {name: np.asarray(array)[0] for name, array in arrays.items()}

    def _encode_inputs(self, inputs: Sequence[ImageInput]) -> NDArray[np.float32]:
        tower = self._image_tower
        assert tower is not None
        return self._batches[TowerName.IMAGE].run(inputs, lambda part: tower(stacked(part)))

    def _encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        tower = self._text_tower
        assert tower is not None
        fixed = self.plan.runtime is Runtime.OPENVINO
        return self._batches[TowerName.TEXT].run(texts, lambda part: tower(self._tokens(part, fixed=fixed)))

    def _token_count(self, text: str) -> int:
        return len(self._tokenizer(self._cased(text), verbose=False)["input_ids"])

    def _cased(self, text: str) -> str:
        # SigLIP 2 was trained on lower case. Its fixed-size checkpoints come with Gemma's tokenizer, which keeps
        # capitals; the other tokenizers lower them themselves.
        return text.lower() if "gemma" in type(self._tokenizer).__name__.lower() else text

    def _tokens(self, texts: Sequence[str], *, fixed: bool = False) -> dict[str, NDArray[np.int64]]:
        """The arrays the text tower reads; `fixed` for a tower that was exported for texts of full length."""
        limit = self.max_text_length
        texts = [self._cased(text) for text in texts]
        for text in texts:
            refuse_unreadable(
                text,
                tokens=self._tokenizer(text, add_special_tokens=False)["input_ids"],
                unknown=self._tokenizer.unk_token_id,
                languages=self.languages,
                encoder=self.spec.source,
            )
        padding: Any = "max_length"
        if self._model_type == "clip" and not fixed:
            padding = True
        # SigLIP was trained on full-length padding and pools the last position: shorter padding, or a mask that
        # hides the padding, gives another vector without any error. CLIP looks at no token behind the end of the
        # text, so at full length it needs no mask either.
        inputs = self._tokenizer(list(texts), padding=padding, truncation=True, max_length=limit, return_tensors="np")
        names = ("input_ids", "attention_mask") if padding is True else ("input_ids",)
        return {name: np.asarray(inputs[name], dtype=np.int64) for name in names}
