"""Diffusion: against its definition written out plainly, and what it must and must not do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.ranking import diffuse
from search.ranking.diffuse import graph_of, graph_spread, query_expanded, scores_diffused
from search.ranking.query import unit


def _archive(seed: int, count: int = 200, dimension: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures of eight kinds, and scores of a query that half of the first kind answers well, the rest hardly."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(8), -(-count // 8))[:count]
    vectors = unit(rng.normal(size=(8, dimension))[kinds] + 0.7 * rng.normal(size=(count, dimension)))
    scores = rng.normal(size=count) * 0.05
    answered = np.flatnonzero(kinds == 0)
    scores[answered[::2]] += 0.3
    return vectors, scores, kinds


def _plainly(vectors: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The steps of docs/ranking.md, row by row."""
    count = len(scores)
    hits = np.argsort(-scores)[: min(5, count // 20)]
    mean = sum(max(scores[row], 0) ** 3 * vectors[row].astype(float) for row in hits)
    z = (scores - scores.mean()) / scores.std()
    moved = vectors.astype(float) @ mean
    expanded = z + 0.5 * (moved - moved.mean()) / moved.std()
    expanded = (expanded - expanded.mean()) / expanded.std()
    edges = np.zeros((count, count))
    for row in range(count):
        cosines = vectors @ vectors[row]
        cosines[row] = -1
        for other in np.argsort(-cosines)[: min(10, count // 10)]:
            edges[row, other] = max(cosines[other], 0) ** 3
    edges = edges + edges.T
    edges /= np.maximum(edges.sum(axis=1, keepdims=True), 1e-9)
    source = np.maximum(expanded - 1.5, 0) ** 2
    found = source
    for _step in range(8):
        found = 0.25 * source + 0.75 * edges @ found
    return found + 1e-9 * expanded


@pytest.mark.parametrize("count", [40, 200, 500])
def test_it_does_what_the_documentation_says(count):
    vectors, scores, _kinds = _archive(1, count)
    expected = _plainly(vectors, scores)
    found = scores_diffused(vectors, scores)
    top = np.argsort(-expected)[: min(100, int((expected > 1e-4).sum()))]
    assert len(top) >= 10
    assert np.argsort(-found)[: len(top)].tolist() == top.tolist()


def test_pictures_that_look_like_good_matches_come_up():
    for seed in range(5):
        vectors, scores, kinds = _archive(seed)
        missed = np.flatnonzero(kinds == 0)[1::2]
        before, after = (np.argsort(np.argsort(-values)) for values in (scores, scores_diffused(vectors, scores)))
        assert np.median(after[missed]) < 30 < np.median(before[missed])


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60), st.floats(0, 2))
def test_scores_are_handed_out_anew_and_none_is_lost(seed, count, weight):
    vectors, scores, _kinds = _archive(seed, count)
    found = scores_diffused(vectors, scores, weight=weight)
    assert sorted(found.tolist()) == sorted(scores.tolist())
    if count < diffuse.FEWEST:
        assert found.tolist() == scores.tolist()


def test_a_weight_of_almost_nothing_leaves_the_order():
    vectors, scores, _kinds = _archive(3)
    assert np.argsort(-scores_diffused(vectors, scores, weight=1e-4)).tolist() == np.argsort(-scores).tolist()


def test_beyond_the_graph_the_order_of_the_scores_goes_on(monkeypatch):
    monkeypatch.setattr(diffuse, "NODES", 50)
    vectors, scores, _kinds = _archive(4)
    order = np.argsort(-scores_diffused(vectors, scores))
    tail = [row for row in np.argsort(-scores) if row not in set(order[:50].tolist())]
    assert order[50:].tolist() == tail


def test_equal_scores_and_rows_without_direction_stay_numbers():
    vectors, scores, _kinds = _archive(5)
    assert scores_diffused(vectors, np.full_like(scores, 0.3)).tolist() == [0.3] * len(scores)
    lost = vectors.copy()
    lost[:30] = 0
    for rows in (lost, np.zeros_like(vectors)):
        with np.errstate(all="raise"):
            assert np.isfinite(scores_diffused(rows, scores)).all()


def test_a_query_that_nothing_answers_is_not_expanded():
    vectors, scores, _kinds = _archive(6)
    cold = scores - 10.0
    assert np.argsort(-query_expanded(vectors, cold)).tolist() == np.argsort(-cold).tolist()


def test_what_no_edge_reaches_gets_nothing():
    vectors = np.concatenate([np.tile(np.eye(4, dtype=np.float32)[0], (15, 1)), np.eye(4, dtype=np.float32)[1:]])
    source = np.r_[np.full(5, 3.0), np.zeros(13)]
    graph = graph_of(vectors, source)
    spread = np.zeros(18)
    spread[graph.nodes] = graph_spread(graph.edges, source[graph.nodes], keep=0.25, steps=8)
    assert (spread[:15] > 0).all()
    assert spread[15:].tolist() == [0, 0, 0]
