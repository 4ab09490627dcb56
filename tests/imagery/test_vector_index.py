"""The index over an encoder's vectors: built, found broken, rebuilt, dropped, by the command and by the worker."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from io import StringIO

import numpy as np
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse

from imagery.admin.encoder_index import index_words
from imagery.models import Embedding, Encoder, Scene, Tile
from imagery.services import vector_index_build as building
from imagery.services.fill import encoder_fill
from imagery.services.partitions import partition_name
from imagery.services.switch import encoder_retire
from imagery.services.vector_index import (
    IndexState,
    index_name,
    vector_index_progress,
    vector_index_ready,
    vector_indexes,
)
from imagery.services.vector_index_build import vector_index_build, vector_index_drop
from imagery.services.vector_index_memory import build_memory_mb, graph_mb
from imagery.services.vector_index_upkeep import vector_index_wanted, vector_indexes_ensure
from imagery.services.vector_index_warm import vectors_warm
from rsportal.errors import Conflict, InvalidInput, Unavailable
from tests import factories
from tests.processes import PROJECT, child_environment, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def fill(encoder: Encoder, tiles: int) -> None:
    """Give the encoder so many vectors."""
    scene = factories.make_scene(encoder=encoder)
    made = Tile.objects.bulk_create(Tile(scene=scene, level=1, x=n, y=0, width=1, height=1) for n in range(1, tiles))
    rng = np.random.default_rng(1)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {partition_name(encoder.pk)} (encoder_id, tile_id, vector) FROM STDIN") as copy,
    ):
        for tile in made:
            copy.write_row((encoder.pk, tile.pk, str(rng.normal(size=encoder.dimension).round(4).tolist())))


def breaks(encoder: Encoder, kind: str = "hnsw") -> None:
    """Leave what a build leaves that is broken off: an index that is not valid."""
    vector_index_build(encoder=encoder, kind=kind)
    entry = connection.settings_dict
    place = {"host": entry["HOST"], "port": entry["PORT"], "dbname": entry["NAME"]}
    with psycopg.connect(**place, user="postgres", autocommit=True) as admin:
        name = index_name(encoder.pk, kind)
        admin.execute(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass")


def states(encoder: Encoder) -> dict[str, str]:
    return {index.kind: index.state.value for index in vector_indexes(encoder.pk)}


@pytest.fixture
def encoder():
    made = factories.make_encoder("clip", dimension=64)
    fill(made, 300)
    return made


@pytest.mark.parametrize("in_place", [False, True])
def test_built_once_and_dropped(encoder, in_place):
    built = vector_index_build(encoder=encoder, in_place=in_place)
    assert (built.kind, built.state) == ("hnsw", IndexState.READY)
    assert built.bytes > 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_filenode(%s)", [built.name])
        first = cursor.fetchone()
        assert vector_index_build(encoder=encoder, in_place=in_place) == built
        cursor.execute("SELECT pg_relation_filenode(%s)", [built.name])
        assert cursor.fetchone() == first, "a good index is left alone"
        cursor.execute("SELECT setting = reset_val FROM pg_settings WHERE name = 'maintenance_work_mem'")
        assert cursor.fetchone() == (True,), "memory for a build is for the build"
    assert vector_index_drop(encoder=encoder, in_place=in_place) == 1
    assert vector_index_ready(encoder.pk) is None
    encoder.refresh_from_db()
    assert encoder.index_kind == Encoder.Index.NONE
    assert not vector_index_wanted(encoder)


def test_another_kind_replaces_the_first_and_is_kept(encoder):
    vector_index_build(encoder=encoder)
    assert vector_index_build(encoder=encoder, kind="binary").kind == "binary"
    assert states(encoder) == {"binary": "ready"}
    encoder.refresh_from_db()
    assert encoder.index_kind == "binary"


def test_one_that_was_broken_off_is_told_and_built_again(encoder):
    breaks(encoder)
    assert states(encoder) == {"hnsw": "broken"}
    assert vector_index_ready(encoder.pk) is None
    assert "broken off" in index_words(encoder)[0]
    assert vector_index_build(encoder=encoder).state == IndexState.READY


def test_the_worker_builds_what_has_outgrown_comparing(encoder, settings):
    settings.VECTOR_INDEX_ROWS = 301
    assert vector_indexes_ensure() == []
    settings.VECTOR_INDEX_ROWS = 300
    assert vector_indexes_ensure() == ["clip"]
    assert states(encoder) == {"hnsw": "ready"}
    assert vector_indexes_ensure() == []


def test_the_worker_rebuilds_or_clears_away_what_was_broken_off(encoder, settings):
    breaks(encoder)
    settings.VECTOR_INDEX_ROWS = 600
    assert vector_indexes_ensure() == ["clip"]
    assert states(encoder) == {"hnsw": "ready"}
    breaks(encoder)
    settings.VECTOR_INDEX_ROWS = 20_000
    assert vector_indexes_ensure() == ["clip"]
    assert states(encoder) == {}
    encoder.refresh_from_db()
    assert encoder.index_kind == "hnsw", "that it was cleared away is no wish for none"


def test_an_encoder_that_is_being_filled_gets_its_index_when_it_is_full(encoder, settings):
    settings.VECTOR_INDEX_ROWS = 10
    Encoder.objects.update(state=Encoder.State.FILLING)
    assert vector_indexes_ensure() == []
    Encoder.objects.update(state=Encoder.State.READY)
    assert vector_indexes_ensure() == ["clip"]


def test_retiring_takes_the_index_along(encoder):
    vector_index_build(encoder=encoder)
    Encoder.objects.update(state=Encoder.State.READY)
    encoder_retire(encoder=encoder)
    assert vector_indexes(encoder.pk) == []
    with pytest.raises(Conflict, match="no vectors"):
        vector_index_build(encoder=encoder)


def test_two_processes_never_build_the_same(encoder):
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [building._BUILDING, encoder.pk])
        with pytest.raises(Conflict, match="just being built"):
            vector_index_build(encoder=encoder)
        with pytest.raises(Conflict, match="just being built"):
            vector_index_drop(encoder=encoder)
    finally:
        other.close()


def test_vectors_that_are_too_long_for_a_kind(encoder):
    Encoder.objects.update(dimension=4_001)
    encoder.refresh_from_db()
    with pytest.raises(InvalidInput, match="4000 numbers"):
        vector_index_build(encoder=encoder)
    assert not vector_index_wanted(encoder)


def test_no_kind_is_wanted(encoder):
    vector_index_drop(encoder=encoder)
    with pytest.raises(InvalidInput, match="hnsw, binary"):
        vector_index_build(encoder=encoder)


def test_a_database_that_gives_up_is_named(encoder):
    blocker = connection.copy()
    try:
        with blocker.cursor() as other, connection.cursor() as cursor:
            blocker.set_autocommit(False)
            other.execute(f"LOCK TABLE {partition_name(encoder.pk)} IN EXCLUSIVE MODE")
            cursor.execute("SET lock_timeout = '20ms'")
            try:
                with pytest.raises(Unavailable, match=r"could not build the index of encoder clip: .*lock timeout"):
                    vector_index_build(encoder=encoder)
            finally:
                cursor.execute("RESET lock_timeout")
    finally:
        blocker.rollback()
        blocker.close()
    assert vector_index_build(encoder=encoder).state == IndexState.READY


def test_memory_follows_the_graph_within_its_bound(settings):
    assert 2_500 < graph_mb(kind="hnsw", rows=1_000_000, dimension=1_024) < 3_600
    assert graph_mb(kind="binary", rows=1_000_000, dimension=1_024) < 1_200
    settings.INDEX_MEMORY_MB = 500
    assert build_memory_mb(kind="hnsw", rows=1_000_000, dimension=1_024) == 500
    assert build_memory_mb(kind="hnsw", rows=10, dimension=1_024) == 64


def test_read_into_memory_after_a_start(encoder):
    vector_index_build(encoder=encoder)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (pg_relation_size(%s) + pg_relation_size(%s)) / 8192",
            [index_name(encoder.pk, "hnsw"), partition_name(encoder.pk)],
        )
        assert vectors_warm() == cursor.fetchone()[0]


def test_a_database_without_the_extension_says_so_and_goes_on(encoder, monkeypatch, caplog):
    monkeypatch.setattr("imagery.services.vector_index_warm._EXTENSION", "no_such_extension")
    with caplog.at_level("INFO"):
        assert vectors_warm() == 0
    assert "CREATE EXTENSION" in caplog.text


def test_the_command(encoder):
    def say(*arguments: str) -> str:
        out = StringIO()
        call_command("vector_index", *arguments, stdout=out)
        return out.getvalue()

    assert "no index: every vector is compared" in say("status")
    assert "hnsw index in use" in say("build")
    facts = json.loads(say("status", "--json", "--encoder", "clip"))
    assert facts["encoder"] == "clip"
    assert (facts["vectors"], facts["wanted"], facts["building"]) == (300, "hnsw", None)
    assert [(index["kind"], index["state"]) for index in facts["indexes"]] == [("hnsw", "ready")]
    assert "binary index in use" in say("build", "--kind", "binary", "--in-place")
    assert "its index is dropped" in say("drop", "--encoder", "clip")
    assert "it had no index" in say("drop")
    with pytest.raises(CommandError, match="nowhere"):
        say("build", "--encoder", "nowhere")


def test_the_encoder_s_page_shows_it(encoder, client):
    vector_index_build(encoder=encoder)
    client.force_login(factories.make_user(superuser=True))
    page = client.get(reverse("admin:imagery_encoder_change", args=[encoder.pk])).content.decode()
    assert "graph of the vectors (HNSW), in use" in page


@pytest.mark.parametrize("victim", ["the command", "its database session"])
def test_killed_in_the_middle_of_a_build(encoder, tmp_path, victim):
    """The database finishes what a killed command began; if its session is killed, the rest is found and built anew."""
    command = [sys.executable, "manage.py", "vector_index", "build"]
    blocker = connection.copy()
    try:
        with blocker.cursor() as cursor:
            blocker.set_autocommit(False)
            # An upload that is not committed yet: a build comes so far and waits for it.
            cursor.execute(f"LOCK TABLE {partition_name(encoder.pk)} IN ROW EXCLUSIVE MODE")
        process = subprocess.Popen(
            command, cwd=PROJECT, env=child_environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_for(lambda: states(encoder).get("hnsw") == "building", seconds=60, what="the build to be under way")
            progress = vector_index_progress(encoder.pk)
            assert progress is not None and "waiting" in progress.phase
            assert "being built" in index_words(encoder)[0]
            with pytest.raises(Conflict):
                vector_index_build(encoder=encoder)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pid FROM pg_stat_progress_create_index WHERE datname = current_database()")
                (backend,) = cursor.fetchone()
                if victim == "the command":
                    os.kill(process.pid, signal.SIGKILL)
                else:
                    cursor.execute("SELECT pg_terminate_backend(%s)", [backend])
            process.wait(timeout=60)
        finally:
            process.kill()
            process.wait()
    finally:
        blocker.rollback()
        blocker.close()
    after = "ready" if victim == "the command" else "broken"
    wait_for(lambda: states(encoder).get("hnsw") == after, seconds=60, what=f"the index to be {after}")

    def built():
        with suppress(Conflict):  # The session of a killed command holds its lock until it has ended.
            return vector_index_build(encoder=encoder).state == IndexState.READY

    wait_for(built, seconds=60, what="the index to be built")


def test_uploads_go_on_beside_a_build(encoder):
    """A row written while the index is built, and one written afterwards, are found through it."""
    vector_index_build(encoder=encoder)
    scene = factories.make_scene(encoder=encoder, vector=np.eye(64)[5])
    assert Scene.objects.filter(pk=scene.pk).exists()
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off; SET enable_sort = off")
        try:
            cursor.execute(
                f"SELECT tile_id FROM {partition_name(encoder.pk)} "
                "ORDER BY vector::halfvec(64) <=> %s::halfvec(64) LIMIT 1",
                [str(np.eye(64)[5].tolist())],
            )
            assert cursor.fetchone()[0] == scene.tiles.get(level=0).pk
        finally:
            cursor.execute("RESET enable_seqscan; RESET enable_sort")


def test_a_fill_that_ends_asks_for_the_index(encoder):
    from django.utils import timezone
    from django_q.models import Schedule

    from imagery.schedules import schedules_ensure
    from imagery.services.fill import fill_plan

    schedules_ensure()
    later = timezone.now() + timedelta(hours=1)
    rows = Schedule.objects.filter(func="imagery.tasks.vector_indexes")
    rows.update(next_run=later)
    other = factories.make_encoder("other", active=False)
    Embedding.objects.bulk_create(
        Embedding(encoder=other, tile=tile, vector=factories.axis(0)) for tile in Tile.objects.all()
    )
    fill_row = encoder_fill(encoder=other)
    fill_plan(fill_row.pk)
    assert rows.get().next_run < later
