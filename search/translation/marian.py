"""An optional MarianMT model (such as opus-mt-zh-en) for what the glossary does not know. Loaded when first asked."""

import hashlib
import re
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from imagery.encoders import hub
from imagery.encoders.checkpoint import is_local
from imagery.encoders.errors import EncoderUnavailable
from rsportal.errors import Unavailable

_FILES: Final = ("*.json", "*.spm", "*.txt", "*.safetensors", "*.bin")
_WEIGHTS: Final = ("*.safetensors", "pytorch_model.bin")
_NEEDED: Final = ("config.json", "source.spm", "target.spm")
_READ_BYTES: Final = 1 << 20
_MOST_TOKENS: Final = 128  # of one translation
_BEAMS: Final = 4  # What the OPUS-MT models are published with.
_BATCH: Final = 8  # texts


class MarianTranslator:
    """Translates Chinese texts to English on the CPU. Safe to call from several threads; one text at a time runs.

    `source` is a folder or a hub id. Nothing is read before the first call. The result is deterministic: beam search
    without sampling, in float32.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        self._checksum = ""

    def checksum(self) -> str:
        """Return the SHA-256 of the model's files, read once. Raises Unavailable when they are missing."""
        with self._lock:
            if not self._checksum:
                digest = hashlib.sha256()
                for path in sorted(file for pattern in _FILES for file in self.folder().glob(pattern)):
                    digest.update(path.name.encode() + b"\0")
                    with path.open("rb") as stream:
                        while block := stream.read(_READ_BYTES):
                            digest.update(block)
                self._checksum = digest.hexdigest()
            return self._checksum

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Return the English of each text, plain: no full stop at the end, no capital in front.

        Raises Unavailable when the model is missing or cannot be loaded.
        """
        with self._lock:
            tokenizer, model = self._load()
            english: list[str] = []
            for start in range(0, len(texts), _BATCH):
                english += _generate(tokenizer, model, list(texts[start : start + _BATCH]))
        return [_plain(text) for text in english]

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            folder = self.folder()
            import torch
            from safetensors import SafetensorError
            from transformers import MarianMTModel, MarianTokenizer

            try:
                with warnings.catch_warnings():
                    # It recommends a package that tidies punctuation; queries have next to none.
                    warnings.simplefilter("ignore")
                    tokenizer = MarianTokenizer.from_pretrained(folder, local_files_only=True)
                model = MarianMTModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
            except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError, SafetensorError) as error:
                raise Unavailable(
                    f"The translation model {self.source} (RSPORTAL_TRANSLATOR) cannot be loaded "
                    f"({type(error).__name__}): it must be a MarianMT checkpoint with its tokenizer.",
                    code="translator_unavailable",
                ) from error
            self._loaded = (tokenizer, model.eval())
        return self._loaded

    def folder(self) -> Path:
        """Return the folder with the files; a hub id is fetched only when the network is allowed.

        Raises Unavailable when something is missing.
        """
        path = Path(self.source).expanduser() if is_local(self.source) else self._snapshot()
        missing = next(
            (name for name in ("config.json", "source.spm", "target.spm") if not (path / name).is_file()), ""
        )
        if not missing and not any(file for pattern in _WEIGHTS for file in path.glob(pattern)):
            missing = "model.safetensors"
        if missing:
            raise Unavailable(
                f"The translation model {self.source} (RSPORTAL_TRANSLATOR) has no {missing}: give the folder of a "
                "MarianMT checkpoint, or leave the setting empty to translate by the glossary alone.",
                code="translator_unavailable",
            )
        return path

    def _snapshot(self) -> Path:
        try:
            return hub.snapshot(self.source, "", patterns=_FILES, needs=("config.json", "*.spm"))
        except EncoderUnavailable as error:
            reason = error.message.replace("The encoder", "The translation model", 1)
            raise Unavailable(f"RSPORTAL_TRANSLATOR: {reason}", code="translator_unavailable") from error


def _generate(tokenizer: Any, model: Any, texts: list[str]) -> list[str]:
    import torch

    batch = tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=_MOST_TOKENS)
    with torch.inference_mode():
        made = model.generate(**batch, num_beams=_BEAMS, do_sample=False, max_new_tokens=_MOST_TOKENS)
    return list(tokenizer.batch_decode(made, skip_special_tokens=True))


def _plain(text: str) -> str:
    """``A mill by the river.`` -> ``a mill by the river``; words in capitals and names in the middle stay."""
    line = re.sub(r"\s+", " ", text).strip(" .。!?")
    first = line.partition(" ")[0]
    return line[:1].lower() + line[1:] if first[1:].islower() or len(first) == 1 else line
