"""What runs an encoder on this machine: measured, verified, kept in its row; settings and the gate before 8 bits."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings as django_settings

from imagery.encoders.runtime import known, tuning
from imagery.encoders.runtime.agreement import Agreement
from imagery.encoders.runtime.plan import REFERENCE, Form, Plan, Precision, Runtime
from imagery.models import Asset, Encoder
from imagery.services import runtime as runtime_service
from imagery.services.encoders import encoder_instance, encoder_register
from imagery.services.runtime import (
    encoder_form,
    encoder_runtime_line,
    encoder_runtime_plan,
    encoder_runtime_prepare,
)
from imagery.services.runtime_gate import eight_bit_gate
from rsportal.errors import InvalidInput, Unavailable
from tests.checkpoints import SENTENCES
from tests.factories import make_scene

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported towers and measurements, made once for this module."""
    return tmp_path_factory.mktemp("towers")


@pytest.fixture
def free_choice(settings, towers: Path) -> None:
    """The settings of a server: everything is measured. One thread, since other tests run beside."""
    settings.ENCODER_RUNTIME = settings.ENCODER_PRECISION = "auto"
    settings.ENCODER_DIR, settings.ENCODER_THREADS = towers, 1


@pytest.fixture
def row(db, checkpoint: Path) -> Encoder:
    return encoder_register(name="measured", kind=Encoder.Kind.TRANSFORMERS, source=str(checkpoint))


@pytest.mark.usefixtures("free_choice")
def test_the_choice_is_measured_verified_and_kept(row: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    found = encoder_runtime_prepare(encoder=row)
    row.refresh_from_db()
    assert row.runtime == found
    ways = {(way["runtime"], way["precision"]): way for way in found["candidates"]}
    assert set(ways) == {(r, p) for r in ("torch", "openvino") for p in ("float32", "bfloat16")}
    assert [way["chosen"] for way in found["candidates"]].count(True) == 1
    chosen = ways[found["runtime"], found["precision"]]
    assert chosen["chosen"] and not chosen["why"]
    assert chosen["mean_cosine"] >= 0.9999
    usable = [way["images_per_second"] for way in ways.values() if not way["why"]]
    assert chosen["images_per_second"] >= 0.95 * max(usable)
    assert found["form"] == "full" and found["library"].startswith(found["runtime"])
    assert found["machine"]["cores"] >= 1 and found["measured_at"]

    def again(request: dict) -> dict:
        raise AssertionError("measured twice")

    monkeypatch.setattr(runtime_service, "run_apart", again)
    assert encoder_runtime_prepare(encoder=row) == found, "the same files on the same machine are not measured again"
    assert f"{found['runtime']} {found['precision']}" in encoder_runtime_line(row)


@pytest.mark.usefixtures("free_choice")
def test_a_process_runs_what_the_row_says_and_agrees_with_the_reference(row: Encoder) -> None:
    reference = encoder_instance(row).encode_texts(SENTENCES[:3])
    assert (encoder_instance(row).runtime, encoder_instance(row).precision) == ("torch", "float32")
    assert "not measured" in encoder_runtime_line(row)
    found = encoder_runtime_prepare(encoder=row)
    model = encoder_instance(row)
    assert (model.runtime, model.precision) == (found["runtime"], found["precision"])
    np.testing.assert_allclose((model.encode_texts(SENTENCES[:3]) * reference).sum(axis=1), 1.0, atol=2e-4)
    assert model.encode_images(known.pictures(2)).shape == (2, row.dimension)


def test_settings_that_leave_no_choice_measure_nothing(row: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(runtime_service, "run_apart")
    found = encoder_runtime_prepare(encoder=row)
    assert (found["runtime"], found["precision"], found["reason"]) == ("torch", "float32", "as the settings say")
    plan = encoder_runtime_plan(row)
    assert (plan.runtime, plan.precision) == (Runtime.TORCH, Precision.FLOAT32)


def test_the_operator_can_force_a_way_which_is_still_verified(row: Encoder, settings, towers: Path) -> None:
    settings.ENCODER_RUNTIME, settings.ENCODER_PRECISION = "openvino", "float32"
    settings.ENCODER_DIR, settings.ENCODER_THREADS = towers, 1
    found = encoder_runtime_prepare(encoder=row)
    assert (found["runtime"], found["precision"]) == ("openvino", "float32")
    assert found["image"]["min_cosine"] > 0.9999
    assert found["reason"] == "as the settings say, verified"


def test_a_way_that_this_machine_does_not_have_is_refused_with_the_reasons(
    row: Encoder, settings, towers: Path
) -> None:
    settings.ENCODER_RUNTIME, settings.ENCODER_PRECISION, settings.ENCODER_DEVICE = "torch", "float32", "cuda"
    settings.ENCODER_DIR = towers
    with pytest.raises(InvalidInput, match="RSPORTAL_ENCODER_DEVICE"):
        encoder_runtime_prepare(encoder=row)


def test_files_that_are_gone_are_named(row: Encoder, settings, towers: Path) -> None:
    settings.ENCODER_RUNTIME, settings.ENCODER_DIR = "auto", towers
    row.source, row.checksum = str(Path(row.source).with_name("nowhere")), "f" * 64
    with pytest.raises(Unavailable, match="nowhere"):
        encoder_runtime_prepare(encoder=row)


def test_a_row_whose_library_is_missing_says_what_to_do(row: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    row.runtime = {"runtime": "openvino", "precision": "float32", "device": "cpu", "form": "full"}
    monkeypatch.setattr(runtime_service, "is_installed", lambda runtime: False)
    with pytest.raises(Unavailable, match="encoder tune measured"):
        encoder_runtime_plan(row)
    row.runtime = {"runtime": "abacus", "precision": "float32"}
    with pytest.raises(Unavailable, match="encoder tune measured"):
        encoder_runtime_plan(row)


class TestEightBits:
    @pytest.fixture
    def eight_bit_row(self, row: Encoder) -> Encoder:
        row.runtime = {"form": "int8"}
        row.save(update_fields=["runtime"])
        return row

    @pytest.mark.usefixtures("free_choice")
    def test_a_small_archive_cannot_pass_the_gate(self, eight_bit_row: Encoder) -> None:
        with pytest.raises(InvalidInput, match="50 are needed") as caught:
            encoder_runtime_prepare(encoder=eight_bit_row)
        assert caught.value.code == "encoder_gate"
        eight_bit_row.refresh_from_db()
        assert eight_bit_row.runtime == {"form": "int8"}, "nothing is stored that did not pass"

    @pytest.mark.usefixtures("free_choice")
    def test_the_gate_compares_the_archives_own_pictures(self, eight_bit_row: Encoder, archive: int) -> None:
        gate = eight_bit_gate(encoder=eight_bit_row, images=archive, queries=10)
        assert (gate["images"], gate["queries"]) == (archive, 10)
        assert 0.0 < gate["overlap"] <= 1.0 and 0.0 < gate["best_kept"] <= 1.0
        assert gate["image"]["mean_cosine"] > 0.95
        met = gate["overlap"] >= gate["threshold"]["overlap"] and gate["best_kept"] >= gate["threshold"]["best_kept"]
        assert gate["passed"] is met
        assert f"{gate['overlap']:.3f}" in gate["reason"]

    @pytest.mark.usefixtures("free_choice", "archive")
    def test_a_passed_gate_stores_the_eight_bit_way(
        self, eight_bit_row: Encoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagery.encoders.runtime.gate.LEAST_OVERLAP", 0.0)
        monkeypatch.setattr("imagery.encoders.runtime.gate.LEAST_BEST_KEPT", 0.0)
        found = encoder_runtime_prepare(encoder=eight_bit_row)
        assert (found["runtime"], found["precision"], found["form"]) == ("openvino", "int8", "int8")
        assert found["gate"]["passed"] is True
        assert encoder_instance(eight_bit_row).precision == "int8"

    def test_settings_that_exclude_the_form_of_a_row_are_refused(self, eight_bit_row: Encoder, settings) -> None:
        settings.ENCODER_PRECISION = "bfloat16"
        with pytest.raises(InvalidInput, match="keeps that form"):
            encoder_runtime_prepare(encoder=eight_bit_row)

    def test_the_setting_decides_for_new_rows_only(self, row: Encoder, settings) -> None:
        settings.ENCODER_PRECISION = "int8"
        assert encoder_form(row) is Form.INT8
        row.runtime = {"form": "full"}
        assert encoder_form(row) is Form.FULL

    @pytest.fixture
    def archive(self, row: Encoder, collection, media_folder: Path) -> int:
        """READY scenes whose overviews are pictures."""
        count = 60
        for number, picture in enumerate(known.pictures(count)):
            scene = make_scene(collection, title=f"scene {number}", encoder=row)
            path = media_folder / f"{number}.webp"
            picture.save(path)
            Asset.objects.update_or_create(
                scene=scene,
                key="overview",
                defaults={
                    "role": Asset.Role.OVERVIEW,
                    "path": path.name,
                    "filename": path.name,
                    "media_type": "image/webp",
                    "size": path.stat().st_size,
                    "sha256": "0" * 64,
                },
            )
        return count


def test_the_fastest_of_those_that_agree_is_chosen() -> None:
    def way(precision: Precision, speed: float, problem: str = "") -> tuning.Candidate:
        runtime = Runtime.TORCH if precision is Precision.FLOAT32 else Runtime.OPENVINO
        plan = Plan(runtime=runtime, precision=precision, checksum="0" * 64, folder=Path("/nowhere"))
        return tuning.Candidate(plan, images_per_second=speed, texts_per_second=speed, problem=problem)

    exact, near = way(Precision.FLOAT32, 10.0), way(Precision.BFLOAT16, 10.2)
    assert tuning._fastest([near, exact]) is exact, "equally fast: the more exact one"
    much_faster = way(Precision.BFLOAT16, 25.0)
    assert tuning._fastest([exact, much_faster]) is much_faster
    assert tuning._fastest([]) is None


@pytest.mark.parametrize(
    ("mean", "least", "asked", "fine"),
    [(0.99995, 0.9995, False, True), (0.9998, 0.9995, False, False), (0.9998, 0.9995, True, True),
     (0.99995, 0.99, False, False), (0.99, 0.99, True, False), (-1.0, -1.0, True, False)],
)  # fmt: skip
def test_agreement_decides_what_may_be_chosen(mean: float, least: float, asked: bool, fine: bool) -> None:
    plan = Plan(Runtime.OPENVINO, Precision.BFLOAT16, checksum="0" * 64, folder=Path("/nowhere"))
    candidate = tuning.Candidate(plan, image=Agreement(mean, least), text=Agreement(1.0, 1.0))
    problem = tuning._disagreement(candidate, asked=asked)
    assert bool(problem) is not fine, problem


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({"RSPORTAL_ENCODER_RUNTIME": "onnx"}, "RSPORTAL_ENCODER_RUNTIME"),
        ({"RSPORTAL_ENCODER_PRECISION": "int4"}, "RSPORTAL_ENCODER_PRECISION"),
        ({"RSPORTAL_ENCODER_THREADS": "-1"}, "RSPORTAL_ENCODER_THREADS"),
        ({"RSPORTAL_ENCODER_IDLE_MINUTES": "soon"}, "RSPORTAL_ENCODER_IDLE_MINUTES"),
        ({"RSPORTAL_ENCODER_RUNTIME": "torch", "RSPORTAL_ENCODER_PRECISION": "int8"}, "needs OpenVINO"),
        ({"RSPORTAL_ENCODER_RUNTIME": "openvino", "RSPORTAL_ENCODER_DEVICE": "cuda"}, "RSPORTAL_ENCODER_DEVICE"),
    ],
)
def test_settings_refuse_nonsense_in_a_sentence(variables: dict[str, str], word: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from django.conf import settings; settings.DEBUG"],
        cwd=django_settings.BASE_DIR,
        env={**os.environ, **variables, "DJANGO_SETTINGS_MODULE": "rsportal.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert word in done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("command", [["check"], ["migrate", "--plan"], ["encoder", "list"]])
def test_commands_that_encode_nothing_load_no_model_library(command: list[str]) -> None:
    program = (
        "import sys\n"
        "from django.core.management import execute_from_command_line\n"
        f"execute_from_command_line(['manage.py', *{command!r}])\n"
        "heavy = {'torch', 'transformers', 'openvino'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=django_settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "rsportal.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "loaded" not in done.stderr, done.stderr
    if command != ["encoder", "list"]:  # That one needs tables, which the database behind the tests may not have.
        assert done.returncode == 0, done.stderr


def test_the_reference_is_torch_in_float32() -> None:
    assert (REFERENCE.runtime, REFERENCE.precision, REFERENCE.device) == (Runtime.TORCH, Precision.FLOAT32, "cpu")
