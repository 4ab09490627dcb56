"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest
from django.db import connection
from django.utils import translation


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The optional folder of real imagery (see docs/testing.md); the test skips without it."""
    folder = Path(os.environ.get("RSPORTAL_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("needs the folder of real test imagery (RSPORTAL_TEST_DATA), which is not on this machine")
    return folder


@pytest.fixture(autouse=True)
def source_language() -> None:
    """Every test begins in English: a request leaves the language it was answered in to its thread."""
    translation.deactivate()


@pytest.fixture(autouse=True)
def media_folder(settings, tmp_path: Path) -> Path:
    """Every test writes into a media folder of its own."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.MEDIA_ROOT.mkdir()
    return settings.MEDIA_ROOT


@pytest.fixture(autouse=True)
def reference_runtime(settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Encoders are run by torch in float32, and nothing is measured, unless a test asks for it."""
    settings.ENCODER_RUNTIME, settings.ENCODER_PRECISION, settings.ENCODER_DEVICE = "torch", "float32", "cpu"
    settings.ENCODER_DIR = tmp_path_factory.getbasetemp() / "encoders"


@pytest.fixture(autouse=True)
def unexplored(settings) -> None:
    """Rankings stay as they were computed unless a test asks for swaps: which are drawn is chance."""
    settings.SEARCH_EXPLORE = 0.0


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    """Drop the table of knox's own token model, which ours replaces.

    Django does not know the table any more, so it could not empty the accounts it refers to after a
    ``django_db(transaction=True)`` test.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS knox_authtoken")
