"""Scores of pairs are those of plain transformers code; the files are pinned, loaded late and dropped when idle."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagery.encoders.cross_encoder import CrossEncoder, computing
from imagery.encoders.cross_encoder_files import CrossEncoderSpec, checkpoint_folder, describe
from imagery.encoders.errors import EncoderMismatch, EncoderUnavailable
from imagery.encoders.runtime.towers import has_bfloat16
from tests.hub_server import commit_of, hub_server
from tests.images import gradient
from tests.itm_checkpoint import IMAGE_SIZE, blip_checkpoint

TEXTS = ("many planes beside the terminal", "A green River", "a" * 700)


@pytest.fixture(scope="module")
def blip(tmp_path_factory) -> Path:
    return blip_checkpoint(tmp_path_factory.mktemp("blip"))


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    drawn = [Image.fromarray(gradient(40 + 11 * seed, 70 - 7 * seed, seed=seed)) for seed in range(6)]
    return [*drawn, Image.fromarray(gradient(50, 50, seed=7)).convert("L"), drawn[0].rotate(90)]


def plain(folder: Path, pictures, text: str) -> np.ndarray:
    """The log odds of plain transformers code, one pair at a time."""
    import torch
    from transformers import AutoTokenizer, BlipForImageTextRetrieval
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    model = BlipForImageTextRetrieval.from_pretrained(folder).eval()
    processor, tokenizer = BlipImageProcessorPil.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    found = []
    for picture in pictures:
        pixels = processor(images=[picture.convert("RGB")], return_tensors="pt")["pixel_values"]
        tokens = tokenizer([text], truncation=True, max_length=512, return_tensors="pt")
        with torch.no_grad():
            score = model(tokens["input_ids"], pixels, attention_mask=tokens["attention_mask"]).itm_score
        chance = torch.softmax(score.double(), dim=1)[0]
        found.append(float(torch.log(chance[1] / chance[0])))
    return np.array(found)


@pytest.mark.parametrize("text", TEXTS)
def test_scores_are_those_of_plain_transformers(blip, pictures, text):
    wanted = plain(blip, pictures, text)
    assert np.ptp(wanted) > 0.05, "the pictures must be told apart"
    found = CrossEncoder(CrossEncoderSpec(str(blip))).log_odds(pictures, text)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-5, rtol=1e-5)


def test_texts_matter_and_batches_do_not(blip, pictures):
    model = CrossEncoder(CrossEncoderSpec(str(blip)))
    together = model.log_odds(pictures, TEXTS[0])
    alone = np.concatenate([model.log_odds([picture], TEXTS[0]) for picture in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(together - model.log_odds(pictures, TEXTS[1])).max() > 1e-2
    assert model.log_odds([], TEXTS[0]).shape == (0,)
    assert model.loads == 1


def test_half_precision_is_near(blip, pictures):
    exact = CrossEncoder(CrossEncoderSpec(str(blip))).log_odds(pictures, TEXTS[0])
    half = CrossEncoder(CrossEncoderSpec(str(blip)), dtype="bfloat16").log_odds(pictures, TEXTS[0])
    assert 0 < np.abs(half - exact).max() < 0.1 * max(1.0, np.abs(exact).max())


def test_the_settings_of_encoders_decide_what_computes():
    assert computing(device="cpu", precision="float32") == ("cpu", "float32")
    assert computing(device="cpu", precision="int8") == ("cpu", "float32")
    assert computing(device="cuda", precision="bfloat16") == ("cuda", "bfloat16")
    assert computing(device="cuda", precision="auto") == ("cuda", "float32")
    device, dtype = computing(device="auto", precision="auto")
    assert device in {"cpu", "cuda"} and dtype == ("bfloat16" if device == "cpu" and has_bfloat16() else "float32")


def test_facts_come_from_the_small_files_without_torch(blip):
    assert describe(CrossEncoderSpec(str(blip))).image_size == IMAGE_SIZE
    code = (
        "import sys; from imagery.encoders.cross_encoder import CrossEncoder, CrossEncoderSpec as S;"
        f"model = CrossEncoder(S({str(blip)!r})); model.facts, model.checksum();"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_pinned_checksum_refuses_other_files(blip, tmp_path, pictures):
    right = CrossEncoder(CrossEncoderSpec(str(blip))).checksum()
    assert CrossEncoder(CrossEncoderSpec(str(blip), sha256=right)).log_odds(pictures[:1], "pier").shape == (1,)
    other = blip_checkpoint(tmp_path / "other", seed=1)
    pinned = CrossEncoder(CrossEncoderSpec(str(other), sha256=right))
    with pytest.raises(EncoderMismatch, match="not the one that was set"):
        pinned.log_odds(pictures[:1], "pier")


def test_what_is_missing_is_named(blip, tmp_path, monkeypatch):
    with pytest.raises(EncoderUnavailable, match="does not exist"):
        describe(CrossEncoderSpec(str(tmp_path / "nowhere")))
    copy = shutil.copytree(blip, tmp_path / "copy")
    (copy / "model.safetensors").unlink()
    with pytest.raises(EncoderUnavailable, match=r"matching model .* has no \*\.safetensors.*BLIP"):
        describe(CrossEncoderSpec(str(copy)))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(EncoderUnavailable, match=r"example/itm at main is not in the local cache: .*second_look"):
        describe(CrossEncoderSpec("example/itm", "main"))
    with pytest.raises(EncoderUnavailable, match="matching model example/itm at main is not in the local cache and HF"):
        checkpoint_folder(CrossEncoderSpec("example/itm", "main"), fetch=True)


def test_a_hub_id_is_fetched_only_on_demand_and_then_known(blip, tmp_path):
    program = (
        "import sys; from imagery.encoders.cross_encoder import CrossEncoder, CrossEncoderSpec as S, checkpoint_folder;"
        "from imagery.encoders.errors import EncoderUnavailable\n"
        "spec = S('someone/itm', sys.argv[1])\n"
        "try:\n    print(CrossEncoder(spec).checksum())\n"
        "except EncoderUnavailable as error:\n    print(error.message)\n"
        "checkpoint_folder(spec, fetch=True)\nprint(CrossEncoder(spec).checksum())"
    )
    with hub_server("someone/itm", {"main": blip}) as hub:
        done = subprocess.run(
            [sys.executable, "-c", program, commit_of(blip)],
            cwd=Path(__file__).parents[3],
            env={**os.environ, **hub.environment(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
    refused, known = done.stdout.splitlines()
    assert "not in the local cache" in refused
    assert known == CrossEncoder(CrossEncoderSpec(str(blip))).checksum()


def test_other_models_are_refused(blip, tmp_path, pictures):
    copy = shutil.copytree(blip, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "model_type": "clip"}))
    with pytest.raises(EncoderMismatch, match="of type “clip”"):
        describe(CrossEncoderSpec(str(copy)))
    (copy / "config.json").write_text("[]")
    with pytest.raises(EncoderUnavailable, match="cannot be read"):
        describe(CrossEncoderSpec(str(copy)))
    captioner = blip_checkpoint(tmp_path / "captioner", captioner=True)
    with pytest.raises(EncoderMismatch, match="no image-text matching model"):
        CrossEncoder(CrossEncoderSpec(str(captioner))).load()
    broken = shutil.copytree(blip, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(EncoderUnavailable, match="cannot be loaded"):
        CrossEncoder(CrossEncoderSpec(str(broken))).log_odds(pictures[:1], "pier")


def test_idle_weights_are_dropped_and_come_back(blip, pictures):
    model = CrossEncoder(CrossEncoderSpec(str(blip)), idle_seconds=0.2)
    first = model.log_odds(pictures[:2], "pier")
    deadline = time.monotonic() + 30
    while model._loaded is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert model._loaded is None
    np.testing.assert_array_equal(model.log_odds(pictures[:2], "pier"), first)
    assert model.loads == 2


def test_whoever_waits_too_long_goes_on_without(blip):
    model = CrossEncoder(CrossEncoderSpec(str(blip)))
    taken, over = threading.Event(), threading.Event()

    def hold() -> None:
        with model.reserved(wait_seconds=10):
            taken.set()
            over.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(30)
    with model.reserved(wait_seconds=0.01) as waited:
        assert waited is None
    over.set()
    thread.join(30)
    with model.reserved(wait_seconds=10) as waited:
        assert waited is not None and waited < 10
