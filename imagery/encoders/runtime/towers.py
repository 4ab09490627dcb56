"""A tower ready to compute: named arrays in, rows out. One class for each library."""

import threading
from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from .artefact import Artefact
from .batching import CPU_IMAGES
from .library import openvino_core, openvino_module
from .memory import pages_release
from .plan import Plan, Precision, this_machine

Inputs = Mapping[str, NDArray[Any]]

# Values of one scale when activations are rounded to 8 bits; that many columns of a row share it.
_QUANTISATION_GROUP: Final = 256
_BFLOAT16_FEATURES: Final = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
# The names of the rows in what transformers' towers return, best first; None is the bare tensor of our own.
_ROWS: Final = ("image_embeds", "text_embeds", "pooler_output")


class Tower(Protocol):
    """Computes rows of any length, float32. Safe to call from several threads, which wait for each other."""

    def __call__(self, inputs: Inputs) -> NDArray[np.float32]:
        """``inputs``: arrays (n, ...) by the tower's own names, n at least 1. Returns (n, dimension)."""


class TorchTower:
    """A torch module in evaluation mode on its device."""

    def __init__(self, module: Any, *, device: str = "cpu", dtype: str = Precision.FLOAT32) -> None:
        import torch

        self.module = module.to(device).eval().requires_grad_(False)
        self._device, self._dtype = device, getattr(torch, dtype)

    def __call__(self, inputs: Inputs) -> NDArray[np.float32]:
        import torch

        tensors = {}
        for name, array in inputs.items():
            tensor = torch.from_numpy(np.ascontiguousarray(array))
            dtype = self._dtype if tensor.is_floating_point() else tensor.dtype
            tensors[name] = tensor.to(device=self._device, dtype=dtype)
        with torch.inference_mode():
            return np.asarray(rows_of(self.module(**tensors)).float().cpu().numpy(), dtype=np.float32)


def rows_of(output: Any) -> Any:
    """The (n, d) tensor in what a tower returned."""
    for name in _ROWS:
        rows = getattr(output, name, None)
        if rows is not None:
            return rows
    return output


class OpenvinoTower:
    """A tower that was exported to disk, compiled for this processor.

    The processor's own packing of the weights is in private memory, in the precision of the arithmetic; the file's
    pages are mapped, shared by all processes, and let go once they have been packed. ``streams`` pieces of a batch are
    computed side by side, each by an equal part of the cores: two cores that need not wait for each other do half as
    much again as two that share the work of each layer. One stream answers soonest.
    """

    def __init__(self, artefact: Artefact, plan: Plan, *, streams: int = 1) -> None:
        compiled = openvino_core().compile_model(str(artefact.graph), "CPU", _configuration(plan, streams))
        # By position: the library may give an input further names.
        self._positions = {name: index for index, name in enumerate(artefact.note["inputs"])}
        self._queue = openvino_module().AsyncInferQueue(compiled, streams)
        self._streams = streams
        self._weights = artefact.weights
        self._lock = threading.Lock()
        self._sizes: set[int] = set()

    def __call__(self, inputs: Inputs) -> NDArray[np.float32]:
        arrays = {self._positions[name]: np.ascontiguousarray(array) for name, array in inputs.items()}
        count = len(next(iter(arrays.values())))
        size = min(CPU_IMAGES, -(-count // self._streams)) if self._streams > 1 else count
        rows: dict[int, NDArray[np.float32]] = {}

        def done(request: Any, start: int) -> None:
            rows[start] = np.array(request.get_output_tensor(0).data, dtype=np.float32)

        with self._lock:  # So the working memory is held once, whatever the number of threads.
            self._queue.set_callback(done)
            for start in range(0, count, size):
                piece = {index: array[start : start + size] for index, array in arrays.items()}
                self._queue.start_async(piece, userdata=start, share_inputs=True)
            self._queue.wait_all()
            if size not in self._sizes:  # A new size may have read weights again to pack them.
                self._sizes.add(size)
                pages_release(self._weights)
        return np.concatenate([rows[start] for start in sorted(rows)])


def _configuration(plan: Plan, streams: int) -> dict[str, Any]:
    half = plan.precision is Precision.BFLOAT16 or (plan.precision is Precision.INT8 and has_bfloat16())
    configuration: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "NUM_STREAMS": streams,
        # Bound to cores, a web process and a worker would share one core and leave the next one idle.
        "ENABLE_CPU_PINNING": False,
    }
    if plan.precision is Precision.INT8:
        configuration["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = _QUANTISATION_GROUP
    if plan.threads:
        configuration["INFERENCE_NUM_THREADS"] = plan.threads
    return configuration


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 itself; otherwise it would be imitated, slowly."""
    return bool(_BFLOAT16_FEATURES & set(this_machine().features))
