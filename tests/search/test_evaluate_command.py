"""``manage.py evaluate`` with real small models, pictures on disk and files as people write them."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from PIL import Image

from imagery.encoders.registry import get_encoder
from imagery.evaluation.recall import retrieval_recall
from imagery.models import Encoder
from imagery.services.encoders import encoder_activate, encoder_register, encoder_spec
from tests.checkpoints import SENTENCES, siglip_checkpoint

pytestmark = pytest.mark.django_db
PICTURES = 20


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_checkpoint(tmp_path_factory.mktemp("siglip") / "model")


@pytest.fixture
def encoder(db: None, checkpoint: Path) -> Encoder:
    return encoder_activate(encoder=encoder_register(name="tiny", kind="transformers", source=str(checkpoint)))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, and captions of which some are the same for several pictures."""
    folder = tmp_path_factory.mktemp("archive")
    random = np.random.default_rng(3)
    rows = []
    for number in range(PICTURES):
        name = f"{number}.png"
        Image.fromarray(random.integers(0, 256, size=(40, 50, 3), dtype=np.uint8)).save(folder / name)
        captions = [SENTENCES[number % len(SENTENCES)], f"{SENTENCES[number % 3]} and {number} boats"]
        split, scene_class = (
            ("val" if number % 4 else "train"),
            (None if number == 5 else ["port", "river"][number % 2]),
        )
        rows.append({"filename": name, "split": split, "class": scene_class, "captions": captions})
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    phrases = [
        {"text": "a harbour with boats", "language": "en", "class": "port"},
        {"text": "a river", "language": "en", "class": "river"},
        {"text": "港口", "language": "zh", "class": "port"},
        {"text": "a desert", "language": "en", "class": "desert"},
    ]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, phrases)), encoding="utf-8")
    return folder


def run(archive: Path, *arguments: str, captions: Path | None = None) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    path = captions or archive / "captions.jsonl"
    call_command("evaluate", f"--images={archive}", f"--captions={path}", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def measured(archive: Path, *arguments: str) -> dict:
    return json.loads(run(archive, "--json", *arguments)[0])


def expected(archive: Path, encoder: Encoder, *, shared: bool = False) -> dict[str, float]:
    """The recalls by plain steps: Pillow, the encoder, the function."""
    rows = [json.loads(text) for text in (archive / "captions.jsonl").read_text().splitlines()]
    model = get_encoder(encoder_spec(encoder))
    images = [Image.open(archive / row["filename"]).convert("RGB") for row in rows]
    texts = [text for row in rows for text in row["captions"]]
    # One by one equal texts get equal vectors.
    vectors = {text: model.encode_texts([text])[0] for text in texts}
    names = sorted(vectors)
    return retrieval_recall(
        model.encode_images([image.resize((40, 32), Image.Resampling.BOX) for image in images]),
        np.stack([vectors[text] for text in texts]),
        np.repeat(np.arange(len(rows)), 2),
        ties="expected",
        same_text=[names.index(text) for text in texts] if shared else None,
    )


def test_the_json_has_the_agreed_keys(archive: Path, encoder: Encoder) -> None:
    found = measured(archive, f"--queries={archive / 'queries.jsonl'}")
    plain = expected(archive, encoder)
    for way, name in (("t2i", "text_to_image"), ("i2t", "image_to_text")):
        assert list(found[way]) == ["r1", "r5", "r10"]
        for cut in (1, 5, 10):
            assert found[way][f"r{cut}"] == pytest.approx(plain[f"{name}_r{cut}"], abs=3.0)
    assert found["mr"] == pytest.approx(np.mean([*found["t2i"].values(), *found["i2t"].values()]), abs=0.01)
    assert found["mr"] == pytest.approx(plain["mr"], abs=1.5)
    assert found["mr_ties_against"] < found["mr"]
    assert found["mr_interval"][0] < found["mr"] < found["mr_interval"][1]
    assert found["images_per_second"] > 0
    # "desert" is no picture's class; the Chinese phrase is asked in the translation that a search would use.
    assert set(found["classes"]) == {"en", "zh"}
    assert found["classes"]["en"]["phrases"] == 2
    for scores in found["classes"].values():
        assert 0 < scores["map"] <= 100
        assert 0 <= scores["ndcg10"] <= 100
        assert scores["map_interval"][0] <= scores["map"] <= scores["map_interval"][1]
    assert found["phrases_left_out"] == 1
    assert (found["pictures"], found["captions"], found["pictures_without_class"]) == (PICTURES, 2 * PICTURES, 1)
    assert found["encoder"]["name"] == "tiny"
    assert found["encoder"]["checksum"] == encoder.checksum
    assert found["encoder"]["adapter"] is None


def test_a_caption_of_several_pictures_may_count_for_all(archive: Path, encoder: Encoder) -> None:
    strict, shared = measured(archive), measured(archive, "--multi-positive")
    assert shared["mr"] > strict["mr"]
    assert shared["mr"] == pytest.approx(expected(archive, encoder, shared=True)["mr"], abs=1.5)
    assert shared["multi_positive"]
    assert not strict["multi_positive"]


def test_split_and_limit(archive: Path, encoder: Encoder) -> None:
    assert measured(archive, "--split=train")["pictures"] == PICTURES // 4
    assert measured(archive, "--limit=7")["pictures"] == 7
    _out, err = run(archive, "--limit=3")
    assert "train (5), val (15); all of them are used" in err
    with pytest.raises(CommandError, match="'test'; it has train, val"):
        run(archive, "--split=test")
    with pytest.raises(CommandError, match="--limit is 0"):
        run(archive, "--limit=0")


def test_what_is_missing_is_named_and_the_rest_goes_on(archive: Path, encoder: Encoder, tmp_path: Path) -> None:
    lines = (archive / "captions.jsonl").read_text().splitlines()[:4]
    (archive / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    extra = [json.dumps({"filename": name, "captions": ["a river"]}) for name in ("lost.png", "broken.png")]
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join([*lines, "{", *extra]))
    out, err = run(archive, "--json", captions=path)
    found = json.loads(out)
    assert (found["pictures"], found["pictures_left_out"], found["bad_lines"]) == (4, 2, 1)
    assert "lost.png" in err
    assert "broken.png" in err
    assert "line 5: it is no JSON" in err
    path.write_text(extra[0])
    with pytest.raises(CommandError, match=r"None of the 1 pictures can be read: lost\.png"):
        run(archive, captions=path)
    with pytest.raises(CommandError, match="is no folder"):
        run(archive / "nowhere", captions=archive / "captions.jsonl")


def test_phrases_alone(archive: Path, encoder: Encoder, tmp_path: Path) -> None:
    rows = [json.loads(text) for text in (archive / "captions.jsonl").read_text().splitlines()]
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join(json.dumps({**row, "captions": []}) for row in rows))
    found = json.loads(run(archive, "--json", f"--queries={archive / 'queries.jsonl'}", captions=path)[0])
    assert found["t2i"] == found["i2t"] == {"r1": None, "r5": None, "r10": None}
    assert found["mr"] is None
    assert found["classes"]["en"]["map"] > 0
    assert "classes, en" in run(archive, f"--queries={archive / 'queries.jsonl'}", captions=path)[0]
    with pytest.raises(CommandError, match="No caption can be used"):
        run(archive, captions=path)


def test_for_people(archive: Path, encoder: Encoder) -> None:
    out, _err = run(archive, f"--queries={archive / 'queries.jsonl'}")
    assert out.startswith("tiny (transformers, ")
    for words in ("image -> text", "text -> image", "mR ", "classes, en: mAP", "classes, zh: mAP", "images/s"):
        assert words in out


def test_the_encoder_is_named_by_name_or_number(archive: Path, encoder: Encoder) -> None:
    first = measured(archive, "--limit=2", "--encoder=tiny")
    assert first["t2i"] == measured(archive, "--limit=2", f"--encoder={encoder.pk}")["t2i"]
    with pytest.raises(CommandError, match=r"no encoder 'huge'\. Registered: tiny"):
        run(archive, "--encoder=huge")


def test_a_folder_is_measured_before_it_is_registered(archive: Path, checkpoint: Path) -> None:
    found = measured(archive, "--limit=4", f"--encoder={checkpoint}", f"--queries={archive / 'queries.jsonl'}")
    assert found["encoder"]["source"] == str(checkpoint)
    assert found["pictures"] == 4
    assert not Encoder.objects.exists()
    with pytest.raises(CommandError, match="there is no such folder"):
        run(archive, "--encoder=./nowhere")


def test_the_built_in_encoder_needs_no_row(archive: Path) -> None:
    assert not Encoder.objects.exists()
    found = measured(archive, "--encoder=builtin", "--limit=4", f"--queries={archive / 'queries.jsonl'}")
    assert found["encoder"]["name"] == "builtin"
    assert found["pictures"] == 4
    out, err = run(archive, "--limit=4")
    assert "No encoder is active" in err
    assert out.startswith("builtin")
    assert not Encoder.objects.exists()
