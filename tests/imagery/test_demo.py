"""The demo archive: real scenes out of a pip package."""

import pytest

from imagery.models import IngestJob, Scene
from imagery.models.collection import Visibility
from imagery.services.demo import demo_archive_ingest, demo_archive_ready
from imagery.services.ingest import ingest_jobs_drain


@pytest.mark.django_db
def test_the_demo_archive_becomes_searchable_once(owner, encoder):
    collection, jobs = demo_archive_ingest(user=owner)
    assert [job.state for job in jobs] == [IngestJob.State.QUEUED] * 2, [job.reason for job in jobs]
    assert not demo_archive_ready()
    ingest_jobs_drain()
    assert demo_archive_ready()
    assert collection.visibility == Visibility.ALL_USERS and collection.originals_downloadable
    sentinel, landsat = Scene.objects.order_by("-title")
    assert (sentinel.proj_code, sentinel.gsd, sentinel.width, sentinel.height) == ("EPSG:32618", 10, 1933, 1947)
    assert (landsat.proj_code, landsat.gsd, landsat.width, landsat.height) == ("EPSG:32616", 30, 627, 603)
    assert sentinel.bbox == pytest.approx((-75.73, 37.58, -75.51, 37.76), abs=0.01)
    assert landsat.bbox == pytest.approx((-87.5, 30.65, -87.3, 30.81), abs=0.01)
    assert (sentinel.platform, sentinel.instruments) == ("sentinel-2", ["msi"])
    assert (landsat.platform, landsat.instruments) == ("landsat-8", ["oli", "tirs"])
    assert sentinel.datetime is landsat.datetime is None
    assert sentinel.tiles.count() == 135 and landsat.tiles.count() == 10
    bands = sentinel.assets.filter(role="data")
    assert bands.count() == 13 and all(asset.filename.endswith(".tif") for asset in bands)
    _, again = demo_archive_ingest(user=owner)
    assert {job.state for job in again} == {IngestJob.State.DUPLICATE}
    assert Scene.objects.count() == 2
