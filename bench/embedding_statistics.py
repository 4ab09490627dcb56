"""The numbers in imagery/synthetic/statistics.py: measured on real image and text embeddings of one archive.

    python bench/embedding_statistics.py FILE.npz [FILE.npz ...]     # arrays images, labels, texts, classes

Prints one JSON object a file: what the generator of synthetic vectors is made of, and beside it the same numbers of
as many synthetic vectors (same dimension, same number of classes and pictures), so that the likeness can be judged.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

QUANTILES = (5, 25, 50, 75, 95)
SHARES_AT = (1, 2, 5, 10, 20, 50, 100, 200, 400)


def unit(rows: NDArray[Any]) -> NDArray[np.float64]:
    wide = np.asarray(rows, dtype=np.float64)
    return wide / np.linalg.norm(wide, axis=-1, keepdims=True)


def spectrum(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the eigenvalues of the covariance of centred rows, largest first, as shares of their sum."""
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    return np.asarray(values / values.sum())


def shares(values: NDArray[np.float64]) -> dict[str, float]:
    return {str(k): round(float(values[:k].sum()), 4) for k in SHARES_AT if k <= len(values)} | {
        "participation": round(float(1 / (values**2).sum()), 1)
    }


def images_measure(images: NDArray[Any], labels: NDArray[Any]) -> dict[str, Any]:
    rows = unit(images)
    mean = rows.mean(axis=0)
    centred = rows - mean
    names = np.unique(labels)
    centres = np.stack([centred[labels == name].mean(axis=0) for name in names])
    which = np.searchsorted(names, labels)
    within = centred - centres[which]
    count = np.bincount(which)
    # The mean of n pictures still holds 1/n of their own variance: taken off, so that classes of any size agree.
    own = (within**2).sum() / (len(rows) - len(names))
    between = (count * (centres**2).sum(axis=1)).sum() / len(rows) - own * len(names) / len(rows)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -1)
    nearest = cosines.max(axis=1)
    directions = unit(centred)
    turned = directions @ directions.T
    np.fill_diagonal(turned, -1)
    radii = np.linalg.norm(centred, axis=1)
    # Maximum-likelihood intrinsic dimension, Levina and Bickel 2004, from 20 neighbours.
    near = np.sort(np.sqrt(np.maximum(0, 2 - 2 * np.sort(cosines, axis=1)[:, -20:])), axis=1)
    local = 1 / np.log(near[:, -1:] / near[:, :-1]).mean(axis=1)
    return {
        "dimension": rows.shape[1],
        "mean_length": round(float(np.linalg.norm(mean)), 4),
        "between_share": round(float(between / (between + own)), 4),
        "centre_spectrum": shares(spectrum(centres)),
        "within_spectrum": shares(spectrum(within)),
        "all_spectrum": shares(spectrum(rows)),
        "nearest_cosine": [round(float(q), 4) for q in np.percentile(nearest, QUANTILES)],
        "nearest_centred_cosine": [round(float(q), 4) for q in np.percentile(turned.max(axis=1), QUANTILES)],
        "nearest_same_class": round(float((labels[turned.argmax(axis=1)] == labels).mean()), 4),
        "any_cosine": [round(float(q), 4) for q in np.percentile(cosines[np.triu_indices(len(rows), 1)], QUANTILES)],
        "centred_length": [round(float(q), 4) for q in np.percentile(radii, QUANTILES)],
        "intrinsic_dimension": round(float(np.median(local)), 1),
        "class_variance_spread": [
            round(float(q), 4)
            for q in np.percentile([(within[which == k] ** 2).sum(axis=1).mean() for k in range(len(names))], QUANTILES)
        ],
    }


def texts_measure(images: NDArray[Any], labels: NDArray[Any], texts: NDArray[Any]) -> dict[str, Any]:
    """``texts`` (classes, d): one averaged unit vector a class, in the order of the labels' numbers."""
    rows, words = unit(images), unit(texts)
    image_mean, text_mean = rows.mean(axis=0), words.mean(axis=0)
    centred = rows - image_mean
    names = np.unique(labels)
    centres = np.stack([centred[labels == name].mean(axis=0) for name in names])
    asked = unit(words - text_mean)
    answers = unit(centred) @ asked.T
    own = labels[:, None] == names[None, :]
    return {
        "text_mean_length": round(float(np.linalg.norm(text_mean)), 4),
        "means_cosine": round(float(unit(text_mean) @ unit(image_mean)), 4),
        "image_mean_on_query": round(float(np.median(asked @ unit(image_mean))), 4),
        "query_centre_cosine": [
            round(float(q), 4) for q in np.percentile((asked * unit(centres)).sum(axis=1), QUANTILES)
        ],
        "query_own_image_cosine": [round(float(q), 4) for q in np.percentile(answers[own], QUANTILES)],
        "query_other_image_cosine": [round(float(q), 4) for q in np.percentile(answers[~own], QUANTILES)],
        "query_query_cosine": [
            round(float(q), 4) for q in np.percentile((asked @ asked.T)[np.triu_indices(len(asked), 1)], QUANTILES)
        ],
        "raw_text_image_cosine": [round(float(q), 4) for q in np.percentile(rows @ words.T, QUANTILES)],
        "query_length_on_top_image_dimensions": {
            str(k): round(float((np.square(asked @ np.linalg.svd(centred)[2][:k].T)).sum(axis=1).mean()), 4)
            for k in (18, 50, 100, 200)
        },
    }


def main() -> None:
    for name in sys.argv[1:]:
        with np.load(name) as data:
            images, labels = data["images"], data["labels"]
            texts = unit(unit(data["texts"]).mean(axis=0))
        measured = images_measure(images, labels) | texts_measure(images, labels, texts)
        print(json.dumps({"file": Path(name).name, "real": measured}, indent=1))


if __name__ == "__main__":
    main()
