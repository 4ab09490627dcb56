"""Vectors out as GeoParquet and in again."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from django.core.management import call_command
from django.core.management.base import CommandError

from imagery.encoders.regions import CELLS, cells_packed
from imagery.models import Asset, Collection, Embedding, Encoder, Scene, Tile
from imagery.selectors_archive import archive_state
from imagery.stac.geoparquet import KEY
from tests.factories import DIMENSION, axis, know_query, make_collection, make_encoder, make_scene, make_user, unit
from tests.imagery.stac.validating import check_stac

pytestmark = pytest.mark.django_db
GRID = {"proj:transform": [10.0, 0.0, 300000.0, 0.0, -10.0, 4000000.0]}
Edit = Callable[[pa.Table], pa.Table]


@pytest.fixture
def encoder(db) -> Encoder:
    return make_encoder("base", checksum="a" * 64, revision="main", resolved_revision="abc123")


@pytest.fixture
def collection(owner, encoder) -> Collection:
    return make_collection("coast", owner=owner, license="CC-BY-4.0")


@pytest.fixture
def scenes(collection) -> list[Scene]:
    """A scene on a grid with two windows, one across the antimeridian, one without a place."""
    east = [[179, -1], [180, -1], [180, 1], [179, 1], [179, -1]]
    west = [[-180, -1], [-179, -1], [-179, 1], [-180, 1], [-180, -1]]
    made = [
        make_scene(
            collection, bbox=(-77.3, 36.0, -77.2, 36.1), properties=GRID, vector=axis(1),
            windows={(0, 0, 32, 32): axis(2), (32, 32, 32, 32): unit([1, 2, 3, 4, 5, 6, 7, 8])},
        ),
        make_scene(
            collection, footprint={"type": "MultiPolygon", "coordinates": [[east], [west]]}, west=179.0, south=-1.0,
            east=-179.0, north=1.0, vector=axis(3),
        ),
        make_scene(collection, vector=axis(4)),
    ]  # fmt: skip
    Scene.objects.filter(pk=made[0].pk).update(proj_code="EPSG:32618")
    return made


def export(path: Path, *args: str) -> str:
    said = io.StringIO()
    call_command("export_embeddings", str(path), "--collection", "coast", *args, stdout=said)
    return said.getvalue()


def take_in(path: Path, *args: str, collection: str = "coast") -> str:
    said = io.StringIO()
    call_command("import_embeddings", str(path), "--collection", collection, *args, stdout=said)
    return said.getvalue()


def kept(encoder: Encoder) -> dict[tuple[Any, ...], list[float]]:
    """Return the vectors in the database by scene and window."""
    rows = Embedding.objects.filter(encoder=encoder).select_related("tile")
    return {
        (row.tile.scene_id, row.tile.level, *row.tile.window): np.asarray(row.vector, dtype=np.float16).tolist()
        for row in rows
    }


def edited(path: Path, edit: Edit, facts: dict[str, Any] | None = None) -> Path:
    """Return a copy of a file with changed columns and facts of its encoder."""
    table = pq.read_table(path)
    known = json.loads(table.schema.metadata[KEY])
    table = edit(table).replace_schema_metadata({KEY: json.dumps(known | (facts or {}))})
    target = path.with_name("edited.parquet")
    pq.write_table(table, target)
    return target


def column(name: str, values: pa.Array) -> Edit:
    return lambda table: table.set_column(table.schema.get_field_index(name), name, values)


def same(table: pa.Table) -> pa.Table:
    return table


def test_a_file_is_geoparquet_and_says_everything(scenes, encoder, tmp_path) -> None:
    assert "5 vectors of base" in export(tmp_path / "v.parquet")
    file = pq.ParquetFile(tmp_path / "v.parquet")
    geo = json.loads(file.metadata.metadata[b"geo"])
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    described = geo["columns"]["geometry"]
    assert described["encoding"] == "WKB"
    assert described["geometry_types"] == ["MultiPolygon", "Polygon"]
    assert "crs" not in described  # OGC:CRS84, which the specification takes then.
    assert described["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert described["bbox"][:3] == [-180.0, -1.0, 180.0]
    assert file.schema_arrow.field("vector").type == pa.list_(
        pa.field("element", pa.float32(), nullable=False), DIMENSION
    )
    facts = json.loads(file.metadata.metadata[KEY])
    expected = {"encoder": "base", "checksum": "a" * 64, "revision": "abc123", "dimension": DIMENSION, "length": 1}
    assert expected.items() <= facts.items()
    rows = file.read().to_pylist()
    assert described["bbox"][3] == max(row["bbox"]["ymax"] for row in rows if row["bbox"])
    found = {
        (row["scene"], row["level"], row["x"], row["y"], row["width"], row["height"]): row["vector"] for row in rows
    }
    assert found == {(str(key[0]), *key[1:]): value for key, value in kept(encoder).items()}
    by_scene = {row["scene"]: row for row in rows if row["level"] == 0}
    first, second, third = (by_scene[str(scene.pk)] for scene in scenes)
    assert first["content_hash"] == scenes[0].content_hash
    assert (first["encoder_checksum"], first["dimension"], first["dtype"]) == ("a" * 64, DIMENSION, "float32")
    assert shapely.from_wkb(first["geometry"]).equals(shapely.geometry.shape(scenes[0].footprint))
    assert second["bbox"] == {"xmin": 179.0, "ymin": -1.0, "xmax": -179.0, "ymax": 1.0}
    assert third["geometry"] is None
    assert third["bbox"] is None


def test_a_window_s_outline_is_where_its_pixels_lie(scenes, tmp_path) -> None:
    from rasterio.warp import transform

    export(tmp_path / "v.parquet")
    rows = pq.read_table(tmp_path / "v.parquet").to_pylist()
    (row,) = (row for row in rows if (row["x"], row["y"]) == (32, 32))
    outline = shapely.from_wkb(row["geometry"])
    xs, ys = [300320, 300640, 300640, 300320], [3999680, 3999680, 3999360, 3999360]
    corners = shapely.MultiPoint(list(zip(*transform("EPSG:32618", "EPSG:4326", xs, ys), strict=True)))
    assert outline.exterior.hausdorff_distance(corners) < 0.0036  # A side is 320 m; corners are where they must be.
    assert all(outline.exterior.distance(corner) < 1e-6 for corner in corners.geoms)


def test_a_second_import_changes_nothing(scenes, encoder, collection, tmp_path) -> None:
    export(tmp_path / "v.parquet")
    before, state = kept(encoder), archive_state(Collection.objects.all())
    assert "5 rows read, 0 written, 5 were there already." in take_in(tmp_path / "v.parquet")
    assert kept(encoder) == before
    assert archive_state(Collection.objects.all()) == state


def test_vectors_come_back_where_they_were_lost_or_changed(scenes, encoder, tmp_path) -> None:
    export(tmp_path / "v.parquet")
    before = kept(encoder)
    lost, changed = Embedding.objects.filter(encoder=encoder).order_by("tile_id")[:2]
    Embedding.objects.filter(encoder=encoder, tile_id=lost.tile_id).delete()
    Embedding.objects.filter(encoder=encoder, tile_id=changed.tile_id).update(vector=axis(7).tolist())
    assert "2 written, 3 were there already" in take_in(tmp_path / "v.parquet")
    assert kept(encoder) == before


def test_items_without_pixels_become_searchable(scenes, encoder, owner, tmp_path) -> None:
    export(tmp_path / "v.parquet")
    other = make_collection("other", owner=owner)
    bare = []
    for number, scene in enumerate(scenes):
        known = {"stac_id": str(scene.pk)} if number else {"content_hash": scene.content_hash}
        copy = make_scene(other, status=Scene.Status.METADATA, width=64 if number else 0, height=64, **known)
        Tile.objects.filter(scene=copy).delete()
        bare.append(copy)
    assert "3 scenes can be searched now." in take_in(tmp_path / "v.parquet", collection="other")
    vectors = kept(encoder)
    for scene, copy in zip(scenes, bare, strict=True):
        copy.refresh_from_db()
        assert (copy.status, copy.width, copy.height) == (Scene.Status.READY, 64, 64)
        mine = {key[1:]: value for key, value in vectors.items() if key[0] == copy.pk}
        assert mine == {key[1:]: value for key, value in vectors.items() if key[0] == scene.pk}
    assert "0 written, 5 were there already" in take_in(tmp_path / "v.parquet", collection="other")


def test_a_search_finds_a_scene_that_never_had_pixels_here(scenes, owner, tmp_path) -> None:
    from search.query import SearchRequest
    from search.services.runs import search_run

    export(tmp_path / "v.parquet")
    other = make_collection("other", owner=owner)
    bare = make_scene(other, status=Scene.Status.METADATA, stac_id=str(scenes[2].pk))
    Tile.objects.filter(scene=bare).delete()
    request = SearchRequest(text="harbour", collections=("other",))
    know_query("harbour", axis(4))
    assert search_run(user=owner, request=request).scene_ids == []
    take_in(tmp_path / "v.parquet", collection="other")
    assert search_run(user=owner, request=request).scene_ids == [bare.pk]


def test_an_encoder_that_is_not_searched_makes_nothing_searchable(scenes, owner, tmp_path) -> None:
    second = make_encoder("second", active=False, checksum="a" * 64)
    export(tmp_path / "v.parquet")
    other = make_collection("other", owner=owner)
    copy = make_scene(other, status=Scene.Status.METADATA, stac_id=str(scenes[2].pk))
    said = take_in(tmp_path / "v.parquet", "--encoder", "second", collection="other")
    assert "5 rows belong to no scene" in said
    copy.refresh_from_db()
    assert copy.status == Scene.Status.METADATA
    assert "5 written" in take_in(tmp_path / "v.parquet", "--encoder", "second")
    assert set(kept(second)) == {key for key in kept(second) if key[0] in {scene.pk for scene in scenes}}


def test_windows_a_scene_is_not_cut_into_and_strangers_are_counted(scenes, encoder, tmp_path) -> None:
    export(tmp_path / "v.parquet")
    before = kept(encoder)
    levels = pa.array([0, 3, 1, 0, 0], pa.int16())
    names = pa.array([str(s.pk) for s in (*[scenes[0]] * 3, scenes[1])] + ["nobody"])
    hashes = pa.array([s.content_hash for s in (*[scenes[0]] * 3, scenes[1])] + ["f" * 64])
    order = {"level": levels, "id": names, "content_hash": hashes}
    table = pq.read_table(tmp_path / "v.parquet")
    first = [position for position, row in enumerate(table.to_pylist()) if row["scene"] == str(scenes[0].pk)]
    rest = [position for position in range(5) if position not in first]
    table = table.take(first + rest)
    for name, values in order.items():
        table = column(name, values)(table)
    pq.write_table(table, tmp_path / "edited.parquet")
    said = take_in(tmp_path / "edited.parquet")
    assert "1 rows belong to no scene" in said
    assert "1 rows are of windows" in said
    assert set(kept(encoder)) == set(before)


def test_region_vectors_travel(scenes, encoder, tmp_path) -> None:
    packed = cells_packed(np.random.default_rng(1).normal(size=(1, CELLS, DIMENSION)))[0]
    tile = Tile.objects.filter(scene__in=scenes).order_by("pk")[0]
    mine = Embedding.objects.filter(encoder=encoder, tile=tile)
    mine.update(regions=packed)
    export(tmp_path / "v.parquet")
    mine.update(regions=None)
    assert "1 written" in take_in(tmp_path / "v.parquet")
    kept_regions = mine.get().regions
    assert kept_regions is not None
    assert bytes(kept_regions) == packed


REFUSED: dict[str, tuple[Edit, dict[str, Any], str]] = {
    "checksum": (same, {"checksum": "b" * 64}, "cannot be compared"),
    "dimension": (same, {"dimension": 9}, "dimension 9"),
    "kind": (same, {"kind": "builtin"}, "kind builtin"),
    "length": (
        column("vector", pa.FixedSizeListArray.from_arrays(pa.array([0.5] * 5 * DIMENSION, pa.float32()), DIMENSION)),
        {},
        "length 1.414 instead of 1",
    ),
    "nan": (
        column("vector", pa.FixedSizeListArray.from_arrays(pa.array([np.nan] * 5 * DIMENSION), DIMENSION)),
        {},
        "row 0",
    ),
    "numbers": (
        column("vector", pa.FixedSizeListArray.from_arrays(pa.array([1.0] * 5, pa.float32()), 1)),
        {},
        "vectors of 1 numbers",
    ),
    "list": (column("vector", pa.array([[1.0]] * 5)), {}, "column “vector”"),
    "null": (column("vector", pa.nulls(5, pa.list_(pa.float32(), DIMENSION))), {}, "there is no vector"),
    "column": (lambda table: table.drop(["x"]), {}, "column “x”"),
    "text": (column("level", pa.array(["0"] * 5)), {}, "column “level”"),
    "regions": (column("regions", pa.array([b"x"] * 5)), {}, "regions take 1 bytes"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_other_vectors_are_refused_with_a_sentence(scenes, encoder, tmp_path, fault: str) -> None:
    export(tmp_path / "v.parquet")
    before = kept(encoder)
    edit, facts, sentence = REFUSED[fault]
    path = edited(tmp_path / "v.parquet", edit, facts)
    with pytest.raises(CommandError, match=sentence):
        take_in(path)
    assert kept(encoder) == before


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet", b"x" * 5000])
def test_what_is_no_parquet_is_refused(collection, tmp_path, content: bytes) -> None:
    path = tmp_path / "v.parquet"
    path.write_bytes(content)
    with pytest.raises(CommandError, match="cannot be read as Parquet"):
        take_in(path)


def test_only_editors_import(scenes, tmp_path) -> None:
    export(tmp_path / "v.parquet")
    with pytest.raises(CommandError, match="may not add"):
        take_in(tmp_path / "v.parquet", "--user", make_user("stranger").username)


def test_nobody_exports_what_they_may_not_see(scenes, tmp_path) -> None:
    assert "0 vectors" in export(tmp_path / "v.parquet", "--user", make_user("stranger").username)


def test_an_existing_file_is_not_overwritten(scenes, tmp_path) -> None:
    (tmp_path / "v.parquet").write_text("mine")
    with pytest.raises(CommandError, match="exists already"):
        export(tmp_path / "v.parquet")
    assert (tmp_path / "v.parquet").read_text() == "mine"


def test_a_catalogue_carries_the_vectors(scenes, tmp_path) -> None:
    Asset.objects.all().delete()
    out = tmp_path / "out"
    call_command("stac_export", "--collection", "coast", "--out", str(out), "--embeddings", stdout=io.StringIO())
    document = json.loads((out / "coast/collection.json").read_text())
    check_stac(document)
    asset = document["assets"]["embeddings"]
    file = out / "coast" / asset["href"]
    assert asset["file:size"] == file.stat().st_size
    assert asset["rsportal:embeddings"]["rows"] == 5
    assert "5 were there already" in take_in(file)
