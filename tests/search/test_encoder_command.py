"""``manage.py encoder``: a whole change of model from the command line, and what is refused."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from imagery.models import Encoder
from imagery.selectors_encoders import encoder_rows, vectors_stored
from imagery.services.encoders import encoder_activate, encoder_register
from tests import factories
from tests.checkpoints import siglip_checkpoint

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def siglip(tmp_path_factory) -> Path:
    return siglip_checkpoint(tmp_path_factory.mktemp("siglip") / "model")


@pytest.fixture
def active(siglip) -> Encoder:
    return encoder_activate(encoder=encoder_register(name="tiny", kind="transformers", source=str(siglip)))


def call(*arguments: str) -> str:
    out = io.StringIO()
    call_command("encoder", *arguments, stdout=out)
    return out.getvalue()


def line_of(name: str) -> str:
    return next(line for line in call("list").splitlines() if line.startswith(name))


def test_a_change_of_model_by_commands(active, siglip):
    assert "tiny" in call("list")
    scenes = [factories.make_scene(files=True) for _ in range(3)]
    said = call("add", "other", "--source", str(siglip))
    assert "vectors of 32 numbers" in said and "encoder fill other" in said
    with pytest.raises(CommandError, match=r"no vectors of 3 scenes .*--partial"):
        call("activate", "other")
    assert "0 of 3 scenes" in call("fill", "other")
    assert "running: 0 of 3 scenes (0 %)" in call("list")
    assert "is paused" in call("pause", "other")
    assert "paused" in call("list")
    assert "running" in call("resume", "other")
    said = call("fill", "other", "--run-here")
    assert "done: 3 of 3 scenes (100 %)" in said
    assert "ready" in line_of("other") and "3 vectors" in line_of("other")
    said = call("activate", "other")
    assert "other is active" in said and "tiny is kept current" in said
    assert "tiny is active" in call("rollback")
    with pytest.raises(CommandError, match="--yes"):
        call("retire", "other")
    with pytest.raises(CommandError, match="is active"):
        call("retire", "tiny", "--yes")
    assert "given up" in call("cancel", "other")
    assert Encoder.objects.get(name="other").state == Encoder.State.NEW
    assert len(scenes) == 3


def test_partial_is_said_and_done(active, siglip):
    factories.make_scene(files=True)
    call("add", "other", "--source", str(siglip))
    said = call("activate", "other", "--partial")
    assert "1 scenes are not found until" in said


def test_failed_scenes_are_retried(active, siglip):
    factories.make_scene(files=False)
    call("add", "other", "--source", str(siglip))
    assert "1 could not be read" in call("fill", "other", "--run-here")
    assert "1 scenes are tried again" in call("fill", "other", "--retry")
    with pytest.raises(CommandError, match="No scene of encoder other has failed"):
        call("fill", "other", "--retry")


def test_what_is_wrong_is_said(active, tmp_path):
    for arguments, reason in (
        (("activate", "nothing"), "no encoder 'nothing'"),
        (("add", "bad", "--source", str(tmp_path)), r"no config\.json"),
        (("pause", "tiny"), "is not being filled"),
        (("resume", "tiny"), "is not being filled"),
        (("cancel", "tiny"), "is not being filled"),
        (("rollback",), "replaced no other"),
    ):
        with pytest.raises(CommandError, match=reason):
            call(*arguments)


def test_check_tells_changed_files(active, siglip, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in siglip.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    call("add", "copy", "--source", str(folder))
    assert "recorded" in call("check", "copy")
    assert "as before" in call("check", "copy")
    with (folder / "config.json").open("a") as stream:
        stream.write("\n")
    with pytest.raises(CommandError, match="does not give the vectors"):
        call("check", "copy")


def test_means_and_tune_on_request(active):
    assert "terms" in call("means", "tiny")
    active.refresh_from_db()
    assert active.means_at is not None and len(active.text_mean) == 32
    assert "tiny: torch float32" in call("tune", "tiny")
    assert "means of" in call("list") and "runs as" in call("list")


def test_the_list_for_programs(active):
    factories.make_scene()
    told = json.loads(call("list", "--json"))
    assert (told["name"], told["state"], told["vectors"], told["vectors_estimated"]) == ("tiny", "active", 1, False)
    assert told["fill"] is None and told["bytes"] > 0


def test_large_partitions_are_estimated_and_say_so(active, monkeypatch, django_assert_num_queries):
    """The estimate of a partition that was never analysed comes from its size alone."""
    for _ in range(30):
        factories.make_scene()
    monkeypatch.setattr("imagery.selectors_encoders._COUNTED_BYTES", -1)
    with django_assert_num_queries(2):
        (row,) = encoder_rows()
    assert (
        row.stored is not None and row.stored.estimated and 30 <= row.stored.vectors <= 30 + 60
    )  # one page of 8 KB holds about 60 rows
    assert "about" in call("list")
    retired = factories.make_encoder(active=False, state=Encoder.State.RETIRED)
    monkeypatch.undo()
    assert vectors_stored([retired])[retired.pk].vectors == 0
    assert vectors_stored([]) == {}
