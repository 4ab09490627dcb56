"""Checkpoints that the encoder tests share; each is made once, when first asked for."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests import checkpoints

_MAKERS: dict[str, Callable[[Path], Path]] = {
    "base": partial(checkpoints.siglip_of_shape, shape=checkpoints.BASE_REDUCED),
    "large": partial(checkpoints.siglip_of_shape, shape=checkpoints.LARGE_REDUCED),
    "clip": checkpoints.clip_checkpoint,
    "siglip2": checkpoints.siglip2_checkpoint,
    "naflex": partial(checkpoints.siglip2_checkpoint, naflex=True),
}


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of the checkpoint of this name."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = _MAKERS[name](tmp_path_factory.mktemp("models") / name)
        return made[name]

    return folder
