"""Any SigLIP or CLIP checkpoint: the vectors are those of plain transformers code, one tower at a time."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.clip import CheckpointEncoder
from imagery.encoders.errors import EncoderMismatch, EncoderUnavailable, UnsupportedLanguage
from imagery.encoders.runtime.towers import TorchTower
from tests.checkpoints import IMAGE_SIZE, SENTENCES, clip_checkpoint, siglip_checkpoint

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_checkpoint(tmp_path_factory.mktemp("checkpoints") / "siglip")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_checkpoint(tmp_path_factory.mktemp("checkpoints") / "clip")


@pytest.fixture(params=["siglip", "clip"])
def checkpoint(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def encoder_of(folder: Path) -> CheckpointEncoder:
    return CheckpointEncoder(EncoderSpec(EncoderKind.TRANSFORMERS, str(folder)))


def pictures(count: int = 5) -> list[Image.Image]:
    random = np.random.default_rng(7)
    sizes = [(IMAGE_SIZE, IMAGE_SIZE), (64, 40), (17, 90), (224, 224), (33, 31)]
    return [
        Image.fromarray(random.integers(0, 256, (sizes[i % 5][1], sizes[i % 5][0], 3), dtype=np.uint8))
        for i in range(count)
    ]


def plain_texts(folder: Path, texts: list[str]) -> np.ndarray:
    """The way the model's own documentation shows, one text at a time, through the whole model."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in texts:
        if model.config.model_type == "clip":
            inputs = dict(tokenizer([text], return_tensors="pt"))
        else:
            inputs = {
                "input_ids": tokenizer(
                    [text], padding="max_length", max_length=64, truncation=True, return_tensors="pt"
                )["input_ids"]
            }
        with torch.no_grad():
            output = model.get_text_features(**inputs)
        rows.append(output.pooler_output[0].numpy())
    return np.stack([row / np.linalg.norm(row) for row in rows])


def plain_images(folder: Path, images: list[Image.Image]) -> np.ndarray:
    import torch
    from transformers import AutoModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    model = AutoModel.from_pretrained(folder).eval()
    kind = CLIPImageProcessorPil if model.config.model_type == "clip" else SiglipImageProcessorPil
    processor = kind.from_pretrained(folder)
    rows = []
    for image in images:
        with torch.no_grad():
            output = model.get_image_features(**processor(images=image, return_tensors="pt"))
        rows.append(output.pooler_output[0].numpy())
    return np.stack([row / np.linalg.norm(row) for row in rows])


@pytest.mark.parametrize("count", [1, 3, len(SENTENCES), 40])
def test_text_vectors_are_those_of_plain_transformers(checkpoint: Path, count: int) -> None:
    texts = [SENTENCES[i % len(SENTENCES)] for i in range(count)]
    ours = encoder_of(checkpoint).encode_texts(texts)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, plain_texts(checkpoint, texts), atol=TOLERANCE)


@pytest.mark.parametrize("count", [1, 5, 19])
def test_image_vectors_are_those_of_plain_transformers(checkpoint: Path, count: int) -> None:
    images = pictures(count)
    ours = encoder_of(checkpoint).encode_images(images)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, plain_images(checkpoint, images), atol=TOLERANCE)


def test_rows_are_unit_and_differ(checkpoint: Path) -> None:
    encoder = encoder_of(checkpoint)
    for rows in (encoder.encode_texts(SENTENCES), encoder.encode_images(pictures())):
        assert rows.shape[1] == encoder.dimension
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=TOLERANCE)
        assert np.unique(rows.round(4), axis=0).shape == rows.shape


def test_nothing_in_gives_no_rows_and_loads_nothing(checkpoint: Path) -> None:
    encoder = encoder_of(checkpoint)
    assert encoder.encode_texts([]).shape == (0, encoder.dimension)
    assert encoder.encode_images([]).shape == (0, encoder.dimension)
    assert encoder._text_tower is None
    assert encoder._image_tower is None


def test_one_tower_loads_without_the_other(checkpoint: Path) -> None:
    encoder = encoder_of(checkpoint)
    encoder.load(image=False)
    assert encoder._image_tower is None
    first = encoder._text_tower
    assert isinstance(first, TorchTower)
    names = [name for name, _ in first.module.named_parameters()]
    assert not [name for name in names if "vision" in name or "patch_embedding" in name]
    encoder.load(image=False)
    assert encoder._text_tower is first


def test_text_longer_than_the_model_reads_is_cut(checkpoint: Path) -> None:
    encoder = encoder_of(checkpoint)
    long = " ".join(SENTENCES * 10)
    rows = encoder.encode_texts([long, long + " and a lake"])
    np.testing.assert_allclose(rows[0], rows[1], atol=TOLERANCE)


@pytest.mark.parametrize("text", ["机场上停着很多飞机", "аэропорт с самолётами"])
def test_language_the_tokenizer_does_not_know_is_refused(checkpoint: Path, text: str) -> None:
    with pytest.raises(UnsupportedLanguage) as caught:
        encoder_of(checkpoint).encode_texts([SENTENCES[0], text])
    assert text in caught.value.message
    assert "operator" in caught.value.message


def test_one_foreign_word_in_an_english_text_is_accepted(checkpoint: Path) -> None:
    assert encoder_of(checkpoint).encode_texts(["a harbour with boats and a long pier near 港"]).shape[0] == 1


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "LA", "1", "I;16"])
def test_every_picture_mode_is_encoded(checkpoint: Path, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.linspace(200, 9000, 1600, dtype=np.uint16).reshape(40, 40))
        assert image.mode == mode
    else:
        image = pictures(1)[0].convert(mode)
    rows = encoder_of(checkpoint).encode_images([image])
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=TOLERANCE)


def test_a_folder_never_asks_the_network(siglip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a connection was attempted")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    encoder = encoder_of(siglip)
    assert encoder.encode_texts(SENTENCES[:1]).shape == (1, encoder.dimension)
    assert encoder.encode_images(pictures(1)).shape == (1, encoder.dimension)


def test_hub_id_offline_without_cache_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EncoderUnavailable, match="folder"):
        CheckpointEncoder(EncoderSpec(EncoderKind.TRANSFORMERS, "nobody/no-such-encoder"))


def test_missing_folder_and_missing_weights_are_named(siglip: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailable, match="does not exist"):
        encoder_of(tmp_path / "nowhere")
    bare = tmp_path / "bare"
    shutil.copytree(siglip, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(EncoderUnavailable, match="safetensors"):
        encoder_of(bare).load(image=False)


def test_weights_of_another_model_are_refused_not_made_up(siglip: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(siglip, broken)
    tensors = load_file(broken / "model.safetensors")
    del tensors["text_model.final_layer_norm.weight"]
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderMismatch, match=r"final_layer_norm\.weight"):
        encoder_of(broken).load(image=False)
    encoder_of(broken).load(text=False)


def test_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(EncoderMismatch, match="bert"):
        encoder_of(tmp_path)
