"""Towers run by OpenVINO: the vectors of torch, rebuilt when they must be, shared by threads, unloaded when idle."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imagery.encoders import registry
from imagery.encoders.base import EncoderKind, EncoderSpec, ImageTextEncoder, TowerName
from imagery.encoders.errors import EncoderUnavailable
from imagery.encoders.runtime import artefact, known
from imagery.encoders.runtime.agreement import agreement, best_kept, nearest, top_overlap
from imagery.encoders.runtime.artefact import artefact_folder, artefact_read, artefacts_remove
from imagery.encoders.runtime.export import tower_export
from imagery.encoders.runtime.plan import Form, Plan, Precision, Runtime, is_installed, this_machine
from tests.checkpoints import BASE_REDUCED, SENTENCES, clip_checkpoint, siglip_of_shape

BUILTIN = EncoderSpec(EncoderKind.BUILTIN, "builtin")
FLOAT32_TOLERANCE = 2e-5
DEADLINE_SECONDS = 30.0


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> EncoderSpec:
    folder = siglip_of_shape(tmp_path_factory.mktemp("runtime") / "siglip", BASE_REDUCED)
    return EncoderSpec(EncoderKind.TRANSFORMERS, str(folder))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> EncoderSpec:
    return EncoderSpec(EncoderKind.TRANSFORMERS, str(clip_checkpoint(tmp_path_factory.mktemp("runtime") / "clip")))


@pytest.fixture(params=["siglip", "clip", "builtin"])
def spec(request: pytest.FixtureRequest) -> EncoderSpec:
    return BUILTIN if request.param == "builtin" else request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of exported towers, filled on first use of each encoder and form."""
    return tmp_path_factory.mktemp("towers")


def plan_of(spec: EncoderSpec, folder: Path, *, precision: Precision = Precision.FLOAT32, idle: float = 0.0) -> Plan:
    """A plan for OpenVINO whose towers are there already, exported in this process."""
    plan = Plan(
        runtime=Runtime.OPENVINO,
        precision=precision,
        threads=1,
        checksum=registry.checksum(spec),
        folder=folder,
        idle_seconds=idle,
    )
    for tower in TowerName:
        place = artefact_folder(folder, checksum=plan.checksum, tower=tower, form=plan.form)
        if artefact_read(place) is None and (module := registry.make_encoder(spec).exportable(tower)) is not None:
            tower_export(module, name=tower, folder=folder, checksum=plan.checksum, form=plan.form)
    return plan


def rows_of(encoder: ImageTextEncoder) -> tuple[np.ndarray, np.ndarray]:
    return encoder.encode_images(known.pictures(5)), encoder.encode_texts(SENTENCES[:3])


def test_float32_gives_the_vectors_of_torch(spec: EncoderSpec, exported: Path) -> None:
    ours = rows_of(registry.make_encoder(spec, plan=plan_of(spec, exported)))
    for found, expected in zip(ours, rows_of(registry.make_encoder(spec)), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=FLOAT32_TOLERANCE)


def test_bfloat16_is_near_and_eight_bits_are_less_near(siglip: EncoderSpec, exported: Path) -> None:
    expected = rows_of(registry.make_encoder(siglip))
    worst = []
    for precision in (Precision.BFLOAT16, Precision.INT8):
        encoder = registry.make_encoder(siglip, plan=plan_of(siglip, exported, precision=precision))
        assert (encoder.runtime, encoder.precision) == ("openvino", precision.value)
        worst.append(min(agreement(a, b).mean_cosine for a, b in zip(rows_of(encoder), expected, strict=True)))
    assert worst[0] >= 0.9999
    assert worst[1] >= 0.98


def test_eight_bit_towers_are_a_quarter_of_the_size(siglip: EncoderSpec, exported: Path) -> None:
    sizes = {}
    for precision in (Precision.FLOAT32, Precision.INT8):
        plan = plan_of(siglip, exported, precision=precision)
        found = artefact_read(artefact_folder(exported, checksum=plan.checksum, tower="image", form=plan.form))
        assert found is not None
        sizes[plan.form] = found.weights.stat().st_size
        assert bool(found.note["eight_bit_matrices"]) is (precision is Precision.INT8)
    assert sizes[Form.INT8] < 0.45 * sizes[Form.FULL]


def test_missing_and_damaged_towers_are_exported_again_apart(siglip: EncoderSpec, tmp_path: Path) -> None:
    plan = plan_of(siglip, tmp_path)
    place = artefact_folder(tmp_path, checksum=plan.checksum, tower="text", form=Form.FULL)
    expected = registry.make_encoder(siglip, plan=plan).encode_texts(SENTENCES[:2])
    weights = place / "tower.bin"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 0xFF
    weights.write_bytes(content)
    assert artefact_read(place) is None, "a single changed byte is noticed"
    np.testing.assert_array_equal(registry.make_encoder(siglip, plan=plan).encode_texts(SENTENCES[:2]), expected)
    assert artefact_read(place) is not None


def test_another_version_of_the_library_or_other_files_have_towers_of_their_own(
    siglip: EncoderSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(siglip, tmp_path)

    def place(checksum: str = plan.checksum) -> Path:
        return artefact_folder(tmp_path, checksum=checksum, tower="text", form=Form.FULL)

    now = place()
    assert artefact_read(now) is not None
    assert artefact_read(place("0" * 64)) is None
    monkeypatch.setattr(artefact, "library_version", lambda runtime: "1999.0")
    upgraded = place()
    assert upgraded != now
    assert artefact_read(upgraded) is None
    module = registry.make_encoder(siglip).exportable(TowerName.TEXT)
    assert module is not None
    tower_export(module, name="text", folder=tmp_path, checksum=plan.checksum, form=Form.FULL)
    assert artefact_read(upgraded) is not None
    assert not now.exists(), "the towers of the version before are removed"


def test_an_export_that_breaks_off_leaves_nothing_half_done(tmp_path: Path) -> None:
    folder = tmp_path / "encoders"
    place = folder / "0123" / "image-full-openvino-1-1"

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        artefact.artefact_write(place, fail, {})
    assert list(place.parent.iterdir()) == []
    artefacts_remove(folder, "0123")
    assert list(folder.iterdir()) == []


def test_threads_share_one_tower_and_get_their_own_rows(siglip: EncoderSpec, exported: Path) -> None:
    encoder = registry.make_encoder(siglip, plan=plan_of(siglip, exported))
    alone = {text: encoder.encode_texts([text])[0] for text in SENTENCES}
    pictures = known.pictures(4)
    expected = encoder.encode_images(pictures)

    def work(number: int) -> bool:
        text = SENTENCES[number % len(SENTENCES)]
        right = np.allclose(encoder.encode_texts([text])[0], alone[text], atol=1e-6)
        return right and np.allclose(encoder.encode_images([pictures[number % 4]])[0], expected[number % 4], atol=1e-6)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(32)))
    assert encoder.loads == {"image": 1, "text": 1}


@pytest.mark.parametrize("count", [1, 2, 5, 11])
def test_batches_split_over_cores_keep_their_order(siglip: EncoderSpec, exported: Path, count: int) -> None:
    one = registry.make_encoder(siglip, plan=plan_of(siglip, exported))
    several = registry.make_encoder(siglip, plan=replace(plan_of(siglip, exported), threads=3))
    pictures = known.pictures(count)
    np.testing.assert_allclose(several.encode_images(pictures), one.encode_images(pictures), atol=1e-6)


def test_inputs_prepared_in_other_threads_give_the_same_rows(spec: EncoderSpec, exported: Path) -> None:
    encoder = registry.make_encoder(spec, plan=plan_of(spec, exported))
    pictures = known.pictures(6)
    with ThreadPoolExecutor(3) as pool:
        inputs = list(pool.map(encoder.image_input, pictures))
    assert encoder.loads["image"] == 0, "preparing needs no tower"
    np.testing.assert_allclose(encoder.encode_inputs(inputs), encoder.encode_images(pictures), atol=1e-6)


def test_idle_towers_are_unloaded_and_come_back(siglip: EncoderSpec, exported: Path) -> None:
    encoder = registry.make_encoder(siglip, plan=plan_of(siglip, exported, idle=0.2))
    before = encoder.encode_texts(SENTENCES[:1])
    assert encoder.loads["text"] == 1
    wait_until(lambda: encoder._text_tower is None)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(encoder.encode_texts(SENTENCES[:1]), before)
    assert encoder.loads["text"] == 2


def test_a_tower_in_use_is_not_unloaded(siglip: EncoderSpec, exported: Path) -> None:
    encoder = registry.make_encoder(siglip, plan=replace(plan_of(siglip, exported), idle_seconds=1e-9))
    with encoder._using(TowerName.TEXT):
        assert encoder.unload_idle() is False
        assert encoder.unload() is False
    wait_until(lambda: encoder._text_tower is None)  # type: ignore[attr-defined]


def test_unloading_gives_the_memory_back(tmp_path: Path) -> None:
    """In a program of its own: a tower of 100 MB is loaded, unloaded and loaded again."""
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[3])!r})
from pathlib import Path
from imagery.encoders import registry
from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.runtime.memory import resident_bytes, trim
from tests.checkpoints import Shape, siglip_of_shape
folder = siglip_of_shape(Path({str(tmp_path)!r}), Shape(width=512, layers=8, heads=8, image=64, patch=16))
encoder = registry.make_encoder(EncoderSpec(EncoderKind.TRANSFORMERS, str(folder)))
encoder.encode_texts(["a river"])
encoder.unload(); trim()
before = resident_bytes()
sizes = []
for _ in range(3):
    encoder.encode_texts(["a river"])
    loaded = resident_bytes()
    encoder.unload(); trim()
    sizes.append((loaded - before, resident_bytes() - before))
print(sizes)
assert encoder.loads["text"] == 4
for more, left in sizes:
    assert more > 60e6, sizes
    assert left < 0.25 * more, sizes
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_process_holds_one_encoder_of_each_form(siglip: EncoderSpec, exported: Path) -> None:
    registry.forget()
    try:
        full = plan_of(siglip, exported)
        first = registry.get_encoder(siglip, plan=full)
        assert registry.get_encoder(siglip, plan=full) is first
        small = registry.get_encoder(siglip, plan=plan_of(siglip, exported, precision=Precision.INT8))
        assert small is not first
        newer = registry.get_encoder(siglip, plan=replace(full, precision=Precision.BFLOAT16))
        assert newer is not first
        assert len(registry._instances) == 2, "a new plan takes the place of the old one"
    finally:
        registry.forget()


def test_without_openvino_the_operator_is_told(
    siglip: EncoderSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagery.encoders.runtime.running.is_installed", lambda runtime: runtime is Runtime.TORCH)
    plan = Plan(runtime=Runtime.OPENVINO, checksum="0" * 64, folder=tmp_path)
    with pytest.raises(EncoderUnavailable, match="tune"):
        registry.make_encoder(siglip, plan=plan).load(image=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"precision": Precision.INT8},
        {"runtime": Runtime.OPENVINO},
        {"runtime": Runtime.OPENVINO, "checksum": "0" * 64, "folder": Path("/tmp"), "device": "cuda"},
    ],
)
def test_plans_that_cannot_be_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"OpenVINO"):
        Plan(**wrong)


def test_exporting_and_running_tell_nobody(siglip: EncoderSpec, tmp_path: Path) -> None:
    """Importing the library reports to its maker as it comes; ours must open no connection and start no reporter."""
    program = f"""
import socket, sys
def refuse(*arguments, **named):
    raise AssertionError("a connection was attempted")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
sys.path.insert(0, {str(Path(__file__).resolve().parents[3])!r})
from pathlib import Path
from imagery.encoders.base import EncoderKind, EncoderSpec, TowerName
from imagery.encoders.registry import make_encoder
from imagery.encoders.runtime.export import tower_export
from imagery.encoders.runtime.plan import Form, Plan, Runtime
spec, folder = EncoderSpec(EncoderKind.TRANSFORMERS, {siglip.source!r}), Path({str(tmp_path)!r})
module = make_encoder(spec).exportable(TowerName.TEXT)
tower_export(module, name="text", folder=folder, checksum="0" * 64, form=Form.FULL)
make_encoder(spec, plan=Plan(Runtime.OPENVINO, checksum="0" * 64, folder=folder)).encode_texts(["a river"])
assert "openvino" in sys.modules
loaded = [name for name in sys.modules if name.startswith("openvino_telemetry") and sys.modules[name]]
assert not loaded, loaded
assert not (Path.home() / "intel").exists(), "it keeps a client id"
"""
    # Reporters hold back where CI is set, and keep what they know of a person in the home folder.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(tmp_path)}
    environment.pop("CI", None)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_machine_is_described_from_its_files(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: Some Processor 9000\nflags\t\t: fpu avx2 avx512_bf16 amx_bf16\n")
    machine = this_machine(cpuinfo)
    assert machine.processor == "Some Processor 9000"
    assert machine.features == ("avx2", "avx512_bf16", "amx_bf16")
    assert this_machine(tmp_path / "none").features == ()
    assert json.loads(json.dumps(machine.as_json()))["torch"]
    assert is_installed(Runtime.TORCH) and is_installed(Runtime.OPENVINO)


def test_overlap_counts_shared_neighbours() -> None:
    rows = np.eye(4, dtype=np.float32)
    queries = np.asarray([[4, 3, 2, 1], [1, 2, 3, 4]], dtype=np.float32)
    first = nearest(queries, rows, 2)
    assert first.tolist() == [[0, 1], [3, 2]]
    second = nearest(queries[::-1], rows, 2)
    assert top_overlap(first, first) == 1.0
    assert top_overlap(first, second) == 0.0
    assert top_overlap(first, np.asarray([[1, 2], [3, 0]])) == 0.5
    assert best_kept(first, np.asarray([[1, 2], [2, 3]])) == 0.5
    with pytest.raises(ValueError, match="cannot be compared"):
        top_overlap(first, first[:, :1])


def wait_until(condition) -> None:
    until = time.monotonic() + DEADLINE_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        pause.wait(0.02)
