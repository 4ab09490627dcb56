"""Fixtures of the catalogue's tests."""

from pathlib import Path

import pytest

from imagery.models import ArchiveFolder, Collection, Encoder
from imagery.services.archive_folders import archive_folder_register
from imagery.services.encoders import encoder_activate, encoder_register
from rsportal.accounts.models import User
from tests.checkpoints import siglip_checkpoint
from tests.factories import make_collection, make_user


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small real SigLIP checkpoint."""
    return siglip_checkpoint(tmp_path_factory.mktemp("checkpoint") / "siglip")


@pytest.fixture
def encoder(db, checkpoint: Path) -> Encoder:
    """The active encoder: a real one."""
    return encoder_activate(
        encoder=encoder_register(name="tiny", kind=Encoder.Kind.TRANSFORMERS, source=str(checkpoint))
    )


@pytest.fixture
def owner(db) -> User:
    """A person who owns a collection."""
    return make_user("owner")


@pytest.fixture
def collection(owner: User) -> Collection:
    """A private collection of ``owner``."""
    return make_collection("archive", owner=owner)


@pytest.fixture
def place(tmp_path: Path, settings) -> Path:
    """A folder of the operator's archive."""
    folder = tmp_path / "archive"
    folder.mkdir()
    settings.ARCHIVE_ROOTS = [str(tmp_path)]
    settings.VAR_DIR = tmp_path / "var"
    settings.ARCHIVE_SETTLE_SECONDS = 0
    return folder


@pytest.fixture
def folder(place, collection) -> ArchiveFolder:
    """It, registered."""
    return archive_folder_register(path=str(place), collection=collection, user=None)
