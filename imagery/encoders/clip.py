"""Any SigLIP, SigLIP 2 or CLIP checkpoint of transformers as an encoder, one tower at a time.

torch and transformers are imported inside functions: a process that never encodes never pays for them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .base import EncoderSpec, ImageTextEncoder
from .checkpoint import facts, folder, read_config
from .errors import EncoderMismatch, EncoderUnavailable
from .language import refuse_unreadable
from .transforms import to_rgb

# A CPU gains nothing from larger batches; these bound the memory of one call.
_IMAGE_BATCH: Final = 8
_TEXT_BATCH: Final = 32
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
    """The towers of one checkpoint. `dtype` is the number format of the weights in memory; vectors are float32."""

    def __init__(self, spec: EncoderSpec, *, dtype: str = DEFAULT_DTYPE, device: str = "cpu") -> None:
        if dtype not in _DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, not {dtype}.")
        super().__init__(facts(spec))
        self.spec = spec
        self._dtype_name, self._device = dtype, device
        self._model_type: str = read_config(folder(spec, weights=False))["model_type"]
        self._image_tower: Any = None
        self._image_processor: Any = None
        self._text_tower: Any = None
        self._tokenizer: Any = None

    # Loading ---------------------------------------------------------------------------------------------------

    def _load_image_tower(self) -> None:
        if self._image_tower is not None:
            return
        path = folder(self.spec, weights=True)
        self._image_processor = self._loaded_image_processor(path)
        self._image_tower = self._tower(self._tower_class("Vision"), path)

    def _load_text_tower(self) -> None:
        if self._text_tower is not None:
            return
        import transformers

        path = folder(self.spec, weights=True)
        self._tokenizer = self._loaded("tokenizer", transformers.AutoTokenizer, path)
        self._text_tower = self._tower(self._tower_class("Text"), path)

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

    def _tower(self, loader: Any, path: Path) -> Any:
        """One tower in evaluation mode; a weight that the files lack is an error, never a random number."""
        import torch

        try:
            with quiet_transformers():
                model, report = loader.from_pretrained(
                    path,
                    config=self._tower_config(loader, path),
                    local_files_only=True,
                    dtype=getattr(torch, self._dtype_name),
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
        return model.to(self._device).eval().requires_grad_(False)

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

    def _encode_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        import torch

        rows = []
        for start in range(0, len(images), _IMAGE_BATCH):
            pictures = [to_rgb(image) for image in images[start : start + _IMAGE_BATCH]]
            inputs = dict(self._image_processor(images=pictures, return_tensors="pt"))
            inputs = {name: value.to(self._device) for name, value in inputs.items()}
            inputs["pixel_values"] = inputs["pixel_values"].to(self._image_tower.dtype)
            with torch.inference_mode():
                rows.append(self._rows(self._image_tower(**inputs), "image_embeds"))
        return np.concatenate(rows)

    def _encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        rows = []
        for start in range(0, len(texts), _TEXT_BATCH):
            inputs = {name: value.to(self._device) for name, value in self._tokens(texts[start : start + _TEXT_BATCH])}
            with torch.inference_mode():
                rows.append(self._rows(self._text_tower(**inputs), "text_embeds"))
        return np.concatenate(rows)

    def _token_count(self, text: str) -> int:
        return len(self._tokenizer(self._cased(text), verbose=False)["input_ids"])

    def _cased(self, text: str) -> str:
        # SigLIP 2 was trained on lower case. Its fixed-size checkpoints come with Gemma's tokenizer, which keeps
        # capitals; the other tokenizers lower them themselves.
        return text.lower() if "gemma" in type(self._tokenizer).__name__.lower() else text

    def _tokens(self, texts: Sequence[str]) -> list[tuple[str, Any]]:
        """The tensors the text tower reads."""
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
        if self._model_type == "clip":
            inputs = self._tokenizer(list(texts), padding=True, truncation=True, max_length=limit, return_tensors="pt")
            return [("input_ids", inputs["input_ids"]), ("attention_mask", inputs["attention_mask"])]
        # SigLIP was trained on full-length padding and pools the last position: shorter padding, or a mask that
        # hides the padding, gives another vector without any error.
        inputs = self._tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=limit, return_tensors="pt"
        )
        return [("input_ids", inputs["input_ids"])]

    @staticmethod
    def _rows(output: Any, projected: str) -> NDArray[np.float32]:
        rows = getattr(output, projected, None)
        if rows is None:
            rows = output.pooler_output
        return np.asarray(rows.float().cpu().numpy(), dtype=np.float32)
