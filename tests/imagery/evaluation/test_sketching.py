"""Learning the way from edge maps to pictures."""

import numpy as np
import pytest

from imagery.encoders import sketch
from imagery.encoders.base import unit_rows
from imagery.encoders.errors import EncoderMismatch
from imagery.evaluation.sketching import Drawn, bridge_learn
from rsportal.errors import InvalidInput


def pairs(count: int = 400, *, useful: bool = True, seed: int = 0) -> Drawn:
    """Pictures whose edge maps lie elsewhere: turned, squeezed and moved (or, not useful, anywhere)."""
    random = np.random.default_rng(seed)
    images = unit_rows(random.normal(size=(count, 24)) + 2.0)
    turn = np.random.default_rng(9).normal(size=(24, 24))
    elsewhere = images @ turn if useful else random.normal(size=(count, 24))
    edges = unit_rows(elsewhere + 5.0 + random.normal(scale=0.02, size=elsewhere.shape))
    return Drawn(images=images, edges=edges, owner=np.arange(count), scene=np.arange(count))


def test_a_bridge_finds_the_pictures_of_edge_maps_it_has_not_seen() -> None:
    learned = bridge_learn(pairs())
    assert learned.helps
    assert learned.before[-1] < 20
    assert learned.after[-1] > 80
    unseen = pairs(seed=77)
    found = unit_rows(learned.bridge.apply(unseen.edges)) @ unseen.images.T
    assert (found.argsort(axis=1)[:, -10:] == np.arange(400)[:, None]).any(axis=1).mean() > 0.8
    assert not bridge_learn(pairs(useful=False)).helps


def test_scenes_judge_what_others_taught() -> None:
    """Tiles of one scene that look alike must not stand on both sides: seen so, a bridge that knows nothing shines."""
    random = np.random.default_rng(4)
    scenes = np.repeat(np.arange(40), 10)
    images = unit_rows(random.normal(size=(40, 24))[scenes] + random.normal(scale=0.05, size=(400, 24)))
    edges = unit_rows(random.normal(size=(40, 24))[scenes] + random.normal(scale=0.05, size=(400, 24)))
    apart = bridge_learn(Drawn(images, edges, np.arange(400), scenes))
    mixed = bridge_learn(Drawn(images, edges, np.arange(400), np.arange(400)))
    assert mixed.after[-1] > 3 * apart.after[-1]


def test_too_few_pictures_are_refused_with_what_to_do() -> None:
    with pytest.raises(InvalidInput, match=r"Only 60 pictures of 60 scenes.*--images"):
        bridge_learn(pairs(60))
    drawn = pairs(200)
    with pytest.raises(InvalidInput, match="of 1 scenes"):
        bridge_learn(Drawn(drawn.images, drawn.edges, drawn.owner, np.zeros(200, dtype=np.int64)))


def test_a_packed_bridge_is_the_same_bridge() -> None:
    drawn = pairs()
    bridge = drawn.fit(0.1)
    content = sketch.pack(bridge)
    known = sketch.unpack(content, dimension=24, expected=sketch.checksum(content))
    assert np.abs(known.apply(drawn.edges) - bridge.apply(drawn.edges)).max() < 0.005
    with pytest.raises(EncoderMismatch, match="damaged"):
        sketch.unpack(content[:-2], dimension=24, expected=sketch.checksum(content))
    with pytest.raises(EncoderMismatch, match="24 numbers"):
        known.apply(np.zeros((1, 8), dtype=np.float32))


def test_in_another_archive_a_sketch_stands_by_its_middle() -> None:
    drawn = pairs()
    bridge = drawn.fit(0.1)
    middle = np.random.default_rng(8).normal(size=24)
    moved = bridge.apply(drawn.edges, image_mean=middle)
    length = 1 / np.linalg.norm(middle + bridge.spread * bridge.directions(drawn.edges), axis=1, keepdims=True)
    assert unit_rows(moved / length - middle) == pytest.approx(bridge.directions(drawn.edges), abs=1e-4)
