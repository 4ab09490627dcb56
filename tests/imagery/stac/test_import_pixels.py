"""Pixels of imported items: by ranges, copied, out of reach, and later reached."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from imagery.models import Asset, IngestJob, Scene, Tile
from imagery.services.ingest import ingest_jobs_drain
from imagery.services.window_pictures import window_picture
from imagery.stac.fields_in import NO_PIXELS
from imagery.storage import asset_path
from tests.imagery.stac.conftest import counts, write_cog
from tests.stac_server import item

pytestmark = pytest.mark.django_db
Status = Scene.Status
GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def pictured(archive, number, file="large.tif", key="image", **more):
    """Return an item with one file of the archive."""
    asset = {"href": archive.url(f"/files/{file}"), "type": GEOTIFF, "roles": ["data"], **more}
    return item(number, assets={key: asset})


@pytest.fixture
def stocked(archive, cogs):
    archive.files = {f"/files/{path.name}": path for path in cogs.glob("*.tif")}
    archive.items = {"item-0001": pictured(archive, 1)}
    return archive


def test_a_remote_cog_is_read_by_ranges(stocked, bring_in, cogs, encoder):
    size = (cogs / "large.tif").stat().st_size
    assert counts(bring_in(stocked.url("/"))) == (1, 0, 0, 0, 1)
    assert stocked.sent("/files/") < size / 4
    scene = Scene.objects.get()
    asset = scene.assets.get()
    assert (scene.status, scene.width, scene.height) == (Status.PENDING, 1024, 1024)
    assert (asset.href, asset.path, asset.sha256, asset.size) == (stocked.url("/files/large.tif"), "", "", size)
    before = stocked.sent("/files/")
    drawn = window_picture(scene=scene, window=(512, 512, 64, 64), image_size=64)
    import rasterio

    with rasterio.open(cogs / "large.tif") as raster:
        wanted = np.moveaxis(raster.read()[:, 512:576, 512:576], 0, -1)
    np.testing.assert_array_equal(np.asarray(drawn), wanted)
    assert stocked.sent("/files/") - before < size / 3

    ingest_jobs_drain()
    scene.refresh_from_db()
    job = IngestJob.objects.get()
    assert (scene.status, job.reason) == (Status.READY, "")
    assert scene.proj_code == "EPSG:32632" and scene.stac["placed"] == "pixels"
    assert Tile.objects.filter(scene=scene).exists()
    assert scene.assets.filter(role=Asset.Role.THUMBNAIL).exists()
    assert counts(bring_in(stocked.url("/"))) == (0, 0, 1, 0, 0)


def test_a_copy_is_kept_whole(stocked, bring_in, cogs):
    stocked.breaks = {"/files/large.tif": [300_000, 900_000]}
    assert counts(bring_in(stocked.url("/"), "--copy")) == (1, 0, 0, 0, 1)
    asset = Asset.objects.get()
    content = (cogs / "large.tif").read_bytes()
    assert asset_path(asset).read_bytes() == content
    assert (asset.managed, asset.sha256, asset.href) == (
        True,
        hashlib.sha256(content).hexdigest(),
        stocked.url("/files/large.tif"),
    )
    # What broke off was gone on with, not begun anew.
    assert stocked.count("/files/") == 3 and stocked.sent("/files/") < len(content) + 2 * 256 * 1024
    assert not list(Path(asset_path(asset)).parents[3].glob(".incoming-*"))


def test_band_files_join_by_their_common_names(stocked, bring_in, encoder):
    stocked.items = {
        "item-0001": item(
            1,
            assets={
                f"file-{name}": {
                    "href": f"../../files/{name}.tif",
                    "type": GEOTIFF,
                    "roles": ["data", "reflectance"],
                    "eo:bands": [{"name": name, "common_name": common}],
                }
                for name, common in (("B02", "blue"), ("B03", "green"), ("B04", "red"))
            }
            | {"thumbnail": {"href": "t.png", "type": "image/png", "roles": ["thumbnail"]}},
        )
    }
    bring_in(stocked.url("/collections/tests/items"))
    scene = Scene.objects.get()
    assert scene.stac.get(NO_PIXELS) is None
    keys = dict(scene.assets.filter(role=Asset.Role.DATA).values_list("key", "filename"))
    assert keys == {"red": "B04.tif", "green": "B03.tif", "blue": "B02.tif"}
    assert scene.assets.get(key="red").bands == [{"name": "B04", "eo:common_name": "red"}]
    ingest_jobs_drain()
    scene.refresh_from_db()
    assert (scene.status, scene.width) == (Status.READY, 256)


@pytest.mark.parametrize(
    ("wanted", "key"), [((), "visual"), (("--assets", "ortho"), "ortho"), (("--assets", "analytic"), "second")]
)
def test_files_are_chosen_by_name_role_or_what_eyes_see(stocked, bring_in, wanted, key):
    href = stocked.url("/files/large.tif")
    assets = {
        "ortho": {"href": href, "type": GEOTIFF, "roles": ["data"]},
        "second": {"href": href, "type": GEOTIFF, "roles": ["data", "analytic"]},
        "visual": {"href": href, "type": GEOTIFF},
        "meta": {"href": stocked.url("/m.xml"), "type": "application/xml", "roles": ["metadata"]},
    }
    stocked.items = {"item-0001": item(1, assets=assets)}
    bring_in(stocked.url("/"), *wanted)
    assert Asset.objects.get().key == key


def test_out_of_reach_is_kept_said_and_later_reached(stocked, bring_in, settings, cogs, tmp_path):
    stocked.items |= {
        "item-0002": pictured(stocked, 2, "lost.tif"),
        "item-0003": item(3),
        "item-0004": pictured(stocked, 4, "text.tif"),
        "item-0005": item(5, assets={"data": {"href": "s3://bucket/a.tif", "type": GEOTIFF}}),
    }
    (tmp_path / "text.tif").write_text("no raster")
    stocked.files["/files/text.tif"] = tmp_path / "text.tif"
    assert counts(bring_in(stocked.url("/"))) == (5, 0, 0, 0, 1)
    why = dict(Scene.objects.filter(status=Status.METADATA).values_list("stac_id", f"stac__{NO_PIXELS}"))
    assert why.keys() == {f"item-000{n}" for n in (2, 3, 4, 5)}
    assert "/files/lost.tif answers with 404 Not Found." in why["item-0002"]
    assert why["item-0003"] == "It names no file that can be read as an image."
    assert "text.tif" in why["item-0004"] and "text file" in why["item-0004"]
    assert why["item-0005"].startswith("s3://bucket/a.tif cannot be read: only http")
    before = list(Scene.objects.filter(status=Status.METADATA).order_by("pk").values())
    assert counts(bring_in(stocked.url("/"))) == (0, 0, 5, 0, 0)
    assert list(Scene.objects.filter(status=Status.METADATA).order_by("pk").values()) == before

    stocked.files["/files/lost.tif"] = cogs / "large.tif"
    report = bring_in("", "--retry-pixels")
    assert (report["items"], report["queued"]) == (4, 1)
    assert Scene.objects.get(stac_id="item-0002").status == Status.PENDING
    assert NO_PIXELS not in Scene.objects.get(stac_id="item-0002").stac


def test_without_pixels_if_asked(stocked, bring_in):
    assert counts(bring_in(stocked.url("/"), "--metadata-only")) == (1, 0, 0, 0, 0)
    assert stocked.count("/files/") == 0
    assert Scene.objects.get().status == Status.METADATA
    assert counts(bring_in(stocked.url("/"))) == (0, 0, 1, 0, 1)


def test_a_silent_host_is_not_asked_for_ever(stocked, bring_in, settings):
    settings.REMOTE_TRIES, settings.REMOTE_HOSTS = 1, ["127.0.0.1:*", "127.0.0.3:*"]
    nowhere = "http://127.0.0.3:9/large.tif"
    stocked.items = {f"i{n}": item(n, assets={"data": {"href": nowhere, "type": GEOTIFF}}) for n in range(9)}
    assert bring_in(stocked.url("/"), "--copy")["added"] == 9
    said = list(Scene.objects.values_list(f"stac__{NO_PIXELS}", flat=True))
    assert sum("does not answer" in why for why in said) == 4  # As many as are asked at once.
    assert sum(why.endswith("it was not asked again.") for why in said) == 5


def test_a_server_without_ranges_is_told_from_a_broken_file(stocked, bring_in):
    stocked.ranges = False
    bring_in(stocked.url("/"))
    assert "knows no range requests); copy it instead." in Scene.objects.get().stac[NO_PIXELS]
    assert stocked.sent("/files/") < 6_000_000
    assert counts(bring_in(stocked.url("/"), "--copy")) == (0, 0, 1, 0, 1)


def test_pixels_that_turn_out_broken_leave_the_item(
    stocked, bring_in, encoder, cogs, tmp_path, django_capture_on_commit_callbacks
):
    content = (cogs / "large.tif").read_bytes()
    broken = tmp_path / "broken.tif"
    broken.write_bytes(content[:400_000] + bytes(len(content) - 400_000))
    stocked.files["/files/large.tif"] = broken
    bring_in(stocked.url("/"), "--copy")
    scene = Scene.objects.get()
    folder = asset_path(scene.assets.get()).parent
    with django_capture_on_commit_callbacks(execute=True):
        ingest_jobs_drain()
    scene.refresh_from_db()
    assert scene.status == Status.METADATA and scene.stac[NO_PIXELS]
    assert not scene.assets.exists() and not scene.tiles.exists()
    assert scene.platform == "tester-1" and scene.footprint
    assert not folder.exists()


def test_a_changed_item_updates_what_it_says_and_takes_new_files(stocked, bring_in, encoder):
    bring_in(stocked.url("/"))
    ingest_jobs_drain()
    placed = Scene.objects.get().footprint
    stocked.items["item-0001"]["properties"]["platform"] = "tester-2"
    assert counts(bring_in(stocked.url("/"))) == (0, 1, 0, 0, 0)
    scene = Scene.objects.get()
    assert (scene.platform, scene.status, scene.footprint, scene.width) == ("tester-2", Status.READY, placed, 1024)
    stocked.files["/files/new.tif"] = stocked.files["/files/large.tif"]
    stocked.items["item-0001"]["assets"]["image"]["href"] = stocked.url("/files/new.tif")
    assert counts(bring_in(stocked.url("/"))) == (0, 1, 0, 0, 1)
    scene.refresh_from_db()
    assert scene.status == Status.READY
    assert scene.assets.get(role=Asset.Role.DATA).filename == "new.tif"


def test_two_items_of_the_same_file_are_two_scenes(stocked, bring_in):
    stocked.items["item-0002"] = pictured(stocked, 2)
    assert counts(bring_in(stocked.url("/"), "--copy")) == (2, 0, 0, 0, 2)
    assert len(set(Scene.objects.values_list("content_hash", flat=True))) == 2
    assert len(set(Asset.objects.values_list("sha256", flat=True))) == 1


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_file_without_a_place_keeps_the_place_of_its_item(archive, bring_in, encoder, tmp_path, cogs):
    import rasterio

    with rasterio.open(tmp_path / "plain.tif", "w", driver="GTiff", count=3, width=64, height=64, dtype="uint8") as out:
        out.write(np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8))
    archive.files = {"/files/plain.tif": tmp_path / "plain.tif"}
    archive.items = {"item-0001": pictured(archive, 1, "plain.tif")}
    bring_in(archive.url("/"))
    said = Scene.objects.get().footprint
    ingest_jobs_drain()
    scene = Scene.objects.get()
    assert (scene.status, scene.footprint, scene.width) == (Status.READY, said, 64)


def test_a_catalogue_of_files_is_read_in_place(bring_in, cogs, tmp_path, encoder):
    folder = tmp_path / "catalogue"
    (folder / "a").mkdir(parents=True)
    shutil.copy(cogs / "large.tif", folder / "a" / "image one.tif")
    write_cog(tmp_path / "outside.tif", np.full((3, 64, 64), 9, dtype=np.uint8))
    good = item(1, assets={"data": {"href": "./image%20one.tif", "type": GEOTIFF}})
    away = item(2, assets={"data": {"href": "../../outside.tif", "type": GEOTIFF}})
    (folder / "a" / "good.json").write_text(json.dumps(good))
    (folder / "a" / "away.json").write_text(json.dumps(away))
    (folder / "a" / "bad.json").write_text("{")
    (tmp_path / "secret.json").write_text(json.dumps(item(9)))
    (folder / "a" / "linked.json").symlink_to(tmp_path / "secret.json")
    hrefs = ["good.json", "./away.json", "bad.json", "../../secret.json", "linked.json", "gone.json"]
    (folder / "a" / "collection.json").write_text(
        json.dumps(
            {"type": "Collection", "id": "a", "license": "CC0-1.0",
             "links": [{"rel": "item", "href": href} for href in hrefs]
             + [{"rel": "child", "href": "../catalog.json"}, {"rel": "child", "href": "collection.json"}]}
        )
    )  # fmt: skip
    (folder / "catalog.json").write_text(
        json.dumps({"type": "Catalog", "id": "c", "links": [{"rel": "child", "href": "a/collection.json"}]})
    )
    report = bring_in(folder / "catalog.json", fails="4 items were refused")
    assert counts(report) == (2, 0, 0, 4, 1)
    assert {each["item"] for each in report["refusals"]} == {
        "bad.json",
        "../../secret.json",
        "linked.json",
        "gone.json",
    }
    scene = Scene.objects.get(stac_id="item-0001")
    asset = scene.assets.get()
    assert (asset.path, asset.managed, asset.href) == (str(folder / "a" / "image one.tif"), False, "")
    assert "not in the folder of the catalogue" in Scene.objects.get(stac_id="item-0002").stac[NO_PIXELS]
    scene.collection.refresh_from_db()
    assert scene.collection.license == "CC0-1.0"
    assert str(tmp_path) not in json.dumps(scene.stac)
    ingest_jobs_drain()
    scene.refresh_from_db()
    assert scene.status == Status.READY
