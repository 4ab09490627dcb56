"""The options of a training run. Pure Python: the command line answers --help without torch."""

from dataclasses import dataclass
from pathlib import Path

from rsportal.errors import InvalidInput


@dataclass(frozen=True)
class TrainingOptions:
    """Everything that decides the outcome, apart from the data. Raises InvalidInput for values out of range."""

    images: Path
    captions: Path
    out: Path
    views: int = 8
    epochs: int = 12
    batch_size: int = 128
    captions_per_image: int = 3
    chinese_share: float = 0.3
    head_rate: float = 1e-3
    backbone_rate: float = 3e-4
    weight_decay: float = 0.05
    image_dropout: float = 0.2
    text_dropout: float = 0.2
    average_decay: float = 0.995
    seed: int = 0
    threads: int = 2
    device: str = "cpu"
    half: bool = False

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("views", 1), ("epochs", 1), ("batch_size", 2), ("threads", 1)):
            if getattr(self, name) < least:
                raise InvalidInput(f"--{name.replace('_', '-')} must be at least {least}, not {getattr(self, name)}.")
