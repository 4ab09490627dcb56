"""A row means the same files for good: the commit of a hub id, the checksum of its files, and no network."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import huggingface_hub.constants
import pytest

from imagery.encoders import registry
from imagery.models import Encoder
from imagery.services.encoders import encoder_activate, encoder_instance, encoder_register, encoder_spec
from imagery.services.selftest import encoder_ready
from rsportal.errors import InvalidInput, Unavailable
from tests.checkpoints import clip_checkpoint

pytestmark = pytest.mark.django_db

REPO = "someone/tiny"
OLD, NEW = "a" * 40, "b" * 40


@pytest.fixture
def place(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The local cache of the hub's library with one repository, whose branch means the older of two commits."""
    folder = tmp_path / f"models--{REPO.replace('/', '--')}"
    shutil.copytree(checkpoint, folder / "snapshots" / OLD)
    clip_checkpoint(folder / "snapshots" / NEW)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(OLD)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    registry.forget()
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach a host fails the test (the database is not reached through Python's sockets)."""

    def refuse(*arguments: object, **_named: object) -> None:
        raise AssertionError(f"a connection was attempted: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def register(revision: str = "", source: str = REPO) -> Encoder:
    return encoder_register(name="pinned", kind=Encoder.Kind.TRANSFORMERS, source=source, revision=revision)


@pytest.mark.parametrize("revision", ["", "main", OLD])
def test_the_commit_is_kept_and_used_when_the_branch_moves(place: Path, revision: str) -> None:
    encoder = register(revision)
    assert (encoder.revision, encoder.resolved_revision) == (revision, OLD)
    (place / "refs" / "main").write_text(NEW)
    again = Encoder.objects.get(pk=encoder.pk)
    assert encoder_spec(again).revision == OLD
    assert encoder_activate(encoder=again, partial=True).state == Encoder.State.ACTIVE
    assert encoder_ready(encoder=again, text=True).encode_texts(["a river"]).shape == (1, 32)


def test_a_revision_that_is_not_in_the_cache_is_refused(place: Path) -> None:
    with pytest.raises(InvalidInput, match="RSPORTAL_HF_OFFLINE=0") as caught:
        register("v2")
    assert caught.value.field == "source"
    assert not Encoder.objects.filter(name="pinned").exists()


def test_changed_files_are_refused_with_what_to_do(place: Path) -> None:
    encoder = register()
    (place / "snapshots" / OLD / "tokenizer_config.json").write_text("{}")
    with pytest.raises(Unavailable, match="put the old files back") as caught:
        encoder_activate(encoder=encoder, partial=True)
    assert caught.value.code == "encoder_mismatch"


def test_files_that_went_are_told(place: Path) -> None:
    encoder = register()
    shutil.rmtree(place)
    registry.forget()
    with pytest.raises(Unavailable, match="not in the local cache"):
        encoder_instance(encoder)


def test_a_folder_has_no_revision(checkpoint: Path) -> None:
    encoder = register(source=str(checkpoint))
    assert encoder.resolved_revision == ""
    assert encoder_ready(encoder=encoder, text=True).dimension == 32


@pytest.mark.parametrize(("setting", "offline"), [(None, "1"), ("1", "1"), ("0", "")])
def test_the_portal_is_offline_unless_it_is_told_otherwise(setting: str | None, offline: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "RSPORTAL_HF"))}
    if setting is not None:
        environment["RSPORTAL_HF_OFFLINE"] = setting
    code = "import os, rsportal.settings; print(os.environ.get('HF_HUB_OFFLINE', ''))"
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == offline
