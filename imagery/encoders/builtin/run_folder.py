"""What a training run leaves in its folder, so that a run that was killed at any moment can go on.

This module imports torch inside functions only.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    from .distill_options import DistillOptions
    from .options import TrainingOptions

_SETTINGS: Final = "settings.json"
_CURVE: Final = "curve.jsonl"
# Two lines with the same of these are the same measurement, made again after an interruption.
_KEY: Final = ("step", "epoch")


# Options that may change between a run's beginning and its end.
_CIRCUMSTANCES: Final = frozenset({"images", "captions", "out", "threads", "device"})


def deciding(options: "TrainingOptions | DistillOptions") -> dict[str, Any]:
    """What must be the same for an interrupted run to go on: the settings and the captions' SHA-256.

    Raises InvalidInput if the captions cannot be read.
    """
    settings = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in _CIRCUMSTANCES}
    try:
        captions = hashlib.sha256(options.captions.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidInput(f"{options.captions} cannot be read ({error.strerror}).", field="captions") from error
    return {**settings, "captions_sha256": captions}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to; it becomes `path` when the block ends without an error, so `path` is whole or absent."""
    partial = path.with_name(f"partial-{path.name}")
    yield partial
    partial.replace(path)


class RunFolder:
    """The folder of one run: its settings, its checkpoints and its curve."""

    def __init__(self, path: Path, *, settings: dict[str, Any]) -> None:
        """Raises InvalidInput if the folder holds a run with other settings."""
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        store = path / _SETTINGS
        if store.exists():
            self._check(json.loads(store.read_text(encoding="utf-8")), settings)
        else:
            with replacing(store) as partial:
                partial.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        curve = path / _CURVE
        lines = curve.read_text(encoding="utf-8").splitlines() if curve.exists() else []
        self._curve: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def _check(self, there: dict[str, Any], here: dict[str, Any]) -> None:
        for name in sorted(there.keys() | here.keys()):
            if there.get(name) != here.get(name):
                raise InvalidInput(
                    f"{self.path} holds a run with another {name} ({there.get(name)}, not {here.get(name)}): "
                    "choose another folder, or the same settings to go on."
                )

    def best_of_others(self, line: dict[str, Any], *, by: str = "mr") -> float:
        """The largest `by` of the curve apart from this measurement's own; -1 if there is none."""
        return max((other[by] for other in self._others(line) if by in other), default=-1.0)

    def add_to_curve(self, line: dict[str, Any]) -> None:
        """Append a measurement; one made again takes the place of the old."""
        self._curve = [*self._others(line), line]
        with replacing(self.path / _CURVE) as partial:
            partial.write_text("".join(json.dumps(each) + "\n" for each in self._curve), encoding="utf-8")

    def _others(self, line: dict[str, Any]) -> list[dict[str, Any]]:
        return [each for each in self._curve if any(each.get(name) != line.get(name) for name in _KEY)]

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Keep tensors and plain values under a name; what was there is replaced at once."""
        import torch

        with replacing(self.path / name) as partial:
            torch.save(state, partial)

    def restored(self, name: str) -> dict[str, Any] | None:
        """What was saved under the name, on the CPU; None if nothing was."""
        import torch

        path = self.path / name
        return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None
