"""An encoder whose vectors changed is refused before anything is searched or stored with it. Real checkpoints."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from safetensors.numpy import load_file, save_file

from imagery.checks import encoder_files
from imagery.encoders import registry, selftest
from imagery.models import Embedding, Encoder, IngestJob
from imagery.services.encoders import encoder_activate, encoder_instance, encoder_register
from imagery.services.fill import encoder_fill
from imagery.services.fill_run import fill_prepare
from imagery.services.ingest import SourceFile, ingest_job_run, source_ingest
from imagery.services.selftest import CHANGED, encoder_probe_record, encoder_ready, encoder_selftest, last_checks
from rsportal.errors import Unavailable
from rsportal.readiness import readiness_problems
from search.encode_query import query_encode, query_vectors_forget
from search.models import QueryVector
from tests.factories import make_collection, make_user, picture

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint of this test's own, to be damaged."""
    return shutil.copytree(checkpoint, tmp_path / "model")


@pytest.fixture
def encoder(folder: Path) -> Encoder:
    registry.forget()
    query_vectors_forget()
    return encoder_activate(
        encoder=encoder_register(name="own", kind=Encoder.Kind.TRANSFORMERS, source=str(folder)), partial=True
    )


def change_tensor(folder: Path, name: str) -> None:
    """As if the file had been replaced: one tensor of the weights is another."""
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    tensors[name] = tensors[name][::-1].copy()
    save_file(tensors, weights, metadata={"format": "pt"})


def change_pixels(folder: Path) -> None:
    """As if a library had changed its way of preparing pictures."""
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"resample": 0}))


def restart() -> None:
    """What a new process begins with: no model, no vector in memory."""
    registry.forget()
    query_vectors_forget()


def test_the_first_load_records_and_the_next_ones_compare(encoder: Encoder) -> None:
    encoder_ready(encoder=encoder, text=True)
    probe = Encoder.objects.get(pk=encoder.pk).probe
    assert set(probe) == {"text", "checks"}
    assert probe["checks"]["text"]["recorded"]
    restart()
    model = encoder_ready(encoder=encoder, text=True)
    again = Encoder.objects.get(pk=encoder.pk).probe
    assert again["text"] == probe["text"]
    assert again["checks"]["text"]["ok"]
    assert not again["checks"]["text"]["recorded"]
    assert again["checks"]["text"]["distance"] < 1e-6
    assert model.loads == {"image": 0, "text": 1}, "a web process loads no image tower"


def test_changed_files_are_refused_before_anything_is_recorded(encoder: Encoder, folder: Path) -> None:
    """An encoder of an earlier release has no known vectors yet, but its files' checksum."""
    Encoder.objects.filter(pk=encoder.pk).update(probe={})
    change_tensor(folder, "text_model.head.weight")
    restart()
    with pytest.raises(Unavailable, match="have changed since it was registered") as refused:
        encoder_ready(encoder=encoder, text=True)
    assert refused.value.code == CHANGED
    assert "text" not in Encoder.objects.get(pk=encoder.pk).probe
    assert readiness_problems()


def test_checked_once_a_process_and_again_after_an_unload(encoder: Encoder, django_assert_num_queries) -> None:
    model = encoder_ready(encoder=encoder, image=True)
    with django_assert_num_queries(0):
        encoder_ready(encoder=encoder, image=True)
    told = last_checks(Encoder.objects.get(pk=encoder.pk))["image"]
    assert model.unload(image=True, text=False)
    encoder_ready(encoder=encoder, image=True)
    assert last_checks(Encoder.objects.get(pk=encoder.pk))["image"] != told


def test_both_halves_at_once(encoder: Encoder) -> None:
    probe = encoder_probe_record(encoder=encoder).probe
    assert set(probe) == {"text", "image", "checks"}
    assert encoder_instance(encoder).loads == {"image": 1, "text": 1}
    restart()
    assert encoder_probe_record(encoder=encoder).probe == probe
    assert encoder_instance(encoder).loads == {"image": 0, "text": 0}, "what is known is not computed again"


def test_a_fill_records_both_before_it_stores_anything(encoder: Encoder, checkpoint: Path) -> None:
    beside = encoder_register(name="beside", kind=Encoder.Kind.TRANSFORMERS, source=str(checkpoint))
    assert fill_prepare(encoder_fill(encoder=beside))
    assert set(Encoder.objects.get(pk=beside.pk).probe) == {"text", "image", "checks"}


def test_searches_are_refused_with_a_sentence(encoder: Encoder, folder: Path, client) -> None:
    query_encode(text="a river runs through trees", encoder=encoder)
    change_tensor(folder, "text_model.head.weight")
    restart()
    with pytest.raises(Unavailable, match="gives other vectors for texts") as caught:
        query_encode(text="a harbour is near the sea", encoder=encoder)
    assert caught.value.code == CHANGED
    assert "under a new name" in caught.value.message
    assert QueryVector.objects.count() == 1
    client.force_login(make_user())
    response = client.get("/", {"q": "a harbour is near the sea"})
    assert response.status_code == 503
    assert "gives other vectors" in response.content.decode()
    assert "gives other vectors" in readiness_problems()["encoder"]
    assert [message.id for message in encoder_files(databases=["default"])] == ["imagery.W002"]


def test_ingest_waits_with_the_reason_and_stores_nothing(encoder: Encoder, folder: Path, tmp_path: Path) -> None:
    encoder_ready(encoder=encoder, image=True)
    change_pixels(folder)
    restart()
    file = tmp_path / "a.png"
    file.write_bytes(picture(1, size=200))
    owner = make_user()
    job = source_ingest(
        files=[SourceFile(path=file, filename=file.name)], collection=make_collection(owner=owner), user=owner
    )
    with pytest.raises(Unavailable, match="gives other vectors for pictures"):
        ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (IngestJob.State.QUEUED, 0)
    assert "gives other vectors for pictures" in job.reason
    assert not Embedding.objects.filter(encoder=encoder).exists()

    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"resample": 3}))
    restart()
    ingest_job_run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == IngestJob.State.READY
    assert "encoder" not in readiness_problems()


def test_a_check_by_hand_looks_at_files_and_both_towers(encoder: Encoder, folder: Path) -> None:
    first = encoder_selftest(encoder=encoder)
    assert [(check.tower, check.ok) for check in first] == [("files", True), ("text", True), ("image", True)]
    assert [check.recorded for check in first] == [False, True, True]
    change_tensor(folder, "vision_model.embeddings.patch_embedding.weight")
    restart()
    second = encoder_selftest(encoder=encoder)
    assert [(check.tower, check.ok) for check in second] == [("files", False), ("text", True), ("image", False)]
    assert second[2].distance > second[2].tolerance
    assert all(check.reason for check in second if not check.ok)


def test_the_administration_and_the_command_tell(encoder: Encoder, folder: Path, client) -> None:
    client.force_login(make_user(superuser=True))
    address = f"/admin/imagery/encoder/{encoder.pk}/change/"
    assert "not tested yet" in client.get(address).content.decode()
    call_command("encoder", "check", "own")
    assert "texts: as before" in client.get(address).content.decode()
    change_tensor(folder, "text_model.head.weight")
    restart()
    with pytest.raises(CommandError, match="does not give the vectors"):
        call_command("encoder", "check", "own")
    assert "gives other vectors for texts" in client.get(address).content.decode()


def test_prompts_are_set_by_command(encoder: Encoder, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("encoder", "prompts", "own", "a photo of {}")
    assert Encoder.objects.get(pk=encoder.pk).prompts == ["a photo of {}"]
    call_command("encoder", "prompts", "own", "--none")
    assert Encoder.objects.get(pk=encoder.pk).prompts == []
    assert "No prompts." in capsys.readouterr().out


def test_the_reason_names_what_changed(encoder: Encoder, folder: Path) -> None:
    encoder_ready(encoder=encoder, text=True)
    row = Encoder.objects.get(pk=encoder.pk)
    row.probe["text"]["made"]["transformers"] = "4.0.0"
    row.save(update_fields=["probe"])
    change_tensor(folder, "text_model.head.weight")
    restart()
    with pytest.raises(Unavailable, match=r"transformers 4\.0\.0 -> "):
        encoder_ready(encoder=encoder, text=True)


def test_a_coarser_precision_is_allowed_more_but_not_everything(encoder: Encoder) -> None:
    model = encoder_instance(encoder)
    half = selftest.known(model, "text")
    rows = selftest.vectors(model, "text")
    assert selftest.distance(half, rows) < 1e-6
    random = np.random.default_rng(0)
    noise = random.normal(scale=rows.shape[1] ** -0.5, size=rows.shape).astype(np.float32)
    shaken = rows + 0.03 * noise
    moved = selftest.distance(half, shaken / np.linalg.norm(shaken, axis=1, keepdims=True))
    assert selftest.tolerance("float32") < moved <= selftest.tolerance("float32", "bfloat16")
    assert selftest.distance(half, rows[:1]) == selftest.distance(half, rows[:, :3]) == 2.0
    assert selftest.distance(half, np.full_like(rows, np.nan)) == 2.0


def test_no_check_loads_torch(encoder: Encoder) -> None:
    """System checks and readiness read what was found last; they compute nothing."""
    call_command("check")
    assert encoder_instance(encoder).loads == {"image": 0, "text": 0}
