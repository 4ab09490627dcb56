"""``manage.py evaluate_ranking`` on the real embeddings of three models, and on files as people write them."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

_MODELS = ("GeoRSCLIP_ViT-L-14", "RemoteCLIP_ViT-B-32", "RemoteCLIP_ViT-L-14")
NORMALISED_GAIN = 9.0  # points of class mAP, mean over the models
DIFFUSED_GAIN = 2.5


def _run(*paths: Path, **options: object) -> str:
    out = StringIO()
    call_command("evaluate_ranking", embeddings=list(paths), stdout=out, **options)
    return out.getvalue()


def _file(path: Path, **changes: Any) -> Path:
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(3, 16))
    labels = np.repeat(np.arange(3), 10)
    arrays: dict[str, Any] = {
        "images": (3 * (centres[labels] + rng.normal(size=(30, 16)) * 0.4 + 2)).astype(np.float16),
        "labels": labels,
        "texts": np.stack([centres + rng.normal(size=(3, 16)) * 0.4 - 2 for _ in range(4)]).astype(np.float16),
    }
    np.savez(path, **{name: value for name, value in {**arrays, **changes}.items() if value is not None})
    return path


@pytest.fixture
def data(data_dir: Path) -> list[Path]:
    paths = [data_dir / "whu_rs19" / f"{name}.npz" for name in _MODELS]
    if not all(path.is_file() for path in paths):
        pytest.skip("needs whu_rs19 (data/whu_rs19 of RSPORTAL_TEST_DATA), which is not on this machine")
    return paths


def test_the_stages_gain_what_they_must_on_real_models(data):
    found = json.loads(_run(*data, json=True))
    mean = {name: scores["map"] for name, scores in found["mean"].items()}
    assert mean["normalised"] - mean["raw"] >= NORMALISED_GAIN, mean
    assert mean["diffused"] - mean["normalised"] >= DIFFUSED_GAIN, mean
    assert sorted(found["files"]) == sorted(map(str, data))
    for scores in found["files"].values():
        assert scores["raw"]["map"] < scores["normalised"]["map"] < scores["diffused"]["map"]
        assert scores["raw"]["ndcg10"] <= scores["diffused"]["ndcg10"]
    told = _run(*data)
    assert f"{mean['diffused']:.1f}" in told.splitlines()[-1]


def test_one_file_gives_one_object_of_percentages(tmp_path):
    found = json.loads(_run(_file(tmp_path / "some.npz"), json=True))
    assert list(found) == ["raw", "normalised", "diffused"]
    for scores in found.values():
        assert list(scores) == ["map", "ndcg10"]
        assert all(0 < value <= 100 for value in scores.values())
    assert max(found["normalised"]["map"], found["diffused"]["map"]) > 1.0, "percent, not shares"


def test_raw_scores_are_the_plain_cosines(tmp_path):
    path = _file(tmp_path / "some.npz")
    with np.load(path) as arrays:
        images, texts = (arrays[name].astype(np.float64) for name in ("images", "texts"))
        labels = arrays["labels"]
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    queries = (texts / np.linalg.norm(texts, axis=2, keepdims=True)).mean(axis=0)
    expected = []
    for number in range(3):
        relevant = (labels == number)[np.argsort(-(images @ queries[number]))]
        expected.append((np.cumsum(relevant) / np.arange(1, 31))[relevant].mean())
    assert json.loads(_run(path, json=True))["raw"]["map"] == pytest.approx(100 * np.mean(expected), abs=0.01)


def test_fewer_candidates_rank_only_the_nearest(tmp_path):
    path = _file(tmp_path / "some.npz")
    assert json.loads(_run(path, json=True, candidates=30)) == json.loads(_run(path, json=True))
    few = json.loads(_run(path, json=True, candidates=3))
    assert few["raw"] == json.loads(_run(path, json=True))["raw"]
    with pytest.raises(CommandError, match="--candidates is 0"):
        _run(path, candidates=0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"texts": None}, "it has no 'texts'"),
        ({"images": None, "labels": None}, "no 'images' and no 'labels'"),
        ({"images": np.zeros((30, 16))}, "row of zeros"),
        ({"images": np.full((30, 16), np.nan)}, '"images" holds NaN'),
        ({"texts": np.full((4, 3, 16), np.inf)}, '"texts" holds NaN or infinite'),
        ({"images": np.ones((30, 8))}, '"images" has 8 numbers a row and "texts" 16'),
        ({"images": np.ones((29, 16))}, '"images" has 29 rows and "labels" 30'),
        ({"images": np.ones(30)}, "shape (30,)"),
        ({"images": np.ones((0, 16)), "labels": np.ones(0, dtype=int)}, "shape (0, 16)"),
        ({"texts": np.ones((4, 1, 16)), "labels": np.zeros(30, dtype=int)}, "fewer than two classes"),
        ({"labels": np.full(30, 3)}, '"labels" has 3; with 3 classes it must be 0 to 2'),
        ({"labels": np.full(30, -1)}, '"labels" has -1'),
        ({"labels": np.full(30, 0.5)}, '"labels" holds float64'),
        ({"images": np.full((30, 16), "x")}, '"images" holds <U1'),
        ({"labels": np.array([{}] * 30)}, "no .npz that can be read"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, changes, told):
    path = _file(tmp_path / "bad.npz", **changes)
    with pytest.raises(CommandError) as caught:
        _run(path)
    assert str(caught.value).startswith(str(path))
    assert told in str(caught.value)


def test_files_that_are_no_npz_are_named(tmp_path):
    (tmp_path / "words.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.save(tmp_path / "one.npy", np.ones(3))
    _file(tmp_path / "cut.npz")
    whole = (tmp_path / "cut.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    for name, told in (
        ("words.npz", "no .npz"),
        ("empty.npz", "no .npz"),
        ("cut.npz", "no .npz"),
        ("one.npy", "one array"),
        ("nowhere.npz", "No such file"),
    ):
        with pytest.raises(CommandError, match=told) as caught:
            _run(tmp_path / name)
        assert name in str(caught.value)
