"""Labelled images as an archive that is searched: its queries, and their rankings by the portal's own stages."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.models import Encoder
from search.embeddings_file import LabelledEmbeddings
from search.ranking import Evidence, Geometry, RankQuery, StageSettings, stage_defaults
from search.ranking.query import Vector
from search.ranking.stages import Stage
from search.ranking_scores import images_order

BASES: Final = ("raw", "full")


@dataclass(frozen=True)
class AskedQuery:
    """A query whose answers are known: ``relevant`` (n,) says which images are. ``name`` tells it apart."""

    name: str
    query: RankQuery
    geometry: Geometry
    relevant: NDArray[np.bool_]


@dataclass(frozen=True)
class Archive:
    """``images`` (n, d) float32 unit rows, and what is asked of them."""

    name: str
    images: Vector
    queries: tuple[AskedQuery, ...]

    def order(
        self, asked: AskedQuery, *, settings: StageSettings, evidence: Evidence | None = None
    ) -> NDArray[np.int64]:
        """Return all images (n,), best first, as a search with this evidence ranks them."""
        return images_order(
            images=self.images, query=asked.query, geometry=asked.geometry, settings=settings, evidence=evidence
        )


def base_settings(base: str) -> StageSettings:
    """Return the stages of a base: those that checkpoints start with ("full"), or without normalisation and diffusion
    ("raw", the plain cosine). Feedback is as shipped in both."""
    default = stage_defaults(Encoder.Kind.TRANSFORMERS)
    if base == "full":
        return default
    return replace(default, normalise=Stage(on=False), diffuse=Stage(on=False))


def archive_of(found: LabelledEmbeddings, *, name: str) -> Archive:
    """Return an archive with one query a class that has images.

    The text mean of a query is that of the other classes' queries, so that no query takes part in its own correction;
    the image mean is that of all images.
    """
    labels: NDArray[Any] = found.labels
    return archive_asked(
        name=name,
        images=found.images,
        labels=labels,
        queries=[(str(number), found.queries[number], number) for number in np.unique(labels)],
        texts=found.queries,
        text_labels=np.arange(len(found.queries)),
    )


def archive_asked(
    *,
    name: str,
    images: Vector,
    labels: NDArray[Any],
    queries: list[tuple[str, Vector, Any]],
    texts: Vector,
    text_labels: NDArray[Any],
) -> Archive:
    """Return an archive of ``queries`` (name, vector, label of its answers).

    The text mean of each is that of the ``texts`` (c, d) of other labels.
    """
    image_mean = images.mean(axis=0)
    return Archive(
        name=name,
        images=images,
        queries=tuple(
            AskedQuery(
                name=told,
                query=RankQuery(vector=vector),
                geometry=Geometry(text_mean=texts[text_labels != label].mean(axis=0), image_mean=image_mean),
                relevant=np.asarray(labels == label),
            )
            for told, vector, label in queries
        ),
    )
