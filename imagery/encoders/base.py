"""What every encoder is: pictures and texts in, unit vectors of one space out."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .regions import CELLS, wide_split
from .runtime import idle
from .runtime.plan import REFERENCE, Plan

if TYPE_CHECKING:
    from .runtime.export import Exportable

ImageInput: TypeAlias = Mapping[str, NDArray[Any]]
"""What an image tower reads of one picture: arrays by the tower's own names, without the axis of the batch."""

# Shorter vectors than this cannot be scaled to length 1 without amplifying rounding noise.
_SMALLEST_NORM = 1e-12


class TowerName(StrEnum):
    """The two halves of an encoder."""

    IMAGE = "image"
    TEXT = "text"


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
    which a text is cut. `plan` says what computes; a tower that was not used for `plan.idle_seconds` is unloaded and
    comes back with its next use. `loads` counts how often each tower was really loaded.
    """

    def __init__(self, facts: EncoderFacts, *, plan: Plan = REFERENCE) -> None:
        self.facts = facts
        self.plan = plan
        self._lock = threading.RLock()
        self._uses = {tower: idle.Use() for tower in TowerName}
        self.loads: dict[str, int] = {tower.value: 0 for tower in TowerName}

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

    @property
    def runtime(self) -> str:
        """The library that computes: "torch" or "openvino"."""
        return self.plan.runtime.value

    @property
    def precision(self) -> str:
        """The number format of the arithmetic: "float32", "bfloat16" or "int8"."""
        return self.plan.precision.value

    @property
    def idle_seconds(self) -> float:
        """After this long without use a tower is unloaded; 0: never."""
        return self.plan.idle_seconds

    def load(self, *, image: bool = True, text: bool = True) -> None:
        """Load the named towers; those already loaded stay. Raises EncoderUnavailable or EncoderMismatch."""
        with self._lock:
            if image and self._load_image_tower():
                self.loads[TowerName.IMAGE] += 1
                self._uses[TowerName.IMAGE].touch()
            if text and self._load_text_tower():
                self.loads[TowerName.TEXT] += 1
                self._uses[TowerName.TEXT].touch()
        idle.watch(self)

    def unload(self, *, image: bool = True, text: bool = True) -> bool:
        """Drop the named towers unless somebody uses them just now; returns whether one was dropped.

        The memory is free after `runtime.memory.trim`.
        """
        return self._unload(0.0, [TowerName.IMAGE] * image + [TowerName.TEXT] * text)

    def unload_idle(self) -> bool:
        """Drop the towers that were idle for `idle_seconds`; returns whether one was."""
        return self._unload(self.idle_seconds, list(TowerName))

    def _unload(self, seconds: float, towers: Sequence[TowerName]) -> bool:
        dropped = False
        with self._lock:
            for tower in towers:
                if self._uses[tower].idle_for(seconds):
                    drop = self._unload_image_tower if tower is TowerName.IMAGE else self._unload_text_tower
                    dropped = drop() or dropped
        return dropped

    @contextmanager
    def _using(self, tower: TowerName) -> Iterator[None]:
        """Load a tower if need be and keep it for the length of the block."""
        with self._lock:
            self.load(image=tower is TowerName.IMAGE, text=tower is TowerName.TEXT)
            self._uses[tower].begin()
        with idle.used(self._uses[tower], self._lock):
            yield

    def image_input(self, image: Image.Image) -> ImageInput:
        """What the image tower reads of a picture of any size and mode: the part of encoding that needs no tower.

        Meant for threads beside the one that calls `encode_inputs`. Raises EncoderUnavailable.
        """
        return self._image_input(image)

    def encode_inputs(self, inputs: Sequence[ImageInput]) -> NDArray[np.float32]:
        """(n, dimension) float32 unit rows of what `image_input` gave, in order; loads the image tower if need be."""
        if len(inputs) == 0:
            return self._no_rows()
        with self._using(TowerName.IMAGE):
            return unit_rows(self._encode_inputs(inputs)[:, : self.dimension])

    def encode_regions(self, inputs: Sequence[ImageInput]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What `encode_inputs` gives, and (n, 4, dimension) float32 unit rows of the quarters of each picture.

        One forward pass for both. Raises ValueError unless the plan has `regions`.
        """
        if not self.plan.regions:
            raise ValueError("The encoder's plan has no regions.")
        if len(inputs) == 0:
            return self._no_rows(), np.empty((0, CELLS, self.dimension), dtype=np.float32)
        with self._using(TowerName.IMAGE):
            whole, cells = wide_split(self._encode_inputs(inputs), self.dimension)
        flat = unit_rows(cells.reshape(-1, self.dimension))
        return unit_rows(whole), flat.reshape(cells.shape)

    def encode_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """(n, dimension) float32 unit rows, one a picture, in order; the image tower is loaded if it is not."""
        return self.encode_inputs([self.image_input(image) for image in images])

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimension) float32 unit rows, one a text, in order; the text tower is loaded if it is not.

        Raises UnsupportedLanguage if the tokenizer cannot read one of the texts.
        """
        if len(texts) == 0:
            return self._no_rows()
        with self._using(TowerName.TEXT):
            return unit_rows(self._encode_texts(texts))

    def exportable(self, tower: TowerName) -> "Exportable | None":
        """The tower as a torch module in float32 with example inputs, for another runtime; None if it has no module.

        Raises EncoderUnavailable or EncoderMismatch.
        """
        return None

    def token_count(self, text: str) -> int:
        """Tokens of the whole text, the marks of beginning and end included; the text tower is loaded if it is not.

        A text of more than `max_text_length` would be cut by `encode_texts`.
        """
        with self._using(TowerName.TEXT):
            return self._token_count(text)

    def _no_rows(self) -> NDArray[np.float32]:
        return np.empty((0, self.dimension), dtype=np.float32)

    @abstractmethod
    def _load_image_tower(self) -> bool:
        """Called under the lock; returns whether the tower was loaded now and had not been there."""

    @abstractmethod
    def _load_text_tower(self) -> bool:
        """Called under the lock; returns whether the tower was loaded now and had not been there."""

    @abstractmethod
    def _token_count(self, text: str) -> int:
        """Called with the text tower loaded; nothing is cut."""

    @abstractmethod
    def _unload_image_tower(self) -> bool:
        """Called under the lock; returns whether there was one."""

    @abstractmethod
    def _unload_text_tower(self) -> bool:
        """Called under the lock; returns whether there was one."""

    @abstractmethod
    def _image_input(self, image: Image.Image) -> ImageInput:
        """Safe to call from several threads; needs no tower."""

    @abstractmethod
    def _encode_inputs(self, inputs: Sequence[ImageInput]) -> NDArray[np.float32]:
        """At least one picture; rows of any length, with `plan.regions` five vectors side by side in each.

        Called with the image tower loaded and kept.
        """

    @abstractmethod
    def _encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """At least one text; rows of any length. Called with the text tower loaded and kept."""


def unit_rows(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, d) -> (n, d) float32 with each row divided by its length; a row of zeros stays zero."""
    wide = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.maximum(lengths, _SMALLEST_NORM), dtype=np.float32)
