"""The options of a distillation. Pure Python: the command line answers --help without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rsportal.errors import InvalidInput

# The student's maps after this many blocks are kept on disk (31 kB a view), so training starts there at the earliest.
CACHED_BLOCKS: Final = 8
LAST_BLOCK: Final = 15
STARTS: Final = ("builtin", "imagenet")
_LEAST: Final = {"views": 0, "head_epochs": 0, "epochs": 0, "batch_size": 2, "captions_per_image": 1, "seed": 0}
_SHARES: Final = ("chinese_share", "image_dropout", "text_dropout", "average_decay")


@dataclass(frozen=True)
class DistillOptions:
    """Everything that decides the outcome, apart from data and teacher. Raises InvalidInput for values out of range.

    `views` is the number of random views of each picture that the teacher encodes besides the picture itself, so a
    run costs the teacher (views + 1) x images. `contrastive` is the weight of the captions beside the cosines. With
    `text_only` nothing is trained that reads pictures: the teacher goes on reading them.
    """

    images: Path
    captions: Path
    out: Path
    text_only: bool = False
    start: str = STARTS[0]
    views: int = 2
    head_epochs: int = 10
    epochs: int = 3
    tail_from: int = 11
    batch_size: int = 128
    captions_per_image: int = 3
    chinese_share: float = 0.3
    contrastive: float = 0.1
    head_rate: float = 3e-4
    backbone_rate: float = 1e-4
    weight_decay: float = 0.05
    image_dropout: float = 0.1
    text_dropout: float = 0.1
    average_decay: float = 0.98
    seed: int = 0
    threads: int = 2
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not CACHED_BLOCKS <= self.tail_from <= LAST_BLOCK:
            raise InvalidInput(f"--tail-from must be {CACHED_BLOCKS} to {LAST_BLOCK}, not {self.tail_from}.")
        if self.start not in STARTS:
            raise InvalidInput(f"--start must be one of {', '.join(STARTS)}, not {self.start}.")
        for name, least in {**_LEAST, "threads": 1}.items():
            if getattr(self, name) < least:
                raise InvalidInput(f"{_flag(name)} must be at least {least}, not {getattr(self, name)}.")
        for name in _SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise InvalidInput(f"{_flag(name)} must be at least 0 and less than 1, not {getattr(self, name)}.")
        for name in ("contrastive", "weight_decay", "head_rate", "backbone_rate"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InvalidInput(f"{_flag(name)} must be a number of at least 0, not {getattr(self, name)}.")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
