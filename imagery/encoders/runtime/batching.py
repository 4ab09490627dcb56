"""A batch size that fits the device: halved when its memory is too small, and remembered."""

import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")

CPU_IMAGES: Final = 4
"""A CPU gains nothing from larger batches, and small ones keep the maps near the processor."""
CPU_TEXTS: Final = 8
GPU_IMAGES: Final = 128
GPU_TEXTS: Final = 256


class BatchSize:
    """How many items to compute at once. Safe to share between threads."""

    def __init__(self, start: int) -> None:
        if start < 1:
            raise ValueError(f"A batch holds at least one item, not {start}.")
        self._size = start
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Items of one batch, at least 1."""
        return self._size

    def run(
        self,
        items: Sequence[Item],
        compute: Callable[[Sequence[Item]], NDArray[np.float32]],
        *,
        out_of_memory: tuple[type[BaseException], ...],
        free: Callable[[], None] = lambda: None,
    ) -> NDArray[np.float32]:
        """Compute all items batch by batch and join the rows, in order.

        When ``compute`` raises one of ``out_of_memory`` the size is halved, ``free`` is called and the same items are
        tried again; a single item that does not fit raises that error.
        """
        rows: list[NDArray[np.float32]] = []
        start = 0
        while start < len(items):
            size = self._size
            part = items[start : start + size]
            try:
                rows.append(compute(part))
            except out_of_memory:
                if len(part) == 1:
                    raise
                self._shrink(len(part))
                failed = True
            else:
                failed = False
                start += len(part)
            if failed:  # Outside the handler: the error holds on to the tensors of the failed batch.
                free()
        return np.concatenate(rows)

    def _shrink(self, failed: int) -> None:
        with self._lock:
            self._size = max(1, min(self._size, failed // 2))


def out_of_memory_errors(*, torch_runs: bool) -> tuple[type[BaseException], ...]:
    """What the runtime raises when a batch is too large for its memory."""
    if not torch_runs:
        return (MemoryError,)
    import torch

    return (torch.OutOfMemoryError, MemoryError)


def device_memory_free() -> None:
    """Give the device's cached blocks back before a smaller batch is tried."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
