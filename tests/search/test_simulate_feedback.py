"""``manage.py simulate_feedback``: what must hold of the shipped setting on real models, and how it answers."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from search.simulation import run

_MODELS = ("GeoRSCLIP_ViT-L-14", "RemoteCLIP_ViT-B-32", "RemoteCLIP_ViT-L-14")
RAW_GAIN = 12.0  # points of residual AP
WORSE = 0.05  # share of queries
LOST_TO_ATTACKERS = 2.0
PROMOTED = 0.02
KEYS = ["gain_ap", "gain_ndcg10", "worse_share", "promoted_share", "ci95"]


def _run(*paths: Path, **options: object) -> str:
    out = StringIO()
    call_command("simulate_feedback", embeddings=list(paths) or None, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def _json(*paths: Path, **options: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_run(*paths, json=True, **options))
    return found


@pytest.fixture
def data(data_dir: Path) -> list[Path]:
    paths = [data_dir / "whu_rs19" / f"{name}.npz" for name in _MODELS]
    if not all(path.is_file() for path in paths):
        pytest.skip("needs whu_rs19 (data/whu_rs19 of RSPORTAL_TEST_DATA), which is not on this machine")
    return paths


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Three kinds of 60 images; the text of the first lies between two of them."""
    rng = np.random.default_rng(4)
    centres = 2 * np.eye(3, 16)
    labels = np.repeat(np.arange(3), 60)
    texts = centres + rng.normal(size=(3, 16)) * 0.2
    texts[0] += 0.9 * centres[1]
    path = tmp_path / "small.npz"
    np.savez(path, images=centres[labels] + rng.normal(size=(180, 16)) * 0.4, labels=labels, texts=texts[np.newaxis])
    return path


def test_clicks_gain_what_they_must_on_the_plain_cosine(data):
    found = _json(*data, users=3)
    for scores in (found, *found["files"].values()):
        assert scores["gain_ap"] >= RAW_GAIN, found
        assert scores["worse_share"] <= WORSE, found


def test_clicks_gain_on_the_normalised_and_diffused_ranking_and_harm_nobody(data):
    found = _json(*data, base="full", users=3)
    assert found["ci95"][0] > 0, found
    for scores in (found, *found["files"].values()):
        assert scores["gain_ap"] > 0 and scores["worse_share"] <= WORSE, found


def test_three_attackers_of_ten_take_little_and_promote_nothing(data, monkeypatch):
    monkeypatch.setattr(run, "GROUPS", 2)
    honest, attacked = (_json(*data, users=10, pooled=True, attackers=share) for share in (0.0, 0.3))
    assert honest["promoted_share"] == 0
    assert attacked["gain_ap"] >= honest["gain_ap"] - LOST_TO_ATTACKERS, (honest, attacked)
    assert attacked["promoted_share"] <= PROMOTED, attacked


def test_the_attack_would_succeed_without_the_gates(small, monkeypatch):
    """Else the test above would say nothing."""
    from search.ranking import feedback

    options: dict[str, Any] = {"users": 10, "attackers": 0.3}
    assert _json(small, **options)["promoted_share"] == 0
    monkeypatch.setattr(feedback, "matching", lambda lessons, **_rest: np.ones(len(lessons), dtype=bool))
    monkeypatch.setattr(feedback, "agreeing", lambda _vectors, weights: np.ones(len(weights), dtype=bool))
    monkeypatch.setattr(feedback, "votes_pooled", _unbounded)
    assert _json(small, **options)["promoted_share"] > 0


def _unbounded(*, weights: Any, scenes: Any, voters: Any) -> Any:
    return np.arange(len(weights)), 100.0 * weights


def test_one_file_gives_exactly_these_keys(small):
    found = _json(small, users=3)
    assert list(found) == KEYS
    assert len(found["ci95"]) == 2 and found["ci95"][0] <= found["gain_ap"] <= found["ci95"][1]
    assert found["gain_ap"] > 0 and 0 <= found["worse_share"] <= 1 and found["promoted_share"] == 0
    assert _json(small, users=3) == found, "the same every time"
    assert _json(small, users=3, seed=1) != found


def test_several_files_give_their_mean_and_each_one(small, tmp_path):
    other = tmp_path / "other.npz"
    other.write_bytes(small.read_bytes())
    found = _json(small, other, users=2)
    assert list(found) == [*KEYS, "files"]
    assert list(found["files"]) == ["small.npz", "other.npz"]
    gains = [each["gain_ap"] for each in found["files"].values()]
    assert found["gain_ap"] == pytest.approx(np.mean(gains), abs=1e-3)


def test_the_defaults_are_one_round_of_noisy_clicks_on_the_plain_cosine(small):
    told = {"base": "raw", "eta": 1.0, "noise": 0.05, "page": 20, "rounds": 1, "users": 20, "attackers": 0.0, "seed": 0}
    assert _json(small) == _json(small, **told)


def test_people_see_the_table(small):
    told = _run(small, users=2)
    assert "small.npz" in told and "Pages to 10 relevant images" in told
    assert "promoted" in _run(small, users=4, attackers=0.5)


def test_people_who_find_nothing_teach_nothing(small, tmp_path):
    """Each text asks for the opposite of its class, so that no first page has a right hit."""
    with np.load(small) as arrays:
        opposite = {**arrays, "texts": -2 * np.eye(3, 16)[np.newaxis]}
    np.savez(tmp_path / "opposite.npz", **opposite)
    found = _json(tmp_path / "opposite.npz", users=3, noise=0.0)
    assert (found["gain_ap"], found["worse_share"], found["ci95"]) == (0.0, 0.0, [0.0, 0.0])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"eta": -1.0}, "--eta is -1"),
        ({"noise": 2.0}, "--noise is 2"),
        ({"page": 0}, "--page is 0"),
        ({"rounds": 0}, "--rounds is 0"),
        ({"users": 0}, "--users is 0"),
        ({"attackers": 1.0}, "--attackers is 1"),
        ({"page": 500}, "nothing to measure"),
    ],
)
def test_a_wrong_setting_is_told(small, options, told):
    with pytest.raises(CommandError, match=told):
        _run(small, **options)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"nowhere\.npz"):
        _run(tmp_path / "nowhere.npz")


def test_without_embeddings_and_without_rsicd_the_option_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("RSPORTAL_TEST_DATA", str(tmp_path))
    with pytest.raises(CommandError, match=r"--embeddings FILE\.npz"):
        _run()
