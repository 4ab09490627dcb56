"""Where a SigLIP or CLIP checkpoint lies and what its small files say. Needs no torch and no transformers."""

import json
import math
from pathlib import Path
from typing import Any, Final

from . import hub
from .base import EncoderFacts, EncoderSpec
from .errors import EncoderMismatch, EncoderUnavailable

_SMALL_FILES: Final = ("*.json", "*.txt", "*.model")
_WEIGHT_FILES: Final = ("*.safetensors",)
_SHARD_INDEX: Final = "model.safetensors.index.json"
_MODEL_TYPES: Final = ("siglip", "siglip2", "clip")
# Tokenizers that know Chinese have far larger vocabularies than the English ones (SigLIP 32,000, CLIP 49,408):
# multilingual SigLIP has 250,000 and SigLIP 2 has 256,000.
_MULTILINGUAL_VOCABULARY: Final = 100_000
_ENGLISH: Final = ("en",)
_MULTILINGUAL: Final = ("en", "zh", "es", "fr", "de", "it", "pt", "ru", "ja", "ko", "ar")
# Values of transformers' own configuration classes, for checkpoints that leave them out.
_DEFAULTS: Final[dict[str, dict[str, int]]] = {
    "siglip": {"hidden_size": 768, "image_size": 224, "max_position_embeddings": 64, "vocab_size": 32_000},
    "siglip2": {"hidden_size": 768, "image_size": 256, "max_position_embeddings": 64, "vocab_size": 256_000},
    "clip": {"projection_dim": 512, "image_size": 224, "max_position_embeddings": 77, "vocab_size": 49_408},
}


def is_local(source: str) -> bool:
    """Whether `source` names a folder: it exists, or is written as only a path can be."""
    return Path(source).expanduser().is_dir() or source.startswith(("/", ".", "~")) or source.count("/") > 1


def folder(spec: EncoderSpec, *, weights: bool) -> Path:
    """The folder with the checkpoint's files; for a hub id, its snapshot in the local cache, fetched if need be.

    A folder on this machine never makes a request, nor does a hub id whose files are in the cache, nor anything
    when HF_HUB_OFFLINE is set. Without `weights` only the small files are asked for. Raises EncoderUnavailable.
    """
    if is_local(spec.source):
        path = Path(spec.source).expanduser()
        if not path.is_dir():
            raise EncoderUnavailable(
                f"The encoder's folder {spec.source} does not exist: correct it or restore its files."
            )
        _require(path, spec, weights=weights)
        return path
    return _snapshot(spec, weights=weights)


def resolved_revision(spec: EncoderSpec) -> str:
    """The commit that a hub id's revision means now; "" for a folder. Raises EncoderUnavailable."""
    return "" if is_local(spec.source) else hub.commit(spec.source, spec.revision)


def _snapshot(spec: EncoderSpec, *, weights: bool) -> Path:
    patterns = [*_SMALL_FILES, *(_WEIGHT_FILES if weights else ())]
    needs = ["config.json", *(_WEIGHT_FILES if weights else ())]
    path = hub.snapshot(spec.source, spec.revision, patterns=patterns, needs=needs)
    _require(path, spec, weights=weights)
    return path


def _missing(path: Path, *, weights: bool) -> str | None:
    if not (path / "config.json").is_file():
        return "config.json"
    if not weights:
        return None
    if not any(path.glob("*.safetensors")):
        return "*.safetensors"
    return next((name for name in sorted(_shards(path)) if not (path / name).is_file()), None)


def _shards(path: Path) -> set[str]:
    """The files that a checkpoint in several parts promises."""
    index = path / _SHARD_INDEX
    try:
        return set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()) if index.is_file() else set()
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise EncoderUnavailable(f"{index} cannot be read ({error}): restore the file.") from error


def _require(path: Path, spec: EncoderSpec, *, weights: bool) -> None:
    missing = _missing(path, weights=weights)
    if missing is not None:
        raise EncoderUnavailable(
            f"The encoder {spec.source} has no {missing}: give a folder or hub id with a SigLIP or CLIP checkpoint in "
            "the safetensors format."
        )


def read_config(path: Path) -> dict[str, Any]:
    """config.json of a checkpoint of a kind we can load. Raises EncoderUnavailable or EncoderMismatch."""
    try:
        config: dict[str, Any] = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderUnavailable(f"{path / 'config.json'} cannot be read ({error}): restore the file.") from error
    kind = config.get("model_type")
    if kind not in _MODEL_TYPES:
        raise EncoderMismatch(
            f"{path / 'config.json'} describes a model of type “{kind}”: only {', '.join(_MODEL_TYPES)} can be used."
        )
    return config


def facts(spec: EncoderSpec) -> EncoderFacts:
    """What config.json says. Raises EncoderUnavailable or EncoderMismatch."""
    config = read_config(folder(spec, weights=False))
    defaults = _DEFAULTS[config["model_type"]]
    text, vision = config.get("text_config") or {}, config.get("vision_config") or {}
    if config["model_type"] == "clip":
        dimension = config.get("projection_dim", defaults["projection_dim"])
    else:
        # SigLIP's text tower ends in a map to projection_size; the towers' vectors have the width of the image tower.
        dimension = vision.get("hidden_size", defaults["hidden_size"])
    side = vision.get("image_size", defaults["image_size"])
    if config["model_type"] == "siglip2":
        # NaFlex keeps a picture's proportions and bounds its patches; the side of a square of that many patches.
        side = vision.get("patch_size", 16) * math.isqrt(vision.get("num_patches", 256))
    vocabulary = text.get("vocab_size", defaults["vocab_size"])
    return EncoderFacts(
        dimension=int(dimension),
        image_size=int(side),
        languages=_MULTILINGUAL if vocabulary >= _MULTILINGUAL_VOCABULARY else _ENGLISH,
        max_text_length=int(text.get("max_position_embeddings", defaults["max_position_embeddings"])),
    )


def deciding_files(spec: EncoderSpec) -> list[Path]:
    """The files that decide the vectors, by name: weights, configuration, tokenizer."""
    path = folder(spec, weights=True)
    found = {file for pattern in (*_SMALL_FILES, *_WEIGHT_FILES) for file in path.glob(pattern) if file.is_file()}
    return sorted(found, key=lambda file: file.name)
