"""Vectors of synthetic scenes: clustered on two levels in a narrow cone, like those of real pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagery.synthetic.statistics import REAL, Statistics

BLOCK: Final = 4_096
"""Scenes made at once. Block b is the same whatever else is made, so an archive can be made in pieces."""
CLASSES: Final = 45
_CLUSTERS_A_ROOT: Final = 4
"""Clusters for each square root of the number of scenes: 1,265 of 100,000, 4,000 of a million."""
_WINDOW_OWN: Final = 0.35
"""Share of a scene's own variance that a window of it does not share with the whole picture."""
_SKEW: Final = 1.0  # Zipf's exponent: the n-th largest class or cluster is 1/n of the largest.
_SHAPE, _CLUSTERS, _BLOCKS, _QUERIES, _WINDOWS = range(5)  # Streams of random numbers that never meet.


@dataclass(frozen=True)
class VectorBlock:
    """Scenes number ``first`` and on: ``whole`` (n, d) float32 unit rows, ``windows`` (n, w, d), ``classes`` (n,)."""

    first: int
    whole: NDArray[np.float32]
    windows: NDArray[np.float32]
    classes: NDArray[np.int64]


class VectorSource:
    """Makes the vectors of ``scenes`` scenes with ``dimension`` numbers each, and of queries for them.

    A vector is a mean that all share, plus the centre of its class, plus that of its cluster, plus its own part; each
    part is normally distributed with a variance that falls along the directions as measured (``statistics``). Classes
    and clusters have sizes by Zipf's law; some clusters are looser than others. The basis is turned at random, so that
    no coordinate is special.
    """

    def __init__(
        self, *, scenes: int, dimension: int, seed: int, windows: int = 0, statistics: Statistics = REAL
    ) -> None:
        self.scenes, self.dimension, self.seed, self.window_count = scenes, dimension, seed, windows
        self._shape = statistics
        rng = np.random.default_rng([seed, _SHAPE])
        # Q of a normal matrix, its columns' signs fixed, is uniform over rotations (F. Mezzadri, 2007).
        turned, upper = np.linalg.qr(rng.standard_normal((dimension, dimension)))
        self._basis = np.ascontiguousarray((turned * np.sign(np.diag(upper))).T, dtype=np.float32)
        free = dimension - 1  # The first direction is that of the image mean.
        self._class_spread = _spread(free, statistics.class_decay, statistics.class_knee)
        self._own_spread = _spread(free, statistics.picture_decay, statistics.picture_knee)
        self._class_sizes = _zipf(CLASSES)
        centred = 1 - statistics.image_mean**2
        self._class_part = np.sqrt(centred * statistics.between_classes)
        self._cluster_part = np.sqrt(centred * statistics.between_clusters)
        self._own_part = np.sqrt(centred * (1 - statistics.between_classes - statistics.between_clusters))
        self._class_centres = self._draw(rng, CLASSES, self._class_spread)
        # Weighted as they will be used, the centres have no mean of their own and the variance that is asked for.
        self._class_centres -= self._class_sizes @ self._class_centres
        variance = self._class_sizes @ np.square(self._class_centres).sum(axis=1)
        self._class_centres *= np.float32(1 / np.sqrt(variance))
        count = max(CLASSES, round(_CLUSTERS_A_ROOT * np.sqrt(scenes)))
        clusters = np.random.default_rng([seed, _CLUSTERS])
        self._cluster_classes = np.concatenate(
            [np.arange(CLASSES), clusters.choice(CLASSES, size=count - CLASSES, p=self._class_sizes)]
        )
        self._cluster_centres = self._draw(clusters, count, self._own_spread)
        self._cluster_sizes = self._sizes_within_classes()
        loose = np.exp(statistics.cluster_looseness * clusters.standard_normal(count))
        self._cluster_widths = np.asarray(loose / np.sqrt(self._cluster_sizes @ loose**2), dtype=np.float32)

    @property
    def image_mean(self) -> NDArray[np.float64]:
        """The mean (d,) of the image vectors by construction."""
        return np.asarray(self._shape.image_mean * self._basis[0], dtype=np.float64)

    @property
    def text_mean(self) -> NDArray[np.float64]:
        """The mean (d,) of the query vectors by construction."""
        return np.asarray(self._shape.text_mean * self._text_direction(), dtype=np.float64)

    def block(self, number: int) -> VectorBlock:
        """Return block ``number`` (from 0): up to BLOCK scenes; fewer in the last, none beyond it."""
        first = number * BLOCK
        count = max(0, min(BLOCK, self.scenes - first))
        rng = np.random.default_rng([self.seed, _BLOCKS, number])
        drawn = rng.random(BLOCK)[:count]
        clusters = np.minimum(np.searchsorted(np.cumsum(self._cluster_sizes), drawn), len(self._cluster_sizes) - 1)
        own = self._draw(rng, BLOCK, self._own_spread)[:count]
        own *= self._cluster_widths[clusters][:, None]
        centres = self._centres(clusters)
        whole = self._placed(np.asarray(centres + np.float32(self._own_part) * own, dtype=np.float32))
        windows = np.empty((count, self.window_count, self.dimension), dtype=np.float32)
        parts = np.random.default_rng([self.seed, _WINDOWS, number])
        for window in range(self.window_count):
            fresh = self._draw(parts, BLOCK, self._own_spread)[:count] * self._cluster_widths[clusters][:, None]
            mixed = np.float32(np.sqrt(1 - _WINDOW_OWN)) * own + np.float32(np.sqrt(_WINDOW_OWN)) * fresh
            windows[:, window] = self._placed(
                np.asarray(centres + np.float32(self._own_part) * mixed, dtype=np.float32)
            )
        return VectorBlock(first=first, whole=whole, windows=windows, classes=self._cluster_classes[clusters])

    def queries(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return unit text vectors (n, d), each asking for one cluster, and the classes (n,) these belong to.

        They lie in a cone of their own, as the texts of two-tower models do.
        """
        rng = np.random.default_rng([self.seed, _QUERIES])
        clusters = rng.choice(len(self._cluster_sizes), size=count, p=self._cluster_sizes)
        wanted = _unit(self._centres(clusters))
        shared = np.float32(np.sqrt(self._shape.query_noise_shared))
        anywhere = np.float32(np.sqrt(1 - self._shape.query_noise_shared))
        flat = np.full(self.dimension - 1, 1 / np.sqrt(self.dimension - 1), dtype=np.float32)
        noise = shared * self._draw(rng, count, self._own_spread) + anywhere * self._draw(rng, count, flat)
        noise -= (noise * wanted).sum(axis=1, keepdims=True) * wanted
        cosine = self._shape.query_centre
        asked = np.float32(cosine) * wanted + np.float32(np.sqrt(1 - cosine**2)) * _unit(noise)
        length = self._shape.text_mean
        centred = asked @ self._basis[1:]
        texts = length * self._text_direction() + np.sqrt(1 - length**2) * centred
        return _unit(np.asarray(texts, dtype=np.float32)), self._cluster_classes[clusters]

    def _centres(self, clusters: NDArray[np.intp]) -> NDArray[np.float32]:
        return np.asarray(
            np.float32(self._class_part) * self._class_centres[self._cluster_classes[clusters]]
            + np.float32(self._cluster_part) * self._cluster_centres[clusters]
        )

    def _placed(self, centred: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return unit rows (n, d) for centred rows (n, d - 1) in the directions that vary."""
        return _unit(np.float32(self._shape.image_mean) * self._basis[0] + centred @ self._basis[1:])

    def _text_direction(self) -> NDArray[np.float64]:
        cosine = self._shape.means_cosine
        # The last direction: images hardly vary along it.
        return np.asarray(cosine * self._basis[0] + np.sqrt(1 - cosine**2) * self._basis[-1], dtype=np.float64)

    def _draw(self, rng: np.random.Generator, count: int, spread: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return normal rows (count, d - 1) of mean squared length 1."""
        rows = rng.standard_normal((count, self.dimension - 1), dtype=np.float32)
        rows *= spread
        return rows

    def _sizes_within_classes(self) -> NDArray[np.float64]:
        sizes = np.zeros(len(self._cluster_classes))
        for number, share in enumerate(self._class_sizes):
            members = np.flatnonzero(self._cluster_classes == number)
            sizes[members] = share * _zipf(len(members))
        return sizes


def _spread(directions: int, decay: float, knee: float) -> NDArray[np.float32]:
    """Return standard deviations (directions,) whose squares sum to 1 and fall like (i + knee)^-decay."""
    variances = (np.arange(directions) + 1 + knee) ** -decay
    return np.asarray(np.sqrt(variances / variances.sum()), dtype=np.float32)


def _zipf(count: int) -> NDArray[np.float64]:
    sizes = np.arange(1, count + 1, dtype=np.float64) ** -_SKEW
    return sizes / sizes.sum()


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)
