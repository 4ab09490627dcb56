"""Batches that do not fit are halved, with the error that torch really raises."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from imagery.encoders.runtime.batching import BatchSize, device_memory_free, out_of_memory_errors

ERRORS = out_of_memory_errors(torch_runs=True)


def squares_up_to(limit: int, sizes: list[int]):
    """A computation whose memory holds `limit` items."""

    def compute(items: Sequence[int]) -> np.ndarray:
        sizes.append(len(items))
        if len(items) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return np.asarray([[float(item) ** 2] for item in items], dtype=np.float32)

    return compute


@pytest.mark.parametrize(("start", "limit", "settled"), [(64, 64, 64), (64, 20, 16), (64, 1, 1), (5, 3, 2)])
def test_the_size_is_halved_until_it_fits_and_stays(start: int, limit: int, settled: int) -> None:
    batch, sizes = BatchSize(start), list[int]()
    items = list(range(100))
    rows = batch.run(items, squares_up_to(limit, sizes), out_of_memory=ERRORS, free=device_memory_free)
    np.testing.assert_array_equal(rows[:, 0], np.square(np.arange(100.0)))
    assert batch.size == settled
    failed = sum(size > limit for size in sizes)
    sizes.clear()
    batch.run(items, squares_up_to(limit, sizes), out_of_memory=ERRORS)
    assert not [size for size in sizes if size > limit], "what was learnt is remembered"
    assert failed <= 7


def test_memory_is_freed_before_each_new_try() -> None:
    freed = []
    BatchSize(8).run(list(range(8)), squares_up_to(2, []), out_of_memory=ERRORS, free=lambda: freed.append(True))
    assert len(freed) == 2


def test_one_item_that_does_not_fit_raises() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        BatchSize(4).run([1, 2], squares_up_to(0, []), out_of_memory=ERRORS)


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def broken(items: Sequence[int]) -> np.ndarray:
        raise RuntimeError("shape mismatch")

    batch = BatchSize(4)
    with pytest.raises(RuntimeError, match="shape"):
        batch.run([1, 2], broken, out_of_memory=ERRORS)
    assert batch.size == 4


def test_threads_that_fail_together_do_not_halve_twice_for_one_size() -> None:
    batch, barrier = BatchSize(8), threading.Barrier(2)

    def compute(items: Sequence[int]) -> np.ndarray:
        if len(items) > 4:
            barrier.wait(timeout=30)
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return np.zeros((len(items), 1), dtype=np.float32)

    threads = [
        threading.Thread(target=batch.run, args=(list(range(8)), compute), kwargs={"out_of_memory": ERRORS})
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert batch.size == 4


def test_without_torch_only_a_lack_of_memory_counts() -> None:
    assert out_of_memory_errors(torch_runs=False) == (MemoryError,)
    with pytest.raises(ValueError, match="at least one"):
        BatchSize(0)
