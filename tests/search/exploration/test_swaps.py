"""Swaps of neighbours: disjoint, as often as wanted, whatever is there, and undone by themselves."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.exploration.shown import ranked_swapped
from search.exploration.swaps import DEPTH, head_order, swap_chances, swapped, swaps_draw
from search.ranking.scenes import RankedScenes

SEEDS = st.integers(0, 2**32 - 1)


@given(hits=st.integers(0, 80), share=st.floats(0, 0.2), seed=SEEDS)
def test_swaps_are_disjoint_neighbours_of_the_first_hits(hits, share, seed):
    ranks = swaps_draw(hits=hits, share=share, chance=np.random.default_rng(seed))
    assert ranks == sorted(ranks)
    assert all(1 <= rank < min(hits, DEPTH) for rank in ranks)
    assert all(second - first >= 2 for first, second in pairwise(ranks))
    assert share > 0 or not ranks


@given(hits=st.integers(0, 60), one=SEEDS, two=SEEDS)
def test_what_was_exchanged_is_told_and_can_be_undone_or_drawn_anew(hits, one, two):
    ranker = list(range(hits))
    was, wanted = (swaps_draw(hits=hits, share=0.2, chance=np.random.default_rng(seed)) for seed in (one, two))
    stored = swapped(ranker, was)
    assert swapped(stored, was) == ranker
    assert max((abs(rank - place) for place, rank in enumerate(stored)), default=0) <= 1
    head = head_order(hits=hits, was=was, wanted=wanted)
    assert [stored[rank - 1] for rank in head] + stored[len(head) :] == swapped(ranker, wanted)


def test_every_pair_comes_up_as_often_as_wanted_the_first_one_too():
    chance, draws, share = np.random.default_rng(5), 20_000, 0.1
    moved, still = Counter[int](), Counter[int]()
    for _draw in range(draws):
        ranks = set(swaps_draw(hits=6, share=share, chance=chance))
        moved.update(ranks)
        still.update(rank for rank in range(1, 6) if not ranks & {rank - 1, rank, rank + 1})
    for rank in range(1, 6):
        expected = swap_chances(rank=rank, hits=6, share=share)
        assert expected[0] == share
        assert (moved[rank] / draws, still[rank] / draws) == pytest.approx(expected, abs=0.012), rank


@pytest.mark.parametrize("share", [-0.01, 0.21, float("nan")])
def test_other_shares_are_refused(share):
    with pytest.raises(ValueError, match="The share of swaps is"):
        swaps_draw(hits=9, share=share, chance=np.random.default_rng(0))


def test_all_that_is_said_of_a_hit_moves_with_it():
    names = [f"s{number}" for number in range(7)]
    ranked = RankedScenes(
        scene_ids=np.array(names, dtype=object),
        tile_ids=np.arange(7),
        scores=np.linspace(1, 0, 7),
        similarities=np.linspace(0.5, 0.1, 7),
        reasons=[{"of": name} for name in names],
    )
    shown = ranked_swapped(ranked, [1, 4])
    assert shown.scene_ids.tolist() == ["s1", "s0", "s2", "s4", "s3", "s5", "s6"]
    for place, name in enumerate(shown.scene_ids):
        at = names.index(name)
        assert shown.reasons[place] == {"of": name}
        assert (shown.tile_ids[place], shown.scores[place], shown.similarities[place]) == (
            at,
            ranked.scores[at],
            ranked.similarities[at],
        )
