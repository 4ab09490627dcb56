"""``manage.py adapt``: an encoder whose pictures lie elsewhere than its texts, before, with and after an adapter."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from PIL import Image

from imagery.encoders.base import unit_rows
from imagery.encoders.registry import get_encoder
from imagery.models import Asset, Embedding, Encoder, EncoderAdapter
from imagery.services.adapters import adapted_texts_encode, calibration_in_use
from imagery.services.encoders import encoder_activate, encoder_register, encoder_spec
from rsportal.errors import Unavailable
from search.encode_query import query_encode, query_vectors_forget
from search.evaluated import caption_encoding, phrase_encoding
from tests.checkpoints import siglip_checkpoint
from tests.factories import make_collection, make_scene

pytestmark = pytest.mark.django_db
PICTURES = 80
THINGS = ("an airport", "a harbour", "a river", "many green trees", "a desert", "storage tanks", "a beach", "a road")
PLACES = ("beside the sea", "in a desert", "next to a railway station", "near a parking lot", "around a playground")
ENDS = ("with cars", "with boats")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_checkpoint(tmp_path_factory.mktemp("siglip") / "model")


@pytest.fixture
def encoder(db: None, checkpoint: Path) -> Encoder:
    query_vectors_forget()
    return encoder_activate(encoder=encoder_register(name="tiny", kind="transformers", source=str(checkpoint)))


def turned(dimension: int) -> np.ndarray:
    matrix, _upper = np.linalg.qr(np.random.default_rng(4).normal(size=(dimension, dimension)))
    return matrix.astype(np.float32)


def captions_of_an_archive(encoder: Encoder, folder: Path, *, useful: bool) -> Path:
    """An archive whose stored vectors are those of its captions, turned (useful) or of other captions."""
    texts = [f"{thing} {place} {end}" for thing in THINGS for place in PLACES for end in ENDS][:PICTURES]
    vectors = get_encoder(encoder_spec(encoder)).encode_texts(texts) @ turned(encoder.dimension)
    if not useful:
        vectors = np.random.default_rng(5).permutation(vectors)
    noise = np.random.default_rng(6).normal(scale=0.002, size=vectors.shape)
    collection = make_collection("archive")
    rows = []
    for number, (text, vector) in enumerate(zip(texts, unit_rows(vectors + noise), strict=True)):
        scene = make_scene(collection, vector=vector, encoder=encoder)
        Asset.objects.filter(scene=scene, role=Asset.Role.DATA).update(filename=f"{number}.png")
        rows.append({"filename": f"somewhere/{number}.png", "captions": [text]})
    path = folder / "captions.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def adapt(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("adapt", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_mismatch_is_learned_used_and_taken_back(encoder: Encoder, tmp_path: Path) -> None:
    Encoder.objects.update(calibration={"scale": 20.0, "offset": -9.0}, text_mean=[0.0] * encoder.dimension)
    encoder.refresh_from_db()
    path = captions_of_an_archive(encoder, tmp_path, useful=True)
    before = list(Embedding.objects.filter(encoder=encoder).order_by("tile_id").values_list("vector", flat=True))
    query = "a harbour near a parking lot with boats"
    plain = query_encode(text=query, encoder=encoder)

    found = json.loads(adapt(f"--captions={path}", "--json")[0])
    assert found["kept"]
    assert found["mr_after"] > found["mr_before"] + 30
    assert found["gain_interval"][0] > 30
    assert found["pictures"] == PICTURES

    encoder.refresh_from_db()
    facts = encoder.adapter
    assert facts["checksum"] == found["checksum"]
    assert facts["trained_on"] == "captions.jsonl"
    assert facts["dimension"] == encoder.dimension
    assert facts["gain_interval"][0] > 30
    assert calibration_in_use(encoder) == facts["calibration"] != encoder.calibration
    assert encoder.text_mean is None  # It was made without the adapter.
    # The stored vectors are as they were; the query is read in another way, and not from the cache of the old one.
    after = list(Embedding.objects.filter(encoder=encoder).order_by("tile_id").values_list("vector", flat=True))
    assert after == before
    adapted = query_encode(text=query, encoder=encoder)
    assert adapted.row.pk != plain.row.pk
    truth = plain.vector @ turned(encoder.dimension)
    assert adapted.vector @ truth > 0.9 > abs(plain.vector @ truth)
    query_vectors_forget()
    assert np.array_equal(query_encode(text=query, encoder=encoder).vector, adapted.vector)

    listed = StringIO()
    call_command("encoder", "list", stdout=listed)
    assert f"mR {facts['mr_before']:.1f} → {facts['mr_after']:.1f}" in listed.getvalue()
    assert "learned from captions.jsonl" in listed.getvalue()

    assert "is removed" in adapt("--remove")[0]
    encoder.refresh_from_db()
    assert encoder.adapter == {}
    assert not EncoderAdapter.objects.exists()
    assert calibration_in_use(encoder) == encoder.calibration
    again = query_encode(text=query, encoder=encoder)
    assert again.row.pk == plain.row.pk
    assert np.array_equal(again.vector, plain.vector)
    assert "has no adapter" in adapt("--remove")[0]


def test_what_does_not_help_changes_nothing(encoder: Encoder, tmp_path: Path) -> None:
    path = captions_of_an_archive(encoder, tmp_path, useful=False)
    out, _err = adapt(f"--captions={path}")
    assert "nothing is changed" in out
    encoder.refresh_from_db()
    assert encoder.adapter == {}
    assert not EncoderAdapter.objects.exists()


def test_a_dry_run_changes_nothing(encoder: Encoder, tmp_path: Path) -> None:
    path = captions_of_an_archive(encoder, tmp_path, useful=True)
    assert "It would be kept" in adapt(f"--captions={path}", "--dry-run")[0]
    encoder.refresh_from_db()
    assert encoder.adapter == {}


def test_scenes_are_found_by_their_file_names(encoder: Encoder, tmp_path: Path) -> None:
    path = captions_of_an_archive(encoder, tmp_path, useful=True)
    with path.open("a") as lines:
        lines.write('\n{"filename": "unknown.png", "captions": ["a road"]}\nnonsense\n')
    other = make_scene(make_collection("other"), encoder=encoder)
    Asset.objects.filter(scene=other, role=Asset.Role.DATA).update(filename="7.png")
    out, err = adapt(f"--captions={path}", "--dry-run", "--json")
    assert json.loads(out)["pictures"] == PICTURES - 1
    assert "unknown.png" in err
    assert "somewhere/7.png: more than one" in err
    assert f"line {PICTURES + 2}: it is no JSON" in err
    out, _err = adapt(f"--captions={path}", "--dry-run", "--json", "--collection=archive")
    assert json.loads(out)["pictures"] == PICTURES
    make_collection("empty")
    with pytest.raises(CommandError, match="--images names their folder"):
        adapt(f"--captions={path}", "--collection=empty")
    with pytest.raises(CommandError, match="no collection 'nowhere'"):
        adapt(f"--captions={path}", "--collection=nowhere")


def test_a_folder_of_pictures_is_encoded(encoder: Encoder, tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    rows = []
    for number in range(41):
        if number:
            pixels = random.integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append({"filename": f"{number}.png", "captions": [THINGS[number % len(THINGS)]]})
    path = tmp_path / "captions.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    out, err = adapt(f"--captions={path}", f"--images={tmp_path}", "--json")
    found = json.loads(out)
    assert found["pictures"] == found["captions"] == 40
    assert "0.png" in err
    # Noise has no captions, so there is nothing to learn.
    assert not found["kept"]
    assert not Embedding.objects.exists()


def test_a_damaged_or_changed_adapter_is_not_used(encoder: Encoder, tmp_path: Path) -> None:
    adapt(f"--captions={captions_of_an_archive(encoder, tmp_path, useful=True)}")
    encoder.refresh_from_db()
    assert adapted_texts_encode(encoder=encoder, texts=["a road"]).shape == (1, encoder.dimension)
    stale = Encoder.objects.get(pk=encoder.pk)
    stale.adapter = {**encoder.adapter, "checksum": "0" * 16}
    with pytest.raises(Unavailable, match="changed this moment"):
        adapted_texts_encode(encoder=stale, texts=["a road"])
    Encoder.objects.update(adapter=stale.adapter)
    EncoderAdapter.objects.update(checksum="0" * 16)
    with pytest.raises(Unavailable, match="adapt --remove"):
        query_encode(text="a road", encoder=Encoder.objects.get(pk=encoder.pk))


def test_an_evaluation_reads_captions_and_phrases_with_the_adapter(encoder: Encoder, tmp_path: Path) -> None:
    adapt(f"--captions={captions_of_an_archive(encoder, tmp_path, useful=True)}")
    encoder.refresh_from_db()
    captions, phrases = caption_encoding(encoder), phrase_encoding(encoder)
    sentence = "there are many green trees in a desert , and a road"
    plain = get_encoder(encoder_spec(encoder)).encode_texts([sentence])[0]
    assert abs(captions([sentence])[0] @ plain) < 0.9
    # A sentence is read as it is, a phrase as a search reads it.
    for text, encode in ((sentence, captions), ("a harbour", phrases), (sentence, phrases)):
        searched = query_encode(text=text, encoder=encoder).vector
        np.testing.assert_allclose(encode([text])[0], searched, atol=1e-3)


def test_wrong_use_is_explained(encoder: Encoder, tmp_path: Path) -> None:
    path = captions_of_an_archive(encoder, tmp_path, useful=True)
    with pytest.raises(CommandError, match="either --captions FILE, to learn from, or --remove"):
        adapt()
    with pytest.raises(CommandError, match="either --captions FILE, to learn from, or --remove"):
        adapt(f"--captions={path}", "--remove")
    with pytest.raises(CommandError, match="not both"):
        adapt(f"--captions={path}", f"--images={tmp_path}", "--collection=archive")
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(path.read_text().splitlines()[:10]))
    with pytest.raises(CommandError, match="Only 10 pictures"):
        adapt(f"--captions={few}")
    Encoder.objects.all().delete()
    with pytest.raises(CommandError, match="encoder ensure"):
        adapt(f"--captions={path}")
