"""What runs an encoder: library, number format, device. Pure Python: neither torch nor OpenVINO is imported."""

import os
import platform
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

ARTEFACT_VERSION: Final = 2
"""Raised when towers are exported in another way, so that those written before are made anew."""


class Runtime(StrEnum):
    """A library that can run a tower."""

    TORCH = "torch"
    OPENVINO = "openvino"


class Precision(StrEnum):
    """The number format of the arithmetic; vectors are float32 whatever it is."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


class Form(StrEnum):
    """Which vectors may be compared: those of float32 and bfloat16 with each other, those of 8-bit weights not."""

    FULL = "full"
    INT8 = "int8"

    @staticmethod
    def of(precision: Precision) -> "Form":
        """The form of the vectors that this arithmetic gives."""
        return Form.INT8 if precision is Precision.INT8 else Form.FULL


@dataclass(frozen=True)
class Plan:
    """How one process runs one encoder.

    ``threads`` 0 leaves the number to the library (all cores). ``folder`` holds the exported towers and ``checksum``
    names them; OpenVINO needs both. ``idle_seconds`` without use unload a tower; 0 keeps it. With ``regions`` the image
    tower also gives vectors of the quarters of a picture (``imagery.encoders.regions``).
    """

    runtime: Runtime = Runtime.TORCH
    precision: Precision = Precision.FLOAT32
    device: str = "cpu"
    threads: int = 0
    checksum: str = ""
    folder: Path | None = None
    idle_seconds: float = 0.0
    regions: bool = False

    def __post_init__(self) -> None:
        if self.runtime is Runtime.TORCH and self.precision is Precision.INT8:
            raise ValueError("8-bit weights need OpenVINO: torch is the reference and runs in float32 or bfloat16.")
        if self.runtime is Runtime.OPENVINO and (self.folder is None or not self.checksum):
            raise ValueError("OpenVINO needs the checksum of the encoder's files and a folder for the exported towers.")
        if self.runtime is Runtime.OPENVINO and self.device != "cpu":
            raise ValueError("OpenVINO is used on CPUs only; a GPU is run by torch.")

    @property
    def form(self) -> Form:
        """Which vectors these may be compared with."""
        return Form.of(self.precision)

    def as_words(self) -> dict[str, str]:
        """Runtime, precision and device, for people and JSON."""
        return {"runtime": self.runtime.value, "precision": self.precision.value, "device": self.device}


REFERENCE: Final = Plan()
"""torch in float32: what every other way is measured against."""


def library_version(runtime: Runtime) -> str:
    """The installed version, without importing it; empty if it is not installed."""
    try:
        return version(runtime.value)
    except PackageNotFoundError:
        return ""


def is_installed(runtime: Runtime) -> bool:
    """Whether the library can be imported."""
    return find_spec(runtime.value) is not None


@dataclass(frozen=True)
class Machine:
    """What a measurement depends on: it holds for this processor, these cores and these versions."""

    processor: str
    features: tuple[str, ...]
    cores: int
    torch: str
    openvino: str

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {**asdict(self), "features": list(self.features)}


# Flags of /proc/cpuinfo that decide which arithmetic is fast.
_FEATURES: Final = (
    "avx2",
    "avx512f",
    "avx512_bf16",
    "avx512_vnni",
    "avx_vnni",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "bf16",
    "i8mm",
    "sve",
)


def this_machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    """The machine at hand."""
    processor, flags = platform.processor() or platform.machine(), set[str]()
    try:
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                processor = value.strip()
            elif key.strip() in {"flags", "Features"}:
                flags = set(value.split())
                break
    except OSError:
        pass  # Not Linux: the processor's name must do.
    return Machine(
        processor=processor,
        features=tuple(name for name in _FEATURES if name in flags),
        cores=usable_cores(),
        torch=library_version(Runtime.TORCH),
        openvino=library_version(Runtime.OPENVINO),
    )


def usable_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
