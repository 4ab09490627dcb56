"""The files an evaluation reads: what is taken, what is refused and with which words."""

import json
from pathlib import Path

import numpy as np
import pytest

from imagery.evaluation.captions import captions_read
from imagery.evaluation.phrases import Phrase, phrases_read, phrases_score
from rsportal.errors import InvalidInput


def write(path: Path, *rows: object) -> Path:
    """A JSON Lines file; strings are written as they are."""
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def line(name: str, **fields: object) -> dict:
    return {"filename": name, "split": "val", "class": "port", "captions": [f"a picture of {name}"], **fields}


def test_the_lines_of_one_split_in_their_order(tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.jsonl", line("b.jpg"), line("a.jpg", split="train"), "", line("c.jpg", **{"class": None})
    )
    found = captions_read(path, split="val")
    assert [picture.filename for picture in found.pictures] == ["b.jpg", "c.jpg"]
    assert [picture.scene_class for picture in found.pictures] == ["port", None]
    assert found.splits == {"val": 2, "train": 1}
    assert not found.bad
    assert len(captions_read(path).pictures) == 3


def test_only_name_and_captions_are_needed(tmp_path: Path) -> None:
    path = write(
        tmp_path / "c.jsonl",
        {"filename": "sub/a.jpg", "captions": [" two ", "港口"]},
        {"filename": "b", "captions": []},
    )
    first, second = captions_read(path).pictures
    assert (first.filename, first.captions, first.split) == ("sub/a.jpg", ("two", "港口"), None)
    assert second.captions == ()


def test_one_caption_a_line_is_one_picture(tmp_path: Path) -> None:
    rows = [line("a.jpg", captions=[words]) for words in ("one", "two")]
    other = line("a.jpg", **{"class": "river"})
    found = captions_read(write(tmp_path / "c.jsonl", *rows, other))
    assert [picture.captions for picture in found.pictures] == [("one", "two")]
    assert found.bad[0].number == 3
    assert "'river'" in found.bad[0].reason
    assert "'port'" in found.bad[0].reason


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ("{not json", "JSON"),
        ("[1, 2]", "object"),
        ({"captions": ["a"]}, "filename"),
        ({"filename": " ", "captions": ["a"]}, "filename"),
        ({"filename": 7, "captions": ["a"]}, "filename"),
        ({"filename": "../secret.jpg", "captions": ["a"]}, "inside the folder"),
        ({"filename": "/etc/passwd", "captions": ["a"]}, "inside the folder"),
        ({"filename": "a.jpg"}, "captions"),
        ({"filename": "a.jpg", "captions": "a"}, "captions"),
        ({"filename": "a.jpg", "captions": ["a", None]}, "captions"),
        ({"filename": "a.jpg", "captions": ["a", " "]}, "captions"),
        ({"filename": "a.jpg", "captions": ["a"], "class": 3}, "class"),
        ({"filename": "a.jpg", "captions": ["a"], "split": {}}, "split"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_goes_on(tmp_path: Path, wrong: object, word: str) -> None:
    found = captions_read(write(tmp_path / "c.jsonl", line("good.jpg"), wrong, line("better.jpg")))
    assert [picture.filename for picture in found.pictures] == ["good.jpg", "better.jpg"]
    assert [bad.number for bad in found.bad] == [2]
    assert word in found.bad[0].reason


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        captions_read(tmp_path / "none.jsonl")
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InvalidInput, match="UTF-8"):
        captions_read(tmp_path / "picture.jpg")
    with pytest.raises(InvalidInput, match="Line 1: it is no JSON"):
        captions_read(write(tmp_path / "all.jsonl", "nonsense"))
    with pytest.raises(InvalidInput, match="empty"):
        captions_read(write(tmp_path / "empty.jsonl"))
    with pytest.raises(InvalidInput, match="'test'; it has val"):
        captions_read(write(tmp_path / "c.jsonl", line("a.jpg")), split="test")


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text("\ufeff" + json.dumps(line("a.jpg")), encoding="utf-8")
    assert captions_read(path).pictures[0].filename == "a.jpg"


def test_phrases_and_their_bad_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.jsonl",
        {"text": "港口", "language": "zh", "class": "port", "pair": 1},
        {"text": "a port", "class": "port"},
        {"text": "a port", "language": "en", "class": "port"},
    )
    phrases, bad = phrases_read(path)
    assert phrases == [Phrase("港口", "zh", "port"), Phrase("a port", "en", "port")]
    assert [(each.number, "language" in each.reason) for each in bad] == [(2, True)]
    with pytest.raises(InvalidInput, match='"text", "language" and "class"'):
        phrases_read(write(tmp_path / "none.jsonl", {"text": "a"}))


def test_class_scores_by_hand() -> None:
    # Five pictures along one axis of falling score; one has no class and does not count.
    images = np.array([[0.9, 0], [0.8, 0], [0.7, 0], [0.6, 0], [0.5, 0]], dtype=np.float32)
    classes = ["port", "river", None, "port", "river"]
    toward = np.array([1, 0], dtype=np.float32)
    phrases = [
        Phrase("a", "en", "port"),
        Phrase("b", "en", "river"),
        Phrase("c", "zh", "port"),
        Phrase("d", "fr", "farm"),
    ]
    found = phrases_score(
        images=images, classes=classes, vectors=np.stack([toward, toward, -toward, toward]), phrases=phrases
    )
    assert set(found) == {"en", "zh"}
    # Ports at ranks 1 and 3 of four, rivers at 2 and 4; the other way round ports at 2 and 4.
    ports, rivers = 100 * (1 + 2 / 3) / 2, 100 * (1 / 2 + 2 / 4) / 2
    assert found["en"].average_precision.mean == pytest.approx((ports + rivers) / 2)
    assert found["en"].phrases == found["en"].classes == 2
    assert found["zh"].average_precision.mean == pytest.approx(rivers)
    gain = 100 * (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3))
    assert found["zh"].ndcg10.mean == pytest.approx(gain)
    assert found["zh"].as_json()["ndcg10"] == pytest.approx(gain, abs=0.01)
    # The classes are drawn, so one of two gives both ends.
    assert found["en"].as_json()["map_interval"] == [pytest.approx(rivers, abs=0.01), pytest.approx(ports, abs=0.01)]
