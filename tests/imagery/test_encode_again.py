"""Encoding a collection once more by another recipe: scenes stay findable, nothing of the old look stays behind."""

import numpy as np
import pytest

from imagery.jobs import jobs_claim
from imagery.models import Embedding, Encoder, IngestJob, Scene, Tile
from imagery.services.again import again_progress, collection_encode_again, collection_encode_again_cancel
from imagery.services.encode import jobs_encode
from imagery.services.encoders import encoder_register
from imagery.services.fill import encoder_fill
from imagery.services.fill_run import fills_drain
from imagery.services.ingest import SourceFile, ingest_jobs_drain, source_ingest
from imagery.services.selftest import encoder_ready
from imagery.storage import asset_path
from rsportal.errors import Conflict, NotAllowed
from tests import images
from tests.checkpoints import clip_checkpoint
from tests.factories import make_user

State = IngestJob.State
INFRARED = {"bands": ["4", "1", "2"], "stretch": "range", "range": [[0, 3500]]}


def add(path, collection, owner):
    job = source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=owner)
    ingest_jobs_drain()
    job.refresh_from_db()
    assert job.state == State.READY, job.reason
    assert job.scene is not None
    return job.scene


@pytest.fixture
def scene(collection, owner, encoder, tmp_path):
    """A READY scene of four deep bands, the fourth upside down."""
    array = images.deep_ramp(bands=4, width=600, height=500)
    array[3] = array[3, ::-1, ::-1]
    return add(images.geotiff(tmp_path / "four.tif", array), collection, owner)


def vectors(encoder):
    rows = Embedding.objects.filter(encoder=encoder).order_by("tile__level", "tile__y", "tile__x")
    return {tile: np.asarray(vector) for tile, vector in rows.values_list("tile_id", "vector")}


def progress_of(collection):
    progress = again_progress(collection)
    assert progress is not None
    return progress


def ruled(collection, **fields):
    for name, value in fields.items():
        setattr(collection, name, value)
    collection.save()


def test_another_recipe_takes_the_place_of_the_old_one_everywhere(collection, owner, encoder, scene, tmp_path):
    clip = encoder_register(name="clip", kind="transformers", source=str(clip_checkpoint(tmp_path / "clip")))
    encoder_fill(encoder=clip)
    fills_drain()
    clip.refresh_from_db()
    assert clip.state == Encoder.State.READY
    before, beside = vectors(encoder), vectors(clip)
    pictures = {asset.key: asset.sha256 for asset in scene.assets.exclude(role="data")}
    placeholder = scene.placeholder
    ruled(collection, rendering=INFRARED)
    batch, count = collection_encode_again(collection=collection, user=owner)
    assert count == 1
    assert Scene.objects.findable().filter(pk=scene.pk).exists() and vectors(encoder).keys() == before.keys()
    progress = progress_of(collection)
    assert (progress.batch, progress.total, progress.waiting, progress.percent) == (batch, 1, 1, 0)
    ingest_jobs_drain()
    progress = progress_of(collection)
    assert (progress.done, progress.failed, progress.waiting, progress.percent) == (1, 0, 0, 100)
    scene.refresh_from_db()
    assert scene.stretch == {"bands": ["band 4", "band 1", "band 2"], "low": [0] * 3, "high": [3500] * 3, "gamma": 1}
    assert scene.placeholder != placeholder
    assert all(asset.sha256 != pictures[asset.key] for asset in scene.assets.exclude(role="data"))
    assert all(asset_path(asset).stat().st_size == asset.size for asset in scene.assets.all())
    now = vectors(encoder)
    assert now.keys() == before.keys()
    assert all(now[tile] @ before[tile] < 0.999 for tile in now)
    assert not vectors(clip)  # What it had was made of the old look.
    fills_drain()
    anew = vectors(clip)
    assert anew.keys() == beside.keys() and all(anew[tile] @ beside[tile] < 0.999 for tile in anew)


def test_windows_follow_the_present_rule_and_old_ones_find_the_scene_until_then(collection, owner, encoder, scene):
    before = set(vectors(encoder))
    assert len(before) > 1
    ruled(collection, tile_most=1)
    collection_encode_again(collection=collection, user=owner)
    assert set(vectors(encoder)) == before
    ingest_jobs_drain()
    assert set(vectors(encoder)) == set(Tile.objects.filter(scene=scene, level=0).values_list("pk", flat=True))
    assert Tile.objects.filter(scene=scene).count() == 1


def test_new_scenes_go_first(collection, owner, encoder, scene, tmp_path):
    picture = images.draw(tmp_path / "fresh.png")
    collection_encode_again(collection=collection, user=owner)
    fresh = source_ingest(files=[SourceFile(picture, picture.name)], collection=collection, user=owner)
    assert [job.pk for job in jobs_claim(most=1)] == [fresh.pk]
    assert [job.scene_id for job in jobs_claim(most=1)] == [scene.pk]


def test_asked_twice_it_is_done_once_by_the_later_recipe(collection, owner, encoder, scene):
    first, _count = collection_encode_again(collection=collection, user=owner)
    running = jobs_claim(most=1)
    ruled(collection, rendering=INFRARED)
    second, count = collection_encode_again(collection=collection, user=owner)
    assert count == 1 and first != second
    assert set(IngestJob.objects.filter(batch=first).values_list("state", flat=True)) == {State.CANCELLED}
    jobs_encode(jobs=running, encoder=encoder, model=encoder_ready(encoder=encoder, image=True))
    scene.refresh_from_db()
    assert scene.stretch["high"] != [3500] * 3  # The worker of the first noticed that nobody wants its results.
    ingest_jobs_drain()
    scene.refresh_from_db()
    assert scene.stretch["high"] == [3500] * 3
    with pytest.raises(Conflict, match="waits"):
        collection_encode_again_cancel(collection=collection, user=owner)


def test_a_recipe_that_changes_in_the_middle_has_the_scene_encoded_again(collection, owner, encoder, tmp_path):
    path = images.geotiff(tmp_path / "a.tif", images.deep_ramp(bands=4))
    source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=owner)
    jobs = jobs_claim(most=1)
    ruled(collection, rendering=INFRARED)
    jobs_encode(jobs=jobs, encoder=encoder, model=encoder_ready(encoder=encoder, image=True))
    scene = Scene.objects.get()
    assert scene.status == Scene.Status.READY and scene.stretch["high"] != [3500] * 3
    assert ingest_jobs_drain() == 1
    scene.refresh_from_db()
    assert scene.stretch["high"] == [3500] * 3
    assert ingest_jobs_drain() == 0


def test_vectors_of_an_attempt_with_another_recipe_do_not_count(collection, owner, encoder, tmp_path):
    """A worker died after the first windows; meanwhile the recipe was changed."""
    array = images.deep_ramp(bands=4, width=600, height=500)
    array[3] = array[3, ::-1, ::-1]
    path = images.geotiff(tmp_path / "a.tif", array)
    scene = add(path, collection, owner)
    before = vectors(encoder)
    Scene.objects.filter(pk=scene.pk).update(status=Scene.Status.PENDING)
    IngestJob.objects.update(state=State.QUEUED, attempts=1)
    ruled(collection, rendering=INFRARED)
    ingest_jobs_drain()
    now = vectors(encoder)
    assert now.keys() == before.keys() and all(now[tile] @ before[tile] < 0.999 for tile in now)


def test_a_scene_that_lacks_the_recipes_bands_keeps_its_old_look(collection, owner, encoder, scene):
    before = vectors(encoder)
    ruled(collection, rendering={"bands": ["swir16", "nir", "red"]})
    collection_encode_again(collection=collection, user=owner)
    ingest_jobs_drain()
    scene.refresh_from_db()
    assert scene.status == Scene.Status.READY
    now = vectors(encoder)
    assert now.keys() == before.keys() and all(np.array_equal(now[tile], before[tile]) for tile in now)
    job = IngestJob.objects.get(again=True)
    assert job.state == State.FAILED and "swir16" in job.reason and "four.tif" in job.reason
    assert progress_of(collection).failed == 1


def test_it_is_the_owners_to_ask_and_to_take_back(collection, owner, encoder, scene):
    stranger = make_user("stranger")
    with pytest.raises(NotAllowed):
        collection_encode_again(collection=collection, user=stranger)
    collection_encode_again(collection=collection, user=owner)
    with pytest.raises(NotAllowed):
        collection_encode_again_cancel(collection=collection, user=stranger)
    assert collection_encode_again_cancel(collection=collection, user=owner) == 1
    assert ingest_jobs_drain() == 0
    Scene.objects.all().delete()
    with pytest.raises(Conflict, match="no scene"):
        collection_encode_again(collection=collection, user=owner)
