"""Examples beside or in place of words, against what the formulas say, and what asking the archive once brings back."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from search.ranking import (
    ExamplePart,
    Geometry,
    RankedScenes,
    RankExample,
    RankQuery,
    StageSettings,
    candidates_rank,
    retrieval_vector,
)
from search.ranking.examples import GAMMA, examples_mean
from search.ranking.query import unit
from search.ranking.stages import Stage

Vectors = NDArray[np.float32]
_PLAIN = StageSettings(normalise=Stage(on=False), diffuse=Stage(on=False))
_MODELS = ("GeoRSCLIP_ViT-L-14", "RemoteCLIP_ViT-B-32", "RemoteCLIP_ViT-L-14")


class Rows:
    """Candidates of which each is a scene of one tile."""

    def __init__(self, vectors: Vectors, ids: NDArray[np.int64] | None = None) -> None:
        self.vectors = vectors
        self.tile_ids = np.arange(len(vectors)) if ids is None else ids.astype(np.int64)
        self.scene_ids = self.tile_ids.astype(object)
        self.windows = np.zeros((len(vectors), 5), dtype=np.int32)


def _vectors(count: int, seed: int, dimension: int = 12) -> Vectors:
    """Unit rows around a common direction, as encoders give them."""
    generator = np.random.default_rng(seed)
    return unit(generator.normal(size=(count, dimension)) + 2 * generator.normal(size=dimension))


def _rank(
    rows: Vectors, query: RankQuery, settings: StageSettings = _PLAIN, geometry: Geometry | None = None
) -> RankedScenes:
    return candidates_rank(
        candidates=Rows(rows), query=query, settings=settings, geometry=geometry or Geometry(), limit=len(rows)
    )


def _example(*vectors: Vectors, weight: float = 1.0) -> RankExample:
    return RankExample(tuple(ExamplePart(vector) for vector in vectors), weight)


def _z(values: NDArray[np.floating], over: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = np.asarray(values, dtype=np.float64)
    return (wide - wide.mean()) / np.asarray(over, dtype=np.float64).std()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    weights=st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.5, 1.0, 3.0]), min_size=1, max_size=4),
    share=st.sampled_from([0.5, 1.0, 2.0]),
    normalised=st.booleans(),
    sampled=st.booleans(),
    worded=st.booleans(),
)
def test_the_order_is_that_of_the_formula(
    seed: int, weights: list[float], share: float, normalised: bool, sampled: bool, worded: bool
) -> None:
    if not worded and max(weights) < 0:
        weights = [1.0, *weights]
    rows, sample, others = _vectors(40, seed), _vectors(64, seed), _vectors(len(weights) + 1, seed + 1)
    text_mean, image_mean = others.mean(axis=0), rows.mean(axis=0)
    geometry = Geometry(text_mean=text_mean, image_mean=image_mean)
    examples = tuple(_example(vector, weight=weight) for vector, weight in zip(others[1:], weights, strict=True))
    text = others[0]
    query = RankQuery(
        vector=text if worded else examples_mean(examples),
        examples=examples,
        worded=worded,
        sample=sample if sampled else None,
    )
    chosen = replace(_PLAIN, normalise=Stage(on=normalised), examples=Stage(on=True, weight=share))
    found = _rank(rows, query, chosen, geometry)

    def image(vectors: Vectors) -> Vectors:
        return unit(vectors - image_mean) if normalised else vectors

    pictures, over = image(rows), image(sample if sampled else rows)
    q = unit(text - text_mean) if normalised else text
    amount = share if worded else 1.0
    total = _z(pictures @ q, pictures @ q if not sampled else over @ q) if worded else np.zeros(len(rows))
    for vector, weight in zip(image(others[1:]), weights, strict=True):
        if weight > 0:
            total = total + amount * weight * _z(pictures @ vector, over @ vector)
    total /= float(worded) + amount * sum(weight for weight in weights if weight > 0)
    spread = total.std()
    for vector, weight in zip(image(others[1:]), weights, strict=True):
        if weight < 0:
            total = total - GAMMA * -weight * spread * np.maximum(_z(pictures @ vector, pictures @ vector), 0.0)
    expected = total - total.mean()
    order = np.argsort(found.tile_ids)
    got = found.scores[order] - found.scores.mean()
    scale = float(got @ expected / (expected @ expected))
    assert scale > 0
    assert got == pytest.approx(scale * expected, abs=2e-3 * scale * np.abs(expected).max())
    told: list[Any] = [reason["examples"] for reason in found.reasons]
    assert all((each["text"] is not None) is worded and len(each["of"]) == len(weights) for each in told)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), worded=st.booleans(), normalised=st.booleans())
def test_what_the_archive_is_asked_for_stands_in_the_order_of_the_ranking(
    seed: int, worded: bool, normalised: bool
) -> None:
    rows, others = _vectors(200, seed), _vectors(4, seed + 1)
    image_mean = rows.mean(axis=0)
    geometry = Geometry(text_mean=others.mean(axis=0), image_mean=image_mean)
    examples = (_example(others[1]), _example(others[2], others[3], weight=2.0))
    vector = others[0] if worded else examples_mean(examples)
    query = RankQuery(vector=vector, examples=examples, worded=worded, sample=rows[:80])
    chosen = replace(_PLAIN, normalise=Stage(on=normalised))
    asked = retrieval_vector(query=query, geometry=geometry, settings=chosen)
    found = _rank(rows, query, chosen, geometry)
    compared = unit(rows - image_mean) if normalised else rows
    assert np.linalg.norm(asked) == pytest.approx(1.0, abs=1e-5)
    cosines = np.asarray(compared @ asked, dtype=np.float64)[found.tile_ids]
    assert np.all(np.diff(cosines) < 1e-5)


def test_a_query_without_examples_is_ranked_as_ever() -> None:
    rows = _vectors(30, 1)
    plain = _rank(rows, RankQuery(vector=rows[3]))
    assert plain.tile_ids[0] == 3
    assert "examples" not in plain.reasons[0]
    sampled = _rank(rows, RankQuery(vector=rows[3], sample=rows[:5]))
    assert sampled.tile_ids.tolist() == plain.tile_ids.tolist()


def test_what_is_not_wanted_is_not_given_back_by_its_neighbours() -> None:
    generator = np.random.default_rng(0)
    wanted, fog = np.eye(12, dtype=np.float32)[:2]
    clear = unit(wanted + 0.25 * generator.normal(size=(30, 12)))
    foggy = unit(wanted + 0.9 * fog + 0.1 * generator.normal(size=(10, 12)))
    rows = np.vstack([foggy, clear, unit(generator.normal(size=(40, 12)))]).astype(np.float32)
    query = RankQuery(vector=wanted, examples=(_example(fog, weight=-1.0),))
    chosen = replace(_PLAIN, diffuse=Stage(on=True, weight=0.7))
    before = _rank(rows, RankQuery(vector=wanted), chosen).tile_ids[:20]
    after = _rank(rows, query, chosen).tile_ids[:20]
    assert (after < 10).sum() < (before < 10).sum()


def test_a_concept_counts_once_however_many_examples_it_has() -> None:
    rows, others = _vectors(60, 5), _vectors(3, 6)
    single = RankQuery(vector=others[0], examples=(_example(others[1]), _example(others[2])), sample=rows)
    concept = RankQuery(vector=others[0], examples=(_example(*[others[1]] * 5), _example(others[2])), sample=rows)
    assert _rank(rows, concept).scores == pytest.approx(_rank(rows, single).scores, abs=1e-5)


def test_a_concept_of_nothing_that_is_wanted_is_no_query() -> None:
    against = RankExample((ExamplePart(_vectors(1, 1)[0], -1.0),))
    with pytest.raises(ValueError, match="none says what is wanted"):
        examples_mean([against])


def test_equal_candidates_and_a_single_one_do_no_harm() -> None:
    row = _vectors(1, 2)
    for rows in (row, np.repeat(row, 5, axis=0)):
        found = _rank(rows, RankQuery(vector=row[0], examples=(_example(row[0]), _example(row[0], weight=-1.0))))
        assert np.isfinite(found.scores).all()


def _filled(images: Vectors, count: int) -> Vectors:
    """Fill up with mixtures of two of the pictures."""
    generator = np.random.default_rng(0)
    pairs = generator.integers(len(images), size=(count - len(images), 2))
    share = generator.uniform(0.2, 0.8, size=(len(pairs), 1))
    return np.vstack([images, unit(share * images[pairs[:, 0]] + (1 - share) * images[pairs[:, 1]])]).astype(np.float32)


def _order(archive: Vectors, ids: NDArray[np.int64], query: RankQuery, geometry: Geometry) -> Sequence[int]:
    chosen = replace(_PLAIN, normalise=Stage(on=True))
    found = candidates_rank(
        candidates=Rows(archive[ids], ids), query=query, settings=chosen, geometry=geometry, limit=100
    )
    return list(found.tile_ids.tolist())


@pytest.mark.parametrize("name", _MODELS)
def test_the_hundred_best_are_among_the_thousand_retrieved(name: str, data_dir: Path) -> None:
    with np.load(data_dir / "whu_rs19" / f"{name}.npz") as file:
        images = unit(file["images"])
        texts = unit(unit(file["texts"].astype(np.float32)).mean(axis=0))
    archive = _filled(images, 8_000)
    generator = np.random.default_rng(1)
    sample = archive[generator.choice(len(archive), 256, replace=False)]
    geometry = Geometry(text_mean=texts.mean(axis=0), image_mean=images.mean(axis=0))
    kept = []
    for _query in range(6):
        pictures = images[generator.integers(len(images), size=2)]
        examples = (_example(pictures[0]), _example(pictures[1], weight=0.5))
        query = RankQuery(vector=texts[generator.integers(len(texts))], examples=examples, sample=sample)
        asked = retrieval_vector(query=query, geometry=geometry, settings=replace(_PLAIN, normalise=Stage(on=True)))
        nearest = np.argsort(-(archive @ asked))[:1_000]
        best = _order(archive, np.arange(len(archive)), query, geometry)
        kept.append(np.isin(best, nearest).mean())
        assert np.isin(best, _order(archive, nearest, query, geometry)).mean() > 0.98
    assert np.mean(kept) > 0.99
