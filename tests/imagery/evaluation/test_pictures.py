"""Folders of pictures and lists of texts to vectors: order, what is refused, and what is said meanwhile."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.clip import CheckpointEncoder
from imagery.evaluation import pictures
from imagery.evaluation.pictures import Progress, picture_draw, pictures_encode, texts_encode
from rsportal.errors import InvalidInput
from tests.checkpoints import IMAGE_SIZE, siglip_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CheckpointEncoder:
    folder = siglip_checkpoint(tmp_path_factory.mktemp("siglip") / "model")
    return CheckpointEncoder(EncoderSpec(EncoderKind.TRANSFORMERS, str(folder)))


class Lines:
    """Collects what is written."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, message: str) -> None:
        self.lines.append(message)


def noise(number: int) -> Image.Image:
    pixels = np.random.default_rng(number).integers(0, 256, size=(IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_rows_keep_the_order_and_say_which_pictures_they_are(model: CheckpointEncoder, tmp_path: Path) -> None:
    names = []
    for number in range(70):  # More than are drawn ahead.
        names.append(f"{number}.png")
        if number not in (3, 41):
            noise(number).save(tmp_path / names[-1])
    (tmp_path / "41.png").write_text("no picture")
    found = pictures_encode(model=model, folder=tmp_path, filenames=names)
    assert [name for name, _reason in found.refused] == ["3.png", "41.png"]
    assert all(name in reason for name, reason in found.refused)
    assert found.rows.tolist() == [row for row in range(70) if row not in (3, 41)]
    expected = model.encode_images([noise(row) for row in found.rows])
    np.testing.assert_allclose(found.vectors, expected, atol=1e-5)
    assert found.per_second == pytest.approx(68 / found.seconds)


def test_a_folder_that_is_not_there(model: CheckpointEncoder, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is no folder"):
        pictures_encode(model=model, folder=tmp_path / "none", filenames=["a.png"])


def test_large_and_deep_pictures_are_drawn_as_an_ingest_draws_them(tmp_path: Path) -> None:
    Image.fromarray(np.arange(64 * 128, dtype=np.uint16).reshape(64, 128)).save(tmp_path / "deep.png")
    drawn = picture_draw(tmp_path / "deep.png", name="deep.png", image_size=32)
    assert (drawn.mode, drawn.size) == ("RGB", (64, 32))
    values = np.asarray(drawn)
    assert values.min() < 10
    assert values.max() > 245
    noise(1).save(tmp_path / "small.png")
    small = picture_draw(tmp_path / "small.png", name="small.png", image_size=256)
    assert np.array_equal(np.asarray(small), np.asarray(noise(1)))


def test_equal_texts_have_equal_rows_and_unreadable_ones_are_refused(model: CheckpointEncoder) -> None:
    texts = ["a river", "港口的船只很多", "a road", "a river"]
    found = texts_encode(encode=model.encode_texts, dimension=model.dimension, texts=texts)
    assert list(found.refused) == [1]
    assert not found.vectors[1].any()
    assert np.array_equal(found.vectors[0], found.vectors[3])
    np.testing.assert_allclose(found.vectors[2], model.encode_texts(["a road"])[0], atol=1e-6)


def test_without_a_terminal_progress_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_LINE_SECONDS", 0.0)
    written = Lines()
    Progress(stderr=written).steps(iter([2, 3]), what="encoding", total=5)
    assert written.lines == ["encoding: 2 of 5", "encoding: 5 of 5"]
    monkeypatch.setattr(pictures, "_LINE_SECONDS", 60.0)
    Progress(stderr=written).steps(iter([2, 3]), what="encoding", total=5)
    assert len(written.lines) == 2
