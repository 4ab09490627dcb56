"""Real files through the real ingest and out: the grid, the vectors, and all of it back into another collection."""

import io
import json
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from affine import Affine
from django.core.management import call_command

from imagery.models import Embedding, Scene, Tile
from imagery.readers import open_scene
from imagery.services.ingest import SourceFile, ingest_job_run, source_ingest
from tests import images
from tests.factories import make_collection
from tests.imagery.stac.validating import check_stac

pytestmark = pytest.mark.django_db


def taken_in(path: Path, collection, owner) -> Scene:
    """Return the scene of a file."""
    files = [SourceFile(path=path, filename=path.name)]
    job = source_ingest(files=files, collection=collection, user=owner, batch=uuid4())
    ingest_job_run(job_id=job.pk)
    return Scene.objects.get(jobs=job)


def drawn(path: Path, *, crs: str, side: int, seed: int = 0) -> Path:
    """Write a square picture of 10 m pixels."""
    bands = np.moveaxis(images.gradient(side, side, seed=seed), -1, 0)
    return images.geotiff(path, bands, crs=crs, transform=Affine(10, 0, 400_000, 0, -10, 500_000))


def run(*command: str) -> None:
    call_command(*command, stdout=io.StringIO())


@pytest.mark.parametrize("crs", ["EPSG:32632", "+proj=laea +lat_0=52 +lon_0=10 +datum=WGS84"])
def test_a_scene_goes_out_with_its_grid_and_vectors(collection, owner, encoder, tmp_path, crs: str) -> None:
    path = drawn(tmp_path / "scene.tif", crs=crs, side=600)
    scene = taken_in(path, collection, owner)
    assert Tile.objects.filter(scene=scene).count() > 1
    out = tmp_path / "out"
    run("stac_export", "--collection", collection.slug, "--out", str(out), "--with-files", "data", "--embeddings")
    item = json.loads((out / collection.slug / "items" / str(scene.pk) / f"{scene.pk}.json").read_text())
    check_stac(item)
    said, data = item["properties"], item["assets"]["data"]
    with open_scene({"data": path}) as reader:
        assert reader.transform is not None
        assert said["proj:transform"] == list(reader.transform[:6])
        assert said.get("proj:code") == (reader.proj_code or None)
        assert ("proj:wkt2" in said) == (not reader.proj_code)
    assert (said["proj:shape"], said["data_type"]) == ([600, 600], "uint8")
    assert [band["name"] for band in data["bands"]] == [band["name"] for band in scene.bands]
    assert (out / collection.slug / "items" / str(scene.pk) / data["href"]).read_bytes() == path.read_bytes()
    rows = pq.read_table(out / collection.slug / "embeddings.parquet").to_pylist()
    assert len(rows) == Tile.objects.filter(scene=scene).count()
    whole = shapely.geometry.shape(scene.footprint).buffer(1e-4)  # A pixel is 10 m.
    for row in rows:
        part = shapely.from_wkb(row["geometry"])
        assert whole.contains(part)
        share = row["width"] * row["height"] / 600**2
        assert part.area / whole.area == pytest.approx(share, rel=0.02)


def test_an_archive_moves_to_another_portal_without_encoding(collection, owner, encoder, tmp_path) -> None:
    scenes = [
        taken_in(drawn(tmp_path / f"{seed}.tif", crs="EPSG:32632", side=400, seed=seed), collection, owner)
        for seed in range(2)
    ]
    out = tmp_path / "out"
    run("stac_export", "--collection", collection.slug, "--out", str(out), "--ndjson", "--embeddings")
    there = make_collection("there", owner=owner)
    run("stac_import", str(out / collection.slug / "items.ndjson"), "--collection", "there", "--metadata-only")
    assert set(there.scenes.values_list("status", flat=True)) == {Scene.Status.METADATA}
    run("import_embeddings", str(out / collection.slug / "embeddings.parquet"), "--collection", "there")
    for scene in scenes:
        copy = there.scenes.get(stac_id=str(scene.pk))
        assert (copy.status, copy.footprint) == (Scene.Status.READY, scene.footprint)
        assert vectors(copy, encoder) == vectors(scene, encoder)


def vectors(scene: Scene, encoder) -> dict[tuple[int, ...], str]:
    """Return the vectors of a scene by window."""
    rows = Embedding.objects.filter(encoder=encoder, tile__scene=scene).select_related("tile")
    return {(row.tile.level, *row.tile.window): str(row.vector) for row in rows}
