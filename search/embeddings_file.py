"""Embeddings of labelled images from a file, to measure the ranking on vectors of any model."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rsportal.errors import InvalidInput
from search.ranking.query import Vector, unit

_SHAPES: Final = {
    "images": ("images, dimension", 2),
    "labels": ("images", 1),
    "texts": ("prompts, classes, dimension", 3),
}


@dataclass(frozen=True)
class LabelledEmbeddings:
    """``images`` (n, d) float32 unit rows, ``labels`` (n,) the class of each, ``queries`` (c, d) unit rows: for each
    class the direction of the mean of its prompts' unit vectors, as a search makes a query's."""

    images: Vector
    labels: NDArray[np.int64]
    queries: Vector


def embeddings_read(path: Path) -> LabelledEmbeddings:
    """Read an .npz with ``images`` (n, d), ``labels`` (n,) and ``texts`` (prompts, classes, d).

    Rows of any length will do; they are brought to length 1. Raises InvalidInput (field ``embeddings``) that names the
    file and what is wrong with it.
    """
    arrays = _arrays(path)
    images, texts = (_rows(path, name, arrays[name]) for name in ("images", "texts"))
    labels = arrays["labels"]
    if labels.dtype.kind not in "iu":
        raise _refusal(path, f'"labels" holds {labels.dtype}; it must hold whole numbers, the class of each image')
    if len(labels) != len(images):
        raise _refusal(path, f'"images" has {len(images):,} rows and "labels" {len(labels):,}; they must be as many')
    if images.shape[1] != texts.shape[2]:
        raise _refusal(path, f'"images" has {images.shape[1]} numbers a row and "texts" {texts.shape[2]}')
    classes = texts.shape[1]
    if classes < 2:
        raise _refusal(path, '"texts" has fewer than two classes; the text mean is taken over the other classes')
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        wrong = int(labels.min() if labels.min() < 0 else labels.max())
        raise _refusal(path, f'"labels" has {wrong}; with {classes} classes it must be 0 to {classes - 1}')
    return LabelledEmbeddings(
        images=unit(images), labels=labels.astype(np.int64), queries=unit(unit(texts).mean(axis=0))
    )


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            raise _refusal(path, "it holds one array; an .npz with images, labels and texts is needed")
        with found as opened:
            if missing := [name for name in _SHAPES if name not in opened.files]:
                has = ", ".join(opened.files) or "nothing"
                raise _refusal(path, f"it has no {' and no '.join(map(repr, missing))} (it has: {has})")
            arrays = {name: opened[name] for name in _SHAPES}
    except OSError as error:
        raise _refusal(path, error.strerror or "it cannot be read") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _refusal(path, f"it is no .npz that can be read ({error})") from error
    for name, (told, dimensions) in _SHAPES.items():
        if arrays[name].ndim != dimensions or 0 in arrays[name].shape:
            raise _refusal(path, f'"{name}" has the shape {arrays[name].shape}; it must be ({told}), none of them 0')
    return arrays


def _rows(path: Path, name: str, array: NDArray[Any]) -> NDArray[np.float32]:
    if array.dtype.kind not in "fiu":
        raise _refusal(path, f'"{name}" holds {array.dtype}; it must hold numbers')
    rows = array.astype(np.float32)
    if not np.isfinite(rows).all():
        raise _refusal(path, f'"{name}" holds NaN or infinite numbers')
    if not rows.any(axis=-1).all():
        raise _refusal(path, f'"{name}" has a row of zeros, which has no direction')
    return rows


def _refusal(path: Path, reason: str) -> InvalidInput:
    return InvalidInput(f"{path}: {reason}.", field="embeddings")
