"""The system checks fire when they should."""

import copy
import os

import pytest
from django.db import connection

from rsportal import checks
from rsportal.env import Env
from rsportal.errors import Unavailable
from rsportal.pgvector_version import pgvector_check, version_numbers
from rsportal.queue_settings import lease_seconds_needed, q_cluster


def ids(messages) -> list[str]:
    assert all(message.hint or message.id == "rsportal.E006" for message in messages)
    return [message.id for message in messages]


def test_shipped_settings_pass():
    assert checks.queue_lease() == []
    assert checks.no_connection_pool() == []
    assert checks.folders_writable() == []


@pytest.mark.parametrize("workers", ["1", "2", "7"])
@pytest.mark.parametrize("timeout", ["60", "3600", "86400"])
def test_every_configurable_queue_obeys_the_lease_rule(settings, workers, timeout):
    values = {"RSPORTAL_WORKERS": workers, "RSPORTAL_ENCODE_WORKERS": workers}
    settings.Q_CLUSTER = q_cluster(
        Env({**values, "RSPORTAL_TASK_TIMEOUT": timeout, "RSPORTAL_ENCODE_TIMEOUT": timeout})
    )
    assert checks.queue_lease() == []


def test_lease_rule_by_hand():
    # One worker, one task waiting inside, one in the pusher's hand: three runs of 10 + 3 s, and the margin.
    assert lease_seconds_needed(workers=1, timeout=10, queue_limit=1, bulk=1) == 3 * 13 + 60
    # Two workers take the two others at the same time.
    assert lease_seconds_needed(workers=2, timeout=10, queue_limit=1, bulk=1) == 2 * 13 + 60


def test_wrong_queues_are_found(settings):
    wrong = copy.deepcopy(settings.Q_CLUSTER)
    wrong["retry"] = 3 * (wrong["timeout"] + 3)
    wrong["ack_failures"] = False
    wrong["ALT_CLUSTERS"]["encode"]["queue_limit"] = 4
    settings.Q_CLUSTER = wrong
    assert ids(checks.queue_lease()) == ["rsportal.E002", "rsportal.E003", "rsportal.E001"]


def test_pool_is_found(settings):
    entry = settings.DATABASES["default"]
    settings.DATABASES = {"default": {**entry, "OPTIONS": {"pool": True}}}
    assert ids(checks.no_connection_pool()) == ["rsportal.E004"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_closed_media_folder_is_found(settings, tmp_path):
    tmp_path.chmod(0o500)
    settings.MEDIA_ROOT = tmp_path / "media"
    assert ids(checks.folders_writable()) == ["rsportal.E005"]


def test_media_folder_below_a_file_is_found(settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.MEDIA_ROOT = tmp_path / "file" / "media"
    assert ids(checks.folders_writable()) == ["rsportal.E005"]


@pytest.mark.django_db
def test_extension_is_asked_for(monkeypatch):
    assert checks.vector_extension(databases=["default"]) == []
    assert checks.vector_extension(databases=None) == []
    monkeypatch.setattr("rsportal.pgvector_version.NEEDED", (99, 0, 0))
    assert ids(checks.vector_extension(databases=["default"])) == ["rsportal.E006"]


@pytest.mark.django_db
def test_missing_extension_is_named():
    with connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension WHERE extname = 'vector'")
        assert cursor.fetchone() == ("vector",)
    pgvector_check()
    with connection.execute_wrapper(_no_extensions), pytest.raises(Unavailable, match="CREATE EXTENSION vector"):
        pgvector_check()


def _no_extensions(execute, sql, params, many, context):
    """Let the query look for an extension that no database has."""
    return execute(sql.replace("'vector'", "'vector-that-is-not-there'"), params, many, context)


@pytest.mark.parametrize(("text", "numbers"), [("0.8.6", (0, 8, 6)), ("0.10.0", (0, 10, 0)), ("0.9.0-dev", (0, 9, 0))])
def test_version_numbers(text, numbers):
    assert version_numbers(text) == numbers


def test_version_order_is_numeric():
    assert version_numbers("0.10.0") > version_numbers("0.8.4")


def test_writable_climbs_to_the_next_folder_that_exists(tmp_path):
    assert checks._writable(tmp_path / "a" / "b" / "c")
