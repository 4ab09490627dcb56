"""``manage.py ingest``."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from imagery.models import Collection, IngestJob, Scene, Tile
from imagery.models.collection import Visibility
from imagery.services.cost import encoder_cost
from imagery.services.encode import embeddings_store
from imagery.services.partitions import partition_name
from tests import images
from tests.factories import make_encoder, make_scene, make_user


def run(*arguments, fails=False):
    out, err = StringIO(), StringIO()
    if fails:
        with pytest.raises(CommandError) as failure:
            call_command("ingest", *map(str, arguments), stdout=out, stderr=err)
        return out.getvalue(), str(failure.value)
    call_command("ingest", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "archive"
    for n in range(3):
        images.draw(root / f"{n}.png", seed=n)
    images.draw(root / "below" / "deep.jpg", seed=9)
    (root / "notes.txt").write_text("not an image")
    (root / ".hidden.png").write_bytes(b"")
    return root


@pytest.mark.django_db(transaction=True)
def test_a_folder_becomes_ready_here_and_is_known_the_second_time(folder, collection, encoder):
    report = json.loads(run(folder, "--collection", "archive", "--run-here", "--json")[0])
    assert {key: report[key] for key in ("collection", "ready", "duplicate", "failed")} == {
        "collection": "archive", "ready": 3, "duplicate": 0, "failed": 0
    }  # fmt: skip
    job = report["jobs"][0]
    assert set(job) == {"source", "state", "reason", "scene"}
    assert job["source"] == str(folder / "0.png") and job["state"] == "ready"
    assert Scene.objects.filter(pk=job["scene"], status="ready").exists()
    assert not Scene.objects.filter(assets__role="data", assets__managed=True).exists()
    again = json.loads(run(folder, "--collection", "archive", "--run-here", "--json", "--recursive")[0])
    assert (again["ready"], again["duplicate"]) == (1, 3)
    assert Scene.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_one_bad_file_fails_the_command_and_no_other_file(folder, collection, encoder):
    images.cut(folder / "1.png")
    out, error = run(folder, "--collection", "archive", "--run-here", fails=True)
    assert "2  ready" in out and "1  failed" in out and "1.png is damaged" in out
    assert error == "1 of 3 could not be taken in."


@pytest.mark.django_db
def test_no_wait_leaves_the_jobs_in_the_queue(folder, collection):
    out, _ = run(folder, "--collection", "archive", "--no-wait", "--copy")
    assert "3  waiting for a worker" in out
    assert IngestJob.objects.filter(state="queued").count() == 3
    assert Scene.objects.filter(assets__managed=True).count() == 3


@pytest.mark.django_db
def test_a_dry_run_writes_nothing(folder, collection, media_folder):
    images.cut(folder / "1.png")
    images.geotiff(folder / "big.tif", images.deep_ramp(width=800, height=800))
    out, _ = run(folder, "--collection", "unheard-of", "--dry-run", "--recursive")
    assert "GeoTIFF" in out and "1.png is damaged" in out and "1 refused" in out and "Nothing was written" in out
    report = json.loads(run(folder, "--collection", "unheard-of", "--dry-run", "--json")[0])
    assert (report["scenes"], report["refused"]) == (3, 1)
    assert report["tiles"] == sum(source["tiles"] for source in report["sources"]) > 20
    assert not IngestJob.objects.exists() and not Collection.objects.filter(slug="unheard-of").exists()
    assert list(media_folder.iterdir()) == []


@pytest.mark.django_db
def test_band_files_join(tmp_path, collection):
    for n, band in enumerate(("B02", "B03", "B04", "B08")):
        images.geotiff(tmp_path / "p" / f"S2_{band}.tif", images.deep_ramp(bands=4)[n : n + 1])
    report = json.loads(run(tmp_path / "p", "--collection", "archive", "--no-wait", "--json")[0])
    assert len(report["jobs"]) == 1
    scene = Scene.objects.get()
    assert scene.title == "S2"
    assert set(scene.assets.values_list("key", flat=True)) == {"red", "green", "blue", "B08"}


@pytest.mark.django_db
def test_a_new_collection_is_private_and_somebodys(folder):
    _, error = run(folder, "--collection", "new-one", "--no-wait", fails=True)
    assert "--user" in error
    boss = make_user("boss", superuser=True)
    _, said = run(folder, "--collection", "new-one", "--no-wait")
    made = Collection.objects.get(slug="new-one")
    assert (made.owner, made.visibility) == (boss, Visibility.PRIVATE)
    assert "new-one" in said
    _, error = run(folder, "--collection", "other", "--no-create", "--no-wait", fails=True)
    assert "'other'" in error


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nowhere", "--collection", "archive"], "nowhere does not exist"),
        (["{empty}", "--collection", "archive"], "--recursive"),
        (["{folder}", "--collection", "archive", "--user", "ghost"], "ghost"),
        (["{folder}", "--collection", "archive", "--user", "stranger"], "may not add"),
        (["{folder}", "--collection", "Not A Slug", "--user", "stranger"], "slug"),
    ],
)
def test_mistakes_are_named(folder, tmp_path, collection, arguments, word):
    make_user("stranger")
    (tmp_path / "empty").mkdir()
    filled = [argument.format(folder=folder, empty=tmp_path / "empty") for argument in arguments]
    _, error = run(*filled, "--no-wait", fails=True)
    assert word.lower() in error.lower()


@pytest.mark.django_db
def test_a_named_file_that_is_no_image_is_refused_not_overlooked(folder, collection):
    out, _ = run(folder / "notes.txt", "--collection", "archive", "--no-wait", fails=True)
    assert "a text file" in out


@pytest.mark.django_db(transaction=True)
def test_without_a_worker_it_says_so_and_works_here(folder, collection, encoder, monkeypatch):
    monkeypatch.setattr("imagery.management.ingest_progress._PATIENCE_SECONDS", 0.1)
    out, said = run(folder, "--collection", "archive")
    assert "No worker is running" in said and "--run-here" in said
    assert "3  ready" in out


@pytest.mark.django_db(transaction=True)
def test_an_encoder_that_is_missing_ends_the_command_with_what_to_do(folder, collection):
    _, error = run(folder, "--collection", "archive", "--run-here", fails=True)
    assert "No encoder is active" in error
    assert IngestJob.objects.filter(state="queued").count() == 3


@pytest.mark.django_db
def test_a_dry_run_cuts_by_the_collections_rule_and_says_what_it_costs(tmp_path, collection, encoder):
    # UTM, 10 m: levels of 40, 20 and 10 m without a rule.
    images.geotiff(tmp_path / "large.tif", images.deep_ramp(width=2100, height=1900))
    arguments = (tmp_path / "large.tif", "--collection", "archive", "--dry-run")
    usual = json.loads(run(*arguments, "--json")[0])
    assert (usual["tiles"], usual["cut_short"]) == (usual["tiles_all"], 0)
    assert usual["sources"][0]["finest_window"] == 256 and usual["sources"][0]["gsd"] == 10
    Collection.objects.update(tile_gsd_min=20)
    coarser = json.loads(run(*arguments, "--json")[0])
    assert coarser["tiles"] == coarser["tiles_all"] < usual["tiles"]
    assert coarser["sources"][0]["finest_window"] == 512
    Collection.objects.update(tile_gsd_min=None, tile_most=50)
    few = json.loads(run(*arguments, "--json")[0])
    assert few["tiles"] <= 50 and few["tiles_all"] == usual["tiles"] and few["cut_short"] == 1
    # What the encoder needs, by the rate measured here; each vector and its tile take some room.
    assert few["encoder"] == encoder.name and few["encoder_per_second"] > 0
    assert few["encode_seconds"] <= few["encode_seconds_all"]
    assert few["bytes_of_vectors"] > few["tiles"] * encoder.dimension * 2
    assert 0 < few["bytes_of_pictures"] < 2048 * 2048
    out, _ = run(*arguments)
    assert f"down to full resolution: {usual['tiles']} tiles" in out
    assert "1 scene ends before full resolution" in out and "at most 50 windows" in out
    assert f"to encode with {encoder.name}" in out and "Nothing was written." in out


@pytest.mark.django_db(transaction=True)
def test_a_dry_run_counts_the_tiles_that_an_ingest_makes(tmp_path, collection, encoder):
    Collection.objects.update(tile_overlap=0.5, tile_gsd_min=20)
    images.geotiff(tmp_path / "large.tif", images.deep_ramp(width=2100, height=1900))
    planned = json.loads(run(tmp_path / "large.tif", "--collection", "archive", "--dry-run", "--json")[0])
    run(tmp_path / "large.tif", "--collection", "archive", "--run-here", "--json")
    assert Scene.objects.get().tiles.count() == planned["tiles"] > 20


@pytest.mark.django_db
def test_the_room_of_a_tile_is_about_what_is_told(collection):
    number, encoder = 2000, make_encoder(dimension=384, runtime={"image": {"per_second": 10}})
    scene = make_scene(collection, encoder=encoder, width=10**6, height=10**6)
    tables = ("imagery_tile", partition_name(encoder.pk))

    def room():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {' + '.join(f'pg_total_relation_size({name!r})' for name in tables)}")
            return cursor.fetchone()[0]

    before = room()
    tiles = Tile.objects.bulk_create(
        Tile(scene=scene, level=3, x=n * 256, y=0, width=256, height=256) for n in range(number)
    )
    embeddings_store(
        encoder=encoder,
        tile_ids=[tile.pk for tile in tiles],
        vectors=np.eye(1, 384, dtype=np.float32).repeat(number, axis=0),
    )
    each = (room() - before) / number
    assert encoder_cost(encoder).bytes_per_tile == pytest.approx(each, rel=0.25)
