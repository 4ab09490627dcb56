"""What every encoder is: pictures and texts in, unit vectors of one space out."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Shorter vectors than this cannot be scaled to length 1 without amplifying rounding noise.
_SMALLEST_NORM = 1e-12


class EncoderKind(StrEnum):
    """Which implementation reads the files of an encoder."""

    BUILTIN = "builtin"
    TRANSFORMERS = "transformers"


@dataclass(frozen=True)
class EncoderSpec:
    """Names one encoder for good: the same spec is the same vectors.

    `source` is a folder or a hub id for `transformers`; for `builtin` it is the name of the shipped weights, or the
    full path of a folder that `builtin.train` has written to.
    `revision` is a commit, tag or branch of the hub; it has no meaning for a folder or for `builtin`.
    """

    kind: EncoderKind
    source: str
    revision: str = ""


@dataclass(frozen=True)
class EncoderFacts:
    """What can be told of an encoder from its small files, without torch and without its weights.

    `calibration` maps a cosine c to the probability 1 / (1 + exp(-(scale * c + offset))) that picture and text
    match; None where nobody has measured it.
    """

    dimension: int
    image_size: int
    languages: tuple[str, ...]
    max_text_length: int
    calibration: "Calibration | None" = None


@dataclass(frozen=True)
class Calibration:
    """Platt scaling (Platt 1999) of the cosine."""

    scale: float
    offset: float

    def probability(self, cosine: float) -> float:
        """The chance, 0..1, that a picture and a text of this cosine match."""
        return float(1.0 / (1.0 + np.exp(-(self.scale * cosine + self.offset))))


class ImageTextEncoder(ABC):
    """Two towers into one space. The towers load one by one, so that a web process can hold the text tower alone.

    Safe to call from several threads. `languages` are BCP-47 tags; `max_text_length` is a hint in tokens beyond
    which a text is cut.
    """

    def __init__(self, facts: EncoderFacts) -> None:
        self.facts = facts
        self._lock = threading.RLock()

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self.facts.dimension

    @property
    def image_size(self) -> int:
        """Side of the square the image tower reads, in pixels."""
        return self.facts.image_size

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages of text, BCP-47, best first."""
        return self.facts.languages

    @property
    def max_text_length(self) -> int:
        """Tokens of a text that are read; the rest is cut."""
        return self.facts.max_text_length

    def load(self, *, image: bool = True, text: bool = True) -> None:
        """Load the named towers; those already loaded stay. Raises EncoderUnavailable or EncoderMismatch."""
        with self._lock:
            if image:
                self._load_image_tower()
            if text:
                self._load_text_tower()

    def encode_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """(n, dimension) float32 unit rows, one a picture, in order; the image tower is loaded if it is not."""
        if len(images) == 0:
            return self._no_rows()
        self.load(image=True, text=False)
        return unit_rows(self._encode_images(images))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimension) float32 unit rows, one a text, in order; the text tower is loaded if it is not.

        Raises UnsupportedLanguage if the tokenizer cannot read one of the texts.
        """
        if len(texts) == 0:
            return self._no_rows()
        self.load(image=False, text=True)
        return unit_rows(self._encode_texts(texts))

    def token_count(self, text: str) -> int:
        """Tokens of the whole text, the marks of beginning and end included; the text tower is loaded if it is not.

        A text of more than `max_text_length` would be cut by `encode_texts`.
        """
        self.load(image=False, text=True)
        return self._token_count(text)

    def _no_rows(self) -> NDArray[np.float32]:
        return np.empty((0, self.dimension), dtype=np.float32)

    @abstractmethod
    def _load_image_tower(self) -> None:
        """Called under the lock; returns at once if the tower is there."""

    @abstractmethod
    def _load_text_tower(self) -> None:
        """Called under the lock; returns at once if the tower is there."""

    @abstractmethod
    def _token_count(self, text: str) -> int:
        """Called with the text tower loaded; nothing is cut."""

    @abstractmethod
    def _encode_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """At least one picture; rows of any length."""

    @abstractmethod
    def _encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """At least one text; rows of any length."""


def unit_rows(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, d) -> (n, d) float32 with each row divided by its length; a row of zeros stays zero."""
    wide = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.maximum(lengths, _SMALLEST_NORM), dtype=np.float32)
