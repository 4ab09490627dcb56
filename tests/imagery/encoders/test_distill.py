"""A real small SigLIP teaches the built-in architecture: the student, its interruption, its use in a portal."""

import json
import math
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from PIL import Image, ImageDraw

from imagery.encoders import registry
from imagery.encoders.base import EncoderKind, EncoderSpec, unit_rows
from imagery.encoders.builtin.distill_options import DistillOptions
from imagery.encoders.builtin.distill_store import kept_rows
from imagery.encoders.errors import EncoderMismatch
from imagery.encoders.runtime.plan import Form
from imagery.models import Embedding, Encoder, EncoderFill, IngestJob
from imagery.services.adopt import encoder_lenders, vectors_adopt
from imagery.services.ingest import ingest_job_run
from imagery.services.teacher import teacher_find
from rsportal.errors import InvalidInput
from tests.api import SchemaClient
from tests.checkpoints import siglip_checkpoint
from tests.factories import make_user, picture

DIMENSION = 32
HEAD_EPOCHS = 2
EPOCHS = 2
DEADLINE_SECONDS = 120.0
POLL_SECONDS = 0.01
GROUNDS = {"green trees": "#2f6f2f", "yellow beach": "#d6c27a", "sea": "#2a4a8c", "desert": "#b08a5a"}
THINGS = ("storage tanks", "road", "parking lot")


def drawn(ground: str, thing: str, *, seed: int) -> Image.Image:
    """A picture of 64 px of a thing on a ground, elsewhere for each seed."""
    image = Image.new("RGB", (64, 64), GROUNDS[ground])
    pen = ImageDraw.Draw(image)
    x, y = (int(value) for value in np.random.default_rng(seed).integers(4, 28, 2))
    if thing == "storage tanks":
        pen.ellipse((x, y, x + 26, y + 26), fill="white")
    elif thing == "road":
        pen.line((0, y, 63, x + y), fill="grey", width=7)
    else:
        pen.rectangle((x, y, x + 30, y + 22), fill="black")
    return image


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen pictures to learn from and the same dozen drawn anew, each with two captions."""
    folder = tmp_path_factory.mktemp("drawn")
    lines = []
    for split, shift in (("train", 0), ("val", 100)):
        for number, (ground, thing) in enumerate((g, t) for g in GROUNDS for t in THINGS):
            name = f"{split}_{number}.png"
            drawn(ground, thing, seed=number + shift).save(folder / name)
            captions = [f"a {thing} near the {ground}", f"the {ground} beside a {thing}"]
            lines.append({"filename": name, "split": split, "class": None, "captions": captions})
    (folder / "captions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip_checkpoint(tmp_path_factory.mktemp("teacher") / "siglip")


@pytest.fixture(scope="module", autouse=True)
def _threads() -> Any:
    """Training sets the threads of its process, which is ours here: later tests get theirs back."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def arguments(teacher: Path | str, data: Path, out: Path, *more: str) -> list[str]:
    return [
        *("--teacher", str(teacher), "--images", str(data), "--captions", str(data / "captions.jsonl")),
        *("--out", str(out), "--threads", "1", "--views", "1", "--head-epochs", str(HEAD_EPOCHS)),
        *("--epochs", str(EPOCHS), "--tail-from", "14", "--batch-size", "6", *more),
    ]


def curve(out: Path) -> list[dict[str, Any]]:
    path = out / "curve.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def without_times(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def student(teacher: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupted."""
    out = tmp_path_factory.mktemp("student") / "run"
    call_command("distill", *arguments(teacher, data, out))
    return out


@pytest.fixture(scope="module")
def text_tower(teacher: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that taught the text tower alone."""
    out = tmp_path_factory.mktemp("texts") / "run"
    call_command("distill", *arguments(teacher, data, out, "--text-only"))
    return out


def spec_of(folder: Path) -> EncoderSpec:
    return EncoderSpec(EncoderKind.BUILTIN, str(folder))


def teacher_of(folder: Path) -> EncoderSpec:
    return EncoderSpec(EncoderKind.TRANSFORMERS, str(folder))


def held_out(data: Path) -> tuple[list[Image.Image], list[str]]:
    rows = [json.loads(line) for line in (data / "captions.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["split"] == "val"]
    return [Image.open(data / row["filename"]) for row in rows], [text for row in rows for text in row["captions"]]


def cosine(rows: np.ndarray, others: np.ndarray) -> float:
    return float((rows * others).sum(axis=1).mean())


def test_the_student_gives_its_teacher_s_vectors_of_what_neither_has_learnt_from(
    student: Path, teacher: Path, data: Path
) -> None:
    facts = registry.describe(spec_of(student))
    assert (facts.dimension, facts.image_size) == (DIMENSION, 224)
    ours, theirs = registry.get_encoder(spec_of(student)), registry.get_encoder(teacher_of(teacher))
    images, texts = held_out(data)
    near = cosine(ours.encode_images(images), theirs.encode_images(images))
    untrained, *_learnt = lines = curve(student)
    assert untrained["step"] == "untrained"
    assert near > 0.9 > 0.5 > untrained["image_cosine"]
    assert cosine(ours.encode_texts(texts), theirs.encode_texts(texts)) > 0.9 > 0.5 > untrained["text_cosine"]
    best = max(line["score"] for line in lines[1:])
    chosen = next(line for line in lines[1:] if line["score"] == best)
    assert near == pytest.approx(chosen["image_cosine"], abs=0.01), "the exported weights are those that were measured"
    assert chosen["chinese_cosine"] > 0.9 > 0.5 > untrained["chinese_cosine"]


def test_a_run_leaves_its_curve_its_scores_and_its_card(student: Path, teacher: Path) -> None:
    steps = [line["step"] for line in curve(student)]
    assert steps == ["untrained", "start", *["heads"] * HEAD_EPOCHS, *["tuning"] * EPOCHS]
    assert all(math.isfinite(value) for line in curve(student) for value in line.values() if isinstance(value, float))
    assert not [path.name for path in student.iterdir() if path.name.startswith(("partial-", "fresh-"))]
    scores = json.loads((student / "scores.json").read_text())
    assert set(scores["retrieval"]) == {"teacher", "student", "student_zh", "cross", "cross_zh"}
    card = (student / "MODEL_CARD.md").read_text()
    assert f"{scores['retrieval']['cross']['mr']:.1f} |\n" in card
    assert registry.checksum(teacher_of(teacher))[:12] in card
    assert "12 pictures of the split `train`" in " ".join(card.split())
    assert max(map(len, (line for line in card.splitlines() if not line.startswith("|")))) <= 120


def test_a_killed_run_goes_on_to_the_same_weights(student: Path, teacher: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    program = [sys.executable, "manage.py", "distill", *arguments(teacher, data, out)]
    root = Path(__file__).resolve().parents[3]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(program, stdout=log, stderr=log, cwd=root)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (out / "heads.pt").exists() and process.poll() is None and time.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()
    done = curve(out)
    assert len(done) < 2 + HEAD_EPOCHS + EPOCHS, "the run was over before it was killed"
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("*.np[yz]")}
    assert {"teacher_view_1.npy", "maps_view_1.npy", "pooled_val.npy"} <= set(kept)

    call_command("distill", *arguments(teacher, data, out))

    assert kept == {name: (out / name).stat().st_mtime_ns for name in kept}, "vectors were computed again"
    assert curve(out)[:3] == done[:3], "an epoch that was done was done again"
    assert without_times(curve(out)) == without_times(curve(student))
    for name in ("weights.safetensors", "MODEL_CARD.md"):
        assert (out / name).read_bytes() == (student / name).read_bytes()


def test_gradients_alone_teach_a_text_tower(teacher: Path, data: Path, tmp_path: Path) -> None:
    """From random heads instead of those of least squares, which leave little to learn here."""
    import torch

    from imagery.encoders.builtin.distill_student import Student

    out, epochs = tmp_path / "run", 12
    command = arguments(teacher, data, out, "--text-only", "--head-epochs", str(epochs), "--head-rate", "2e-3")
    options = DistillOptions(images=data, captions=data / "captions.jsonl", out=out, text_only=True)
    torch.manual_seed(3)
    random = Student(options, dimension=DIMENSION, device=torch.device("cpu"))
    out.mkdir()
    state = {"towers": [tower.state_dict() for tower in random.towers], "log_scale": torch.tensor(2.6)}
    torch.save(state, out / "start.pt")
    call_command("distill", *command)
    lines = curve(out)
    assert [line["step"] for line in lines] == ["heads"] * epochs
    assert lines[-1]["loss"] < lines[0]["loss"] / 2
    assert lines[-1]["text_explained"] > lines[0]["text_explained"]
    assert lines[-1]["text_cosine"] > 0.8


def test_rows_that_take_long_are_computed_once_each(tmp_path: Path) -> None:
    computed: list[int] = []

    def compute(start: int, stop: int) -> np.ndarray:
        if start == 4 and not (tmp_path / "again").exists():
            raise KeyboardInterrupt
        computed.append(start)
        return np.full((stop - start, 3), start, dtype=np.float32)

    store = tmp_path / "rows.npy"
    with pytest.raises(KeyboardInterrupt):
        kept_rows(store, shape=(5, 3), dtype=np.float32, block=2, compute=compute)
    assert computed == [0, 2]
    (tmp_path / "again").touch()
    rows = kept_rows(store, shape=(5, 3), dtype=np.float32, block=2, compute=compute)
    assert computed == [0, 2, 4]
    assert rows[:, 0].tolist() == [0, 0, 2, 2, 4]
    assert not list(tmp_path.glob("*-rows.npy"))
    with pytest.raises(InvalidInput, match="not finite"):
        kept_rows(
            tmp_path / "other.npy", shape=(1,), dtype=np.float32, block=1, compute=lambda a, b: np.array([np.nan])
        )


def test_a_text_tower_leaves_the_pictures_to_its_teacher(text_tower: Path, teacher: Path, data: Path) -> None:
    ours, theirs = registry.get_encoder(spec_of(text_tower)), registry.get_encoder(teacher_of(teacher))
    assert (ours.dimension, ours.image_size) == (theirs.dimension, theirs.image_size)
    images, texts = held_out(data)
    np.testing.assert_allclose(ours.encode_images(images), theirs.encode_images(images), atol=1e-6)
    assert cosine(ours.encode_texts(texts), theirs.encode_texts(texts)) > 0.9
    assert (text_tower / "weights.safetensors").stat().st_size < 6e6
    assert "student" not in json.loads((text_tower / "scores.json").read_text())["retrieval"]


def test_a_text_tower_whose_teacher_changed_is_refused(teacher: Path, data: Path, tmp_path: Path) -> None:
    changed = siglip_checkpoint(tmp_path / "siglip")
    call_command("distill", *arguments(changed, data, tmp_path / "run", "--text-only", "--head-epochs", "0"))
    registry.checksum(spec_of(tmp_path / "run"))
    with (changed / "config.json").open("a") as stream:
        stream.write("\n")
    with pytest.raises(EncoderMismatch, match="have changed since"):
        registry.checksum(spec_of(tmp_path / "run"))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--tail-from", "3"), "--tail-from must be 8 to 15"),
        (("--views", "-1"), "--views must be at least 0"),
        (("--chinese-share", "1.5"), "--chinese-share must be at least 0 and less than 1"),
        (("--contrastive", "nan"), "--contrastive must be a number of at least 0"),
        (("--device", "no-such-device"), "--device no-such-device cannot be used"),
        (("--captions", "/nowhere.jsonl"), "/nowhere.jsonl cannot be read"),
        (("--images", "/nowhere"), "line 1: /nowhere/train_0.png is not there"),
        (("--teacher", "/nowhere"), "--teacher /nowhere: there is no such folder"),
        (("--student", "resnet"), "invalid choice: 'resnet'"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(
    teacher: Path, data: Path, tmp_path: Path, more: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(CommandError, match=reason):
        call_command("distill", *arguments(teacher, data, tmp_path / "run", *more))
    assert not (tmp_path / "run").exists()


def test_another_teacher_or_setting_may_not_go_on_in_the_same_folder(
    student: Path, teacher: Path, data: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(teacher, tmp_path / "other")
    (other / "config.json").write_text((teacher / "config.json").read_text() + "\n")
    before = (student / "weights.safetensors").read_bytes()
    with pytest.raises(CommandError, match="another seed"):
        call_command("distill", *arguments(teacher, data, student, "--seed", "1"))
    with pytest.raises(CommandError, match="another teacher_sha256"):
        call_command("distill", *arguments(other, data, student))
    with pytest.raises(CommandError, match="the teacher's own folder"):
        call_command("distill", *arguments(student, data, student))
    assert (student / "weights.safetensors").read_bytes() == before


@pytest.mark.django_db
def test_a_teacher_is_named_as_it_is_registered_or_refused(teacher: Path) -> None:
    call_command("encoder", "add", "small", "--source", str(teacher))
    row = Encoder.objects.get()
    for name in ("small", str(row.pk), str(teacher)):
        spec, plan = teacher_find(name=name)
        assert (spec, plan.form) == (teacher_of(teacher), Form.FULL)
    assert teacher_find(name="builtin")[0] == EncoderSpec(EncoderKind.BUILTIN, "builtin")
    with pytest.raises(InvalidInput, match=r"--teacher large: no encoder .* \(there are: small\)"):
        teacher_find(name="large")


@pytest.mark.django_db
def test_a_student_encodes_and_is_searched_in_chinese(student: Path) -> None:
    call_command("encoder", "add", "student", "--kind", "builtin", "--source", str(student))
    call_command("encoder", "activate", "student")
    client, scene = _portal_with_a_picture()
    answer = client.get("/api/v1/search/", {"text": "沙滩附近的储油罐"}).json()
    assert (answer["encoder"], [hit["scene"] for hit in answer["results"]]) == ("student", [scene])


@pytest.mark.django_db
def test_an_archive_of_the_teacher_s_is_searched_with_the_text_tower(text_tower: Path, teacher: Path) -> None:
    call_command("encoder", "add", "large", "--source", str(teacher))
    call_command("encoder", "activate", "large")
    client, scene = _portal_with_a_picture()
    call_command("encoder", "add", "quick", "--kind", "builtin", "--source", str(text_tower))
    large, quick = (Encoder.objects.get(name=name) for name in ("large", "quick"))
    assert encoder_lenders(encoder=quick) == [large]
    assert encoder_lenders(encoder=large) == []
    count = Embedding.objects.filter(encoder=large).count()
    call_command("encoder", "fill", "quick", "--run-here")
    assert vectors_adopt(encoder=quick) == 0, "what is there is not copied again"
    vectors = [dict(Embedding.objects.filter(encoder=row).values_list("tile", "vector")) for row in (large, quick)]
    assert vectors[0] == vectors[1]
    assert len(vectors[0]) == count > 0
    assert (EncoderFill.objects.get(encoder=quick).total, IngestJob.objects.count()) == (0, 1), (
        "nothing is encoded again"
    )
    call_command("encoder", "activate", "quick")
    answer = client.get("/api/v1/search/", {"text": "沙滩附近的储油罐"}).json()
    assert (answer["encoder"], [hit["scene"] for hit in answer["results"]]) == ("quick", [scene])


def _portal_with_a_picture() -> tuple[SchemaClient, str]:
    """A person's client, and the number of the scene that was uploaded and encoded."""
    cache.clear()
    client = SchemaClient(make_user())
    client.post("/api/v1/collections/", {"slug": "fields", "title": "Fields"})
    file = SimpleUploadedFile("field.png", picture(1, size=64), content_type="image/png")
    job = client.post("/api/v1/scenes/", {"file": file, "collection": "fields"}, format="multipart").json()
    ingest_job_run(job_id=job["id"])
    return client, client.get(job["links"]["self"]).json()["scene"]


def test_captions_the_teacher_cannot_read_are_refused(teacher: Path, data: Path, tmp_path: Path) -> None:
    captions = (data / "captions.jsonl").read_text().replace("near the", "ряд с морем и лесом у дороги")
    (tmp_path / "captions.jsonl").write_text(captions, encoding="utf-8")
    with pytest.raises(CommandError, match=r"The teacher siglip reads en, but a caption is in another language"):
        call_command(
            "distill", *arguments(teacher, data, tmp_path / "run", "--captions", str(tmp_path / "captions.jsonl"))
        )


def test_agreement_by_hand() -> None:
    from imagery.encoders.builtin.corpus import CaptionedImage, CaptionTable
    from imagery.encoders.builtin.distill_lessons import Lessons
    from imagery.encoders.builtin.distill_scores import agreement, spread

    images = np.eye(8, dtype=np.float32)
    table = CaptionTable(
        features=np.zeros((9, 1), dtype=np.float32),
        english=np.arange(8)[:, None],
        chinese=np.array([8, *[-1] * 7])[:, None],
    )
    texts = np.concatenate([images, images[:1]])
    items = [CaptionedImage(Path(f"{n}.png"), (str(n),)) for n in range(8)]
    lessons = Lessons(items=items, captions=table, images=images, texts=texts)
    assert spread(images) == pytest.approx(1 - math.sqrt(1 / 8))
    same = agreement(lessons, images, texts)
    assert {same[name] for name in ("image_cosine", "text_explained", "overlap", "cross_overlap", "score")} == {1.0}
    mean = np.broadcast_to(unit_rows(images.mean(axis=0, keepdims=True)), images.shape)
    told = agreement(lessons, np.ascontiguousarray(mean), np.roll(texts, 1, axis=0))
    assert told["image_explained"] == pytest.approx(0, abs=1e-6)
    assert told["text_cosine"] == pytest.approx(1 / 8), "row 0 got the vector of the rendering, its own"
