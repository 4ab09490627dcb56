"""Other ways to find the nearest of many vectors, each on one core, and what each needs to be set up.

All get the same unit vectors as float32 and the same query; all return row numbers, nearest first. None of them knows
permissions, filters or metadata.
"""

import os
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

M = 16
EF_CONSTRUCTION = 128
LEAST_EF = 100


class Rival(Protocol):
    """A way to search: ``find`` returns the row numbers of the ``k`` nearest."""

    name: str
    note: str

    def find(self, query: NDArray[np.float32], k: int) -> NDArray[np.int64]: ...


class TutorialLoop:
    """What many a tutorial shows: a list of tensors, a cosine for each, a sort."""

    name = "tutorial loop (torch)"
    note = "cosine_similarity for one picture after the other, then sort"

    def __init__(self, rows: NDArray[np.float32]) -> None:
        import torch

        torch.set_num_threads(1)
        self._torch = torch
        self._rows = [torch.from_numpy(row) for row in rows]

    def find(self, query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        asked = self._torch.from_numpy(query)
        cosine = self._torch.nn.functional.cosine_similarity
        scores = [(cosine(asked, row, dim=0).item(), number) for number, row in enumerate(self._rows)]
        scores.sort(key=lambda pair: -pair[0])
        return np.array([number for _, number in scores[:k]], dtype=np.int64)


class NumpyMatmul:
    """One product of matrix and vector, then a partial sort."""

    name = "numpy matmul"
    note = "exact, float32, argpartition"

    def __init__(self, rows: NDArray[np.float32]) -> None:
        self._rows = rows

    def find(self, query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        scores = self._rows @ query
        best = np.argpartition(-scores, k - 1)[:k] if k < len(scores) else np.arange(len(scores))
        return np.asarray(best[np.argsort(-scores[best], kind="stable")], dtype=np.int64)


class FaissFlat:
    """FAISS's exhaustive search, over the same memory as numpy's (``IndexFlatIP`` would hold a copy)."""

    name = "FAISS flat"
    note = "exact, float32"

    def __init__(self, rows: NDArray[np.float32]) -> None:
        self._faiss = _faiss()
        self._rows = rows

    def find(self, query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        _, found = self._faiss.knn(query[None], self._rows, k, metric=self._faiss.METRIC_INNER_PRODUCT)
        return np.asarray(found[0], dtype=np.int64)


class FaissHnsw:
    """FAISS's graph with the portal's parameters, kept in a file."""

    name = "FAISS HNSW"
    note = f"M {M}, efConstruction {EF_CONSTRUCTION}, efSearch max(k, {LEAST_EF}), float32"

    def __init__(self, file: Path) -> None:
        self._faiss = _faiss()
        self._index = self._faiss.read_index(str(file))

    @staticmethod
    def build(rows: NDArray[np.float32], file: Path) -> float:
        """Build and keep the index on all cores; return the seconds it took."""
        faiss = _faiss(os.cpu_count() or 1)
        begun = perf_counter()
        index = faiss.IndexHNSWFlat(rows.shape[1], M, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = EF_CONSTRUCTION
        index.add(rows)
        taken = perf_counter() - begun
        faiss.write_index(index, str(file))
        return taken

    def find(self, query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        self._index.hnsw.efSearch = max(k, LEAST_EF)
        _, found = self._index.search(query[None], k)
        return np.asarray(found[0], dtype=np.int64)


class Hnswlib:
    """hnswlib's graph with the portal's parameters, kept in a file."""

    name = "hnswlib"
    note = f"M {M}, ef_construction {EF_CONSTRUCTION}, ef max(k, {LEAST_EF}), float32"

    def __init__(self, file: Path, dimension: int) -> None:
        self._index = _hnswlib(dimension)
        self._index.load_index(str(file))
        self._index.set_num_threads(1)

    @staticmethod
    def build(rows: NDArray[np.float32], file: Path) -> float:
        """Build and keep the index on all cores; return the seconds it took."""
        begun = perf_counter()
        index = _hnswlib(rows.shape[1])
        index.init_index(max_elements=len(rows), M=M, ef_construction=EF_CONSTRUCTION)
        index.add_items(rows)
        taken = perf_counter() - begun
        index.save_index(str(file))
        return taken

    def find(self, query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        self._index.set_ef(max(k, LEAST_EF))
        found, _ = self._index.knn_query(query[None], k=k)
        return np.asarray(found[0], dtype=np.int64)


def _faiss(threads: int = 1) -> Any:
    import faiss  # type: ignore[import-not-found,unused-ignore]

    faiss.omp_set_num_threads(threads)
    return faiss


def _hnswlib(dimension: int) -> Any:
    import hnswlib  # type: ignore[import-not-found,unused-ignore]

    return hnswlib.Index(space="ip", dim=dimension)
