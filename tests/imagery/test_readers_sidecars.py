"""Files beside an image: world files, .prj, .aux.xml, masks; found, read, carried along by an ingest, never trusted."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from imagery.models import Asset, IngestJob
from imagery.readers import UnreadableImage, open_scene
from imagery.readers.georeference import world_file_parse
from imagery.readers.sidecars import sidecar_name, sidecars_among, sidecars_of
from imagery.rendering import Renderer
from imagery.services.ingest import SourceFile, source_ingest
from imagery.services.sources import sources_find
from tests import images

UTM18_WKT = rasterio.crs.CRS.from_epsg(32618).to_wkt(version="WKT1_ESRI")
GRID = images.NORTH_UP
SUFFIXES = {"png": "pgw", "jpg": "jgw", "tif": "tfw", "webp": "wpw", "jp2": "j2w"}


def world_text(grid):
    centre = grid @ Affine.translation(0.5, 0.5)
    return "\n".join(f"{value!r}" for value in (grid.a, grid.d, grid.b, grid.e, centre.c, centre.f))


def placed(path, *, world="", grid=GRID, wkt=UTM18_WKT):
    (path.with_suffix(f".{world or SUFFIXES[path.suffix[1:]]}")).write_text(world_text(grid))
    if wkt:
        path.with_suffix(".prj").write_text(wkt)
    return path


def plain(folder, suffix):
    path = folder / f"a.{suffix}"
    if suffix in {"tif", "jp2"}:
        return images.geotiff(
            path, crs=None, transform=None, driver={"tif": "GTiff", "jp2": "JP2OpenJPEG"}[suffix], width=64, height=48
        )
    return images.draw(path, quality=95)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_world_files_place_every_kind_of_picture_where_a_geotiff_would_lie(tmp_path, suffix):
    expected = images.geotiff(tmp_path / "expected" / "e.tif")
    with open_scene({"data": placed(plain(tmp_path, suffix))}) as reader, open_scene({"data": expected}) as geotiff:
        assert reader.proj_code == "EPSG:32618" and reader.transform == geotiff.transform
        assert reader.footprint == geotiff.footprint and reader.gsd_m == 10 and reader.note == ""
        assert reader.read((3, 4, 10, 8)).bounds == geotiff.read((3, 4, 10, 8)).bounds


@pytest.mark.parametrize("world", ["pngw", "wld", "PGW"])
def test_world_files_go_by_several_names(tmp_path, world):
    with open_scene({"data": placed(plain(tmp_path, "png"), world=world)}) as reader:
        assert reader.transform == GRID


def test_gdals_own_words_beside_a_picture(tmp_path):
    path = plain(tmp_path, "png")
    shape = ", ".join(f"{value:.16e}" for value in GRID.to_gdal())
    wkt = rasterio.crs.CRS.from_epsg(32618).to_wkt()
    (tmp_path / "a.png.aux.xml").write_text(
        f"<PAMDataset><SRS>{wkt}</SRS><GeoTransform> {shape}</GeoTransform></PAMDataset>"
    )
    with open_scene({"data": path}) as reader:
        assert reader.transform == GRID and reader.proj_code == "EPSG:32618"


def test_south_up_mirrored_and_rotated_world_files(tmp_path):
    path = plain(tmp_path, "png")
    with open_scene({"data": path}) as reader:
        stored = reader.read().array
    placed(path, grid=Affine(-10, 0, GRID.c + 640, 0, 10, GRID.f - 480))
    with open_scene({"data": path}) as reader:
        assert reader.transform == GRID
        assert np.array_equal(reader.read().array, stored[:, ::-1, ::-1])
        assert np.array_equal(reader.read((5, 7, 20, 10)).array, stored[:, ::-1, ::-1][:, 7:17, 5:25])
    turned = Affine.translation(GRID.c, GRID.f) @ Affine.rotation(30) @ Affine.scale(10, -10)
    placed(path, grid=turned)
    with open_scene({"data": path}) as reader:
        assert reader.transform is not None and reader.transform.almost_equals(turned, precision=1e-6)
        assert np.array_equal(reader.read().array, stored)


def test_a_world_file_speaks_of_the_pixels_as_they_are_stored(tmp_path):
    path = images.oriented_jpeg(tmp_path / "a.jpg", 6)
    with open_scene({"data": path}) as reader:
        assert (reader.width, reader.height) == (48, 64)
    with open_scene({"data": placed(path)}) as reader:
        assert (reader.width, reader.height) == (64, 48) and reader.transform == GRID


@pytest.mark.parametrize(
    ("world", "wkt", "word"),
    [
        (world_text(GRID), "", "no coordinate reference system"),
        ("1\n0\n0\n-1\n5", UTM18_WKT, "six numbers"),
        ("1\n0\n0\nnan\n5\n6", UTM18_WKT, "six numbers"),
        ("0\n0\n0\n0\n5\n6", UTM18_WKT, "six numbers"),
        ("x" * 2_000_000, UTM18_WKT, "six numbers"),
        (world_text(GRID), "what is this", "not understood"),
        (world_text(GRID), "+proj=utm +zone=18 +nadgrids=/etc/passwd", "not understood"),
        (world_text(Affine(10, 0, 9e8, 0, -10, 0)), UTM18_WKT, "placed on Earth"),
    ],
)
def test_sidecars_that_say_nothing_usable_leave_a_picture_without_a_place(tmp_path, world, wkt, word):
    path = plain(tmp_path, "png")
    path.with_suffix(".pgw").write_text(world)
    path.with_suffix(".prj").write_text(wkt)
    with open_scene({"data": path}) as reader:
        assert reader.footprint is None and word in reader.note
        assert reader.read().mask.all()


def test_entities_in_an_aux_xml_are_not_expanded(tmp_path):
    path = plain(tmp_path, "png")
    bomb = '<!DOCTYPE a [<!ENTITY b "cccc">]><PAMDataset><SRS>&b;</SRS></PAMDataset>'
    (tmp_path / "a.png.aux.xml").write_text(bomb)
    with open_scene({"data": path}) as reader:
        assert reader.footprint is None and reader.note == ""


def test_a_world_file_tells_of_centres_of_pixels():
    assert world_file_parse("2\n0\n0\n-2\n101\n199") == Affine(2, 0, 100, 0, -2, 200)
    assert world_file_parse("2,5\n0\n0\n-2,5\n1\n1") is not None, "decimal commas are written by some"


def test_names_of_sidecars(tmp_path):
    for name in ("s.tif", "s.tfw", "s.prj", "s.tif.aux.xml", "s.tif.msk", "s.tif.ovr", "s_RPC.TXT", "s.txt", "t.tfw"):
        (tmp_path / name).write_text("x")
    (tmp_path / "empty.png").write_text("x")
    (tmp_path / "empty.pgw").write_text("")
    found = {key: path.name for key, path in sidecars_of(tmp_path / "s.tif").items()}
    assert found == {
        "worldfile": "s.tfw", "projection": "s.prj", "pam": "s.tif.aux.xml", "mask": "s.tif.msk",
        "overviews": "s.tif.ovr", "rpc": "s_RPC.TXT",
    }  # fmt: skip
    assert sidecars_among("s.tif", [path.name for path in tmp_path.iterdir()]) == found
    assert sidecars_of(tmp_path / "empty.png") == {} and sidecars_of(tmp_path / "none" / "a.png") == {}
    assert sidecar_name("worldfile", "data.png") == "data.pgw"


def test_a_mask_beside_a_raster_is_its_mask(tmp_path):
    path = images.geotiff(tmp_path / "a.tif")
    mask = np.full((48, 64), 255, dtype=np.uint8)
    mask[:10] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as target:
        target.write_mask(mask)
    assert (tmp_path / "a.tif.msk").exists()
    with open_scene({"data": path}) as reader:
        valid = reader.read().mask
    assert not valid[:10].any() and valid[10:].all()


def test_a_damaged_file_of_rpcs_is_named_without_its_folder(tmp_path):
    path = images.geotiff(tmp_path / "a.tif", crs=None, transform=None)
    (tmp_path / "a_RPC.TXT").write_text("LINE_OFF: 24\n")
    with pytest.raises(UnreadableImage, match=r"a\.tif cannot be read: a_RPC\.TXT file found") as refused:
        open_scene({"data": path})
    assert str(tmp_path) not in str(refused.value)


def secret_overviews(folder):
    with rasterio.open(images.geotiff(folder / "a.tif", np.full((1, 64, 64), 7, np.uint8)), "r+") as target:
        target.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(folder / "secret.tif"))


def secret_overviews_beside(folder):
    images.geotiff(folder / "a.tif", np.full((1, 64, 64), 7, np.uint8))
    named = f'<MDI key="OVERVIEW_FILE">{folder}/secret.tif</MDI>'
    (folder / "a.tif.aux.xml").write_text(f'<PAMDataset><Metadata domain="OVERVIEWS">{named}</Metadata></PAMDataset>')


def secret_mask(folder):
    images.geotiff(folder / "a.tif", np.full((1, 64, 64), 7, np.uint8))
    source = f"<SimpleSource><SourceFilename>{folder}/secret.tif</SourceFilename></SimpleSource>"
    band = f'<VRTRasterBand dataType="Byte" band="1">{source}</VRTRasterBand>'
    flags = '<Metadata><MDI key="INTERNAL_MASK_FLAGS_1">2</MDI></Metadata>'
    (folder / "a.tif.msk").write_text(f'<VRTDataset rasterXSize="64" rasterYSize="64">{flags}{band}</VRTDataset>')


def secret_overviews_of_overviews(folder):
    images.geotiff(folder / "a.tif", np.full((1, 64, 64), 7, np.uint8))
    secret_overviews(folder / "other")
    (folder / "other" / "a.tif").rename(folder / "a.tif.ovr")


@pytest.mark.parametrize(
    "make", [secret_overviews, secret_overviews_beside, secret_mask, secret_overviews_of_overviews]
)
def test_no_file_opens_another_that_it_names(tmp_path, make):
    """GDAL follows such names anywhere, to addresses too: an upload would show what lies on the server."""
    images.geotiff(tmp_path / "secret.tif", np.full((1, 32, 32), 222, np.uint8))
    make(tmp_path)
    with pytest.raises(UnreadableImage, match=r"a\.tif") as refused:
        open_scene({"data": tmp_path / "a.tif"})
    assert "secret" not in str(refused.value)


def test_rpcs_that_are_no_numbers_are_a_note(tmp_path):
    path = images.geotiff(tmp_path / "a.tif", crs=None, transform=None)
    offsets = ("LINE_OFF", "SAMP_OFF", "LAT_OFF", "LONG_OFF", "HEIGHT_OFF")
    names = [*offsets, *(name.replace("OFF", "SCALE") for name in offsets)]
    names += [f"{way}_{number}" for way in ("LINE_NUM_COEFF", "LINE_DEN_COEFF", "SAMP_NUM_COEFF", "SAMP_DEN_COEFF")
              for number in range(1, 21)]  # fmt: skip
    (tmp_path / "a_RPC.TXT").write_text("".join(f"{name}: 3#\n" for name in names))
    with open_scene({"data": path}) as reader:
        assert reader.footprint is None and "RPCs" in reader.note


def test_a_palette_without_colours_is_shown_in_grey(tmp_path):
    path = images.geotiff(tmp_path / "a.tif")
    band = '<PAMRasterBand band="1"><ColorInterp>Palette</ColorInterp></PAMRasterBand>'
    (tmp_path / "a.tif.aux.xml").write_text(f"<PAMDataset>{band}</PAMDataset>")
    with open_scene({"data": path}) as reader:
        assert reader.read().array.shape == (3, 48, 64)


@pytest.mark.django_db
@pytest.mark.parametrize("copy", [True, False], ids=["copied", "in place"])
def test_sidecars_travel_with_their_scene(collection, owner, tmp_path, media_folder, copy):
    placed(plain(tmp_path / "folder", "png"))
    (found,) = sources_find([tmp_path / "folder"], recursive=False)
    assert set(found.files) == {"data", "worldfile", "projection"}
    files = [SourceFile(path, path.name, key) for key, path in found.files.items()]
    job = source_ingest(files=files, collection=collection, user=owner, copy=copy)
    assert job.state == IngestJob.State.QUEUED
    assets = {asset.key: asset for asset in Asset.objects.filter(scene=job.scene)}
    assert {key: asset.role for key, asset in assets.items()} == {
        "data": "data", "worldfile": "metadata", "projection": "metadata"
    }  # fmt: skip
    assert assets["worldfile"].filename == "a.pgw"
    original = media_folder / assets["data"].path if copy else tmp_path / "folder" / "a.png"
    with open_scene({"data": original}) as reader:
        assert reader.proj_code == "EPSG:32618" and reader.transform == GRID
    again = source_ingest(files=files, collection=collection, user=owner, copy=copy)
    assert (again.state, again.scene) == (IngestJob.State.DUPLICATE, job.scene)
    bare = source_ingest(files=files[:1], collection=collection, user=owner, copy=copy)
    assert bare.state == IngestJob.State.QUEUED, "the same picture without a place is another scene"


@pytest.mark.django_db
def test_a_text_of_megabytes_is_no_sidecar(collection, owner, tmp_path):
    path = plain(tmp_path, "png")
    path.with_suffix(".pgw").write_text("1\n" * 1_000_000)
    files = [SourceFile(path, "a.png"), SourceFile(path.with_suffix(".pgw"), "a.pgw", "worldfile")]
    job = source_ingest(files=files, collection=collection, user=owner)
    assert job.state == IngestJob.State.FAILED and "a.pgw is too large" in job.reason


def test_palettes_of_16_bits_and_samples_of_one_bit_are_not_black(tmp_path):
    path = images.geotiff(tmp_path / "p.tif", np.tile(np.arange(300, 304, dtype=np.uint16), (1, 16, 4)))
    with rasterio.open(path, "r+") as target:
        target.write_colormap(1, {300: (255, 0, 0, 255), 301: (0, 255, 0, 255), 302: (0, 0, 255, 255)})
    with open_scene({"data": path}) as reader:
        assert reader.display_ready and reader.read().array[:, 0, :3].T.tolist() == [
            [255, 0, 0], [0, 255, 0], [0, 0, 255]
        ]  # fmt: skip
    for bits in (1, 4):
        samples = np.tile(np.arange(2, dtype=np.uint8), (1, 16, 8))
        with open_scene({"data": images.geotiff(tmp_path / f"{bits}.tif", samples, nbits=bits)}) as reader:
            assert set(np.unique(Renderer(reader).render().array)) == {0, 255}


def test_pictures_in_every_mode_can_have_a_place(tmp_path):
    rgb = Image.fromarray(images.gradient())
    rgb.quantize(64).save(tmp_path / "a.png")
    with open_scene({"data": placed(tmp_path / "a.png")}) as reader:
        assert reader.footprint is not None and reader.read(out_size=(8, 6)).array.shape == (3, 6, 8)
