"""Rows that take long to compute, kept on disk block by block: a run that was killed loses one block at most."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray
from tqdm import tqdm

from rsportal.errors import InvalidInput


def kept_rows(
    store: Path,
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    block: int,
    compute: Callable[[int, int], NDArray[np.floating]],
) -> NDArray[np.floating]:
    """An array of `shape` and floating `dtype`, memory-mapped from the file `store` (.npy); written on the first call.

    `compute(start, stop)` gives the rows start..stop - 1. Until all are there they are kept in a partial file in which
    what is missing is not a number. Raises InvalidInput if a computed row has an entry that is not finite.
    """
    if not store.exists():
        partial = store.with_name(f"partial-{store.name}")
        if not partial.exists():
            _write_empty(partial, shape, dtype)
        rows = np.lib.format.open_memmap(partial, mode="r+")
        for start in tqdm(range(0, shape[0], block), desc=store.stem, leave=False):
            stop = min(start + block, shape[0])
            if not np.isnan(rows[start:stop]).any():
                continue
            computed = compute(start, stop)
            if not np.isfinite(computed).all():
                raise InvalidInput(
                    f"{store.stem}: rows {start} to {stop - 1} are not finite numbers: nothing can be learnt from them."
                )
            rows[start:stop] = computed
        rows.flush()
        partial.replace(store)
    return np.asarray(np.load(store, mmap_mode="c"))


def _write_empty(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    """The file appears only when all of it is marked as missing."""
    fresh = path.with_name(f"fresh-{path.name}")
    rows = np.lib.format.open_memmap(fresh, mode="w+", dtype=dtype, shape=shape)
    for start in range(0, shape[0], 1024):
        rows[start : start + 1024] = np.nan
    rows.flush()
    fresh.replace(path)
