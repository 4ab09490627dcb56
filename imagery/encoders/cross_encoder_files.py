"""Where the files of an image-text matching model lie and what its small files say. Needs no torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import hub
from .base import EncoderKind, EncoderSpec
from .checkpoint import folder, is_local
from .errors import EncoderMismatch, EncoderUnavailable

_MODEL_TYPES: Final = ("blip",)
_DEFAULT_IMAGE_SIZE: Final = 384  # pixels; transformers' own for a BLIP whose files leave it out
_DEFAULT_TEXT_LENGTH: Final = 512  # tokens
_FILES: Final = ("*.json", "*.txt", "*.model", "*.safetensors")
_NEEDED: Final = ("config.json", "*.safetensors")


@dataclass(frozen=True)
class CrossEncoderSpec:
    """Names one model for good: a folder or a hub id with a revision; ``sha256`` ("" for any) pins the files' bytes."""

    source: str
    revision: str = ""
    sha256: str = ""

    @property
    def files(self) -> EncoderSpec:
        """The same place as the functions of checkpoints take it."""
        return EncoderSpec(EncoderKind.TRANSFORMERS, self.source, self.revision)


@dataclass(frozen=True)
class CrossEncoderFacts:
    """What the small files say: side of the square picture in pixels, tokens of a text that are read."""

    image_size: int
    max_text_length: int


def describe(spec: CrossEncoderSpec) -> CrossEncoderFacts:
    """Whether the files are there, and what config.json says; needs no torch, reads no weights, makes no request.

    Raises EncoderUnavailable if a file is missing or unreadable, EncoderMismatch for a model of another kind.
    """
    path = checkpoint_folder(spec) / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kind = config.get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise EncoderUnavailable(f"{path} cannot be read ({error}): restore the file.") from error
    if kind not in _MODEL_TYPES:
        raise EncoderMismatch(
            f"{path} describes a model of type “{kind}”: an image-text matching model of type "
            f"{', '.join(_MODEL_TYPES)} is needed."
        )
    text, vision = config.get("text_config") or {}, config.get("vision_config") or {}
    return CrossEncoderFacts(
        image_size=int(vision.get("image_size", _DEFAULT_IMAGE_SIZE)),
        max_text_length=int(text.get("max_position_embeddings", _DEFAULT_TEXT_LENGTH)),
    )


def checkpoint_folder(spec: CrossEncoderSpec, *, fetch: bool = False) -> Path:
    """The folder with the files; those of a hub id are in the local cache, or fetched there if ``fetch`` allows it.

    A search never fetches: whoever waits for it would wait for a gigabyte. Raises EncoderUnavailable.
    """
    known = is_local(spec.source) or hub.is_cached(spec.source, spec.revision, patterns=_FILES, needs=_NEEDED)
    if not known and not fetch:
        named = f"{spec.source} at {spec.revision}" if spec.revision else spec.source
        raise EncoderUnavailable(
            f"The matching model {named} is not in the local cache: fetch it with “RSPORTAL_HF_OFFLINE=0 manage.py "
            "second_look”, or give the folder of its files."
        )
    try:
        return folder(spec.files, weights=True)
    except EncoderUnavailable as error:
        reason = error.message.replace("The encoder", "The matching model", 1)
        raise EncoderUnavailable(reason.replace("a SigLIP or CLIP", "a BLIP image-text matching")) from error
