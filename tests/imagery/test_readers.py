"""Readers against the pitfalls of real files; every file is drawn here."""

from datetime import UTC, datetime

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.enums import ColorInterp

from imagery.readers import UnreadableImage, open_scene
from imagery.rendering import Renderer
from tests import images


def rendered(path, size=None, window=None):
    with open_scene({"data": path}) as reader:
        return Renderer(reader).render(window, size)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_pictures_come_as_they_are(tmp_path, suffix):
    path = images.draw(tmp_path / f"a.{suffix}", quality=95)
    data = rendered(path)
    assert data.array.shape == (48, 64, 3) and data.array.dtype == np.uint8 and data.mask.all()
    assert np.abs(data.array[..., :2].astype(int) - images.gradient()[..., :2]).mean() < 8


def test_windows_and_sizes(tmp_path):
    path = images.draw(tmp_path / "a.png", width=200, height=100)
    full = np.asarray(Image.open(path))
    part = rendered(path, window=(50, 20, 80, 40))
    assert np.array_equal(part.array, full[20:60, 50:130])
    small = rendered(path, size=(100, 50))
    assert small.array.shape == (50, 100, 3)
    mean = full.reshape(50, 2, 100, 2, 3).mean(axis=(1, 3))
    assert np.abs(small.array - mean).max() <= 1


def test_exif_behind_the_pixels_of_a_png_changes_nothing(tmp_path):
    """Reading it would mean decoding the whole file to learn its size."""
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(images.gradient()).save(path, exif=exif)
    content = path.read_bytes()
    start = content.index(b"eXIf") - 4
    length = int.from_bytes(content[start : start + 4], "big") + 12
    chunk, rest = content[start : start + length], content[:start] + content[start + length :]
    path.write_bytes(rest[:-12] + chunk + rest[-12:])
    with open_scene({"data": path}) as reader:
        assert (reader.width, reader.height) == (64, 48)
        assert Renderer(reader).render().array.shape == (48, 64, 3)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_is_damaged_inside_is_refused(tmp_path, progressive):
    path = images.draw(tmp_path / "a.jpg", width=900, height=700, quality=95, progressive=progressive)
    with open_scene({"data": path}) as reader:
        reader.verify()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(range(200)) * 2
    path.write_bytes(content)
    with open_scene({"data": path}) as reader, pytest.raises(UnreadableImage, match=r"a\.jpg is damaged inside: \w"):
        reader.verify()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    path = images.oriented_jpeg(tmp_path / "a.jpg", orientation)
    with open_scene({"data": path}) as reader:
        size = (reader.width, reader.height)
        data = Renderer(reader).render()
    assert size == ((48, 64) if orientation >= 5 else (64, 48)) == (data.array.shape[1], data.array.shape[0])
    upright = {1: images.gradient()[0, 0], 3: images.gradient()[-1, -1], 6: images.gradient()[-1, 0]}
    if orientation in upright:
        assert np.abs(data.array[0, 0, :2].astype(int) - upright[orientation][:2]).max() < 12


def test_draft_decoding_agrees_with_the_whole(tmp_path):
    path = images.draw(tmp_path / "a.jpg", width=1600, height=1200, quality=95)
    drafted = rendered(path, size=(200, 150)).array
    whole = np.asarray(Image.open(path).resize((200, 150), Image.Resampling.BOX))
    assert np.abs(drafted.astype(int) - whole).mean() < 3


def test_alpha_palette_grey_bilevel_and_cmyk(tmp_path):
    rgb = Image.fromarray(images.gradient())
    alpha = Image.new("L", rgb.size, 255)
    alpha.paste(0, (0, 0, 32, 48))
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    rgba.save(tmp_path / "alpha.png")
    data = rendered(tmp_path / "alpha.png")
    assert not data.mask[:, :32].any() and data.mask[:, 32:].all()
    assert not data.array[:, :32].any()
    rgb.quantize(64).save(tmp_path / "palette.png")
    assert np.abs(rendered(tmp_path / "palette.png").array[..., 0].astype(int) - images.gradient()[..., 0]).mean() < 12
    rgb.convert("L").save(tmp_path / "grey.png")
    grey = rendered(tmp_path / "grey.png").array
    assert np.array_equal(grey[..., 0], grey[..., 2]) and grey.std() > 20
    rgb.convert("1").save(tmp_path / "bilevel.png")
    assert set(np.unique(rendered(tmp_path / "bilevel.png").array)) == {0, 255}
    rgb.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    cmyk = rendered(tmp_path / "cmyk.jpg").array
    assert np.abs(cmyk[..., 0].astype(int) - images.gradient()[..., 0]).mean() < 8


@pytest.mark.parametrize("colour", [True, False])
def test_deep_pngs_are_not_black(tmp_path, colour):
    ramp = np.moveaxis(images.deep_ramp(), 0, -1)
    path = images.deep_png(tmp_path / "deep.png", ramp if colour else ramp[..., 0])
    with open_scene({"data": path}) as reader:
        assert reader.dtype == "uint16"
        raw = reader.read().array
        data = Renderer(reader).render()
    assert np.array_equal(raw, np.moveaxis(ramp if colour else ramp[..., [0, 0, 0]], -1, 0))
    assert data.array.min() == 0 and data.array.max() == 255 and 100 < data.array.mean() < 155


def test_when_a_picture_was_taken_is_told_only_without_doubt(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(34665)[36867] = "2024:05:31 10:20:30"
    Image.new("RGB", (32, 32)).save(tmp_path / "naive.jpg", exif=exif)
    exif.get_ifd(34665)[36881] = "+02:00"
    Image.new("RGB", (32, 32)).save(tmp_path / "aware.jpg", exif=exif)
    exif.get_ifd(34665)[36867] = "9999:12:31 23:30:00"
    exif.get_ifd(34665)[36881] = "-02:00"
    Image.new("RGB", (32, 32)).save(tmp_path / "year-10000.jpg", exif=exif)
    for name in ("naive.jpg", "year-10000.jpg"):
        with open_scene({"data": tmp_path / name}) as reader:
            assert reader.acquired is None
    with open_scene({"data": tmp_path / "aware.jpg"}) as reader:
        assert reader.acquired is not None
        assert reader.acquired.astimezone(UTC) == datetime(2024, 5, 31, 8, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "array",
    [
        images.deep_ramp(),
        images.deep_ramp().astype(np.int16) - 1000,
        (images.deep_ramp() / 10000).astype(np.float32),
        images.deep_ramp(bands=1),
        images.deep_ramp(bands=13),
    ],
    ids=["uint16", "int16 below zero", "float reflectance", "1 band", "13 bands"],
)
def test_deep_rasters_are_stretched(tmp_path, array):
    data = rendered(images.geotiff(tmp_path / "a.tif", array))
    assert data.array.shape == (48, 64, 3)
    assert data.array.min() == 0 and data.array.max() == 255 and 100 < data.array.mean() < 155


def test_the_stretch_is_the_scenes_own_in_every_window(tmp_path):
    path = images.geotiff(tmp_path / "a.tif", images.deep_ramp(width=400, height=400))
    with open_scene({"data": path}) as reader:
        renderer = Renderer(reader)
        top = renderer.render((0, 0, 400, 100)).array
        whole = renderer.render().array
    assert np.array_equal(top, whole[:100])


def test_not_a_number_and_outliers_do_not_spoil_the_stretch(tmp_path):
    array = (images.deep_ramp() / 10000).astype(np.float32)
    array[:, :5], array[:, 5, :3], array[:, 6, 0] = np.nan, np.inf, 1e30
    data = rendered(images.geotiff(tmp_path / "a.tif", array))
    assert not data.mask[:5].any() and not data.mask[5, :3].any() and data.mask[10:].all()
    assert not data.array[:5].any() and data.array[10:].std() > 30


def test_constant_rasters_are_grey_not_black(tmp_path):
    data = rendered(images.geotiff(tmp_path / "a.tif", np.full((1, 32, 32), 7000, dtype=np.uint16)))
    assert (data.array == 128).all()


def test_nodata_alpha_and_internal_masks(tmp_path):
    array = np.moveaxis(images.gradient(), -1, 0).copy()
    array[:, :, :20] = 255
    nodata = rendered(images.geotiff(tmp_path / "nodata.tif", array, nodata=255))
    assert not nodata.mask[:, :20].any() and nodata.mask[:, 20:40].all() and not nodata.array[:, :20].any()
    alpha = np.full((1, 48, 64), 255, dtype=np.uint8)
    alpha[:, :10] = 0
    colours = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    data = rendered(images.geotiff(tmp_path / "alpha.tif", np.concatenate([array, alpha]), colours=colours))
    assert not data.mask[:10].any() and data.mask[10:].all()
    path = images.geotiff(tmp_path / "mask.tif", array)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
        mask = np.full((48, 64), 255, dtype=np.uint8)
        mask[40:] = 0
        target.write_mask(mask)
    assert not rendered(path).mask[40:].any() and rendered(path).mask[:40].all()


def test_colours_are_found_by_what_the_file_says(tmp_path):
    array = np.stack([np.full((32, 32), value, dtype=np.uint8) for value in (10, 20, 30, 40)])
    bgr = [ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined]
    path = images.geotiff(tmp_path / "bgr.tif", array, colours=bgr)
    assert rendered(path).array[0, 0].tolist() == [30, 20, 10]
    named = images.geotiff(tmp_path / "named.tif", array, photometric="minisblack")
    with rasterio.open(named, "r+") as target:
        target.descriptions = ("B02", "B03", "B04", "B08")
    assert rendered(named).array[0, 0].tolist() == [30, 20, 10]
    with open_scene({"data": named}) as reader:
        assert [band.name for band in reader.bands] == ["B02", "B03", "B04", "B08"]


def test_palette_rasters(tmp_path):
    path = images.geotiff(tmp_path / "classes.tif", np.tile(np.arange(4, dtype=np.uint8), (1, 16, 4)))
    with rasterio.open(path, "r+") as target:
        target.write_colormap(1, {0: (255, 0, 0, 255), 1: (0, 255, 0, 255), 2: (0, 0, 255, 255), 3: (9, 9, 9, 255)})
    data = rendered(path)
    assert data.array[0, :3].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert {tuple(colour) for colour in rendered(path, size=(5, 5)).array.reshape(-1, 3).tolist()} <= {
        (255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)
    }  # fmt: skip


def test_south_up_and_mirrored_grids_are_shown_north_up(tmp_path):
    array = np.moveaxis(images.gradient(), -1, 0)
    north_up = images.geotiff(tmp_path / "n.tif", array)
    grid = images.NORTH_UP
    south_up = images.geotiff(
        tmp_path / "s.tif", array[:, ::-1], transform=Affine(10, 0, grid.c, 0, 10, grid.f - 10 * 48)
    )
    mirrored = images.geotiff(
        tmp_path / "m.tif", array[:, :, ::-1], transform=Affine(-10, 0, grid.c + 640, 0, -10, grid.f)
    )
    for path in (south_up, mirrored):
        with open_scene({"data": path}) as reader, open_scene({"data": north_up}) as expected:
            assert reader.transform == expected.transform
            assert reader.footprint == expected.footprint
            for window in (None, (5, 7, 20, 10)):
                assert np.array_equal(reader.read(window).array, expected.read(window).array)


@pytest.mark.parametrize(
    ("crs", "transform", "word"),
    [
        (None, None, ""),
        (None, images.NORTH_UP, "no coordinate reference system"),
        ("EPSG:32618", None, "no grid"),
        ("EPSG:32618", Affine(10, 0, 9e8, 0, -10, 0), "placed on Earth"),
        ('LOCAL_CS["mine",UNIT["metre",1]]', images.NORTH_UP, "placed on Earth"),
    ],
)
def test_incomplete_positions_are_none_never_wrong(tmp_path, crs, transform, word):
    with open_scene({"data": images.geotiff(tmp_path / "a.tif", crs=crs, transform=transform)}) as reader:
        assert reader.footprint is None and reader.gsd_m is None and reader.proj_code == ""
        assert word in reader.note
        assert Renderer(reader).render().array.std() > 20


def test_jpeg_2000(tmp_path):
    path = images.geotiff(tmp_path / "a.jp2", images.deep_ramp(width=300, height=200), driver="JP2OpenJPEG")
    with open_scene({"data": path}) as reader:
        assert (reader.format, reader.proj_code, reader.gsd_m) == ("jpeg2000", "EPSG:32618", 10)
        assert Renderer(reader).render((100, 50, 64, 64)).array.std() > 5


def test_only_the_sniffed_driver_opens_a_file(tmp_path):
    secret = images.draw(tmp_path / "secret.tif.png")
    path = tmp_path / "a.tif"
    path.write_text(
        f"<VRTDataset><VRTRasterBand><SourceFilename>{secret}</SourceFilename></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(UnreadableImage, match="VRT that is not read"):
        open_scene({"data": path})


def test_a_block_lost_in_the_middle_is_an_error_of_ours(tmp_path):
    array = np.random.default_rng(0).integers(0, 255, (3, 512, 512)).astype(np.uint8)
    path = images.geotiff(tmp_path / "a.tif", array, tiled=True, blockxsize=128, blockysize=128, compress="deflate")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 5000] = bytes(5000)
    path.write_bytes(content)
    with open_scene({"data": path}) as reader, pytest.raises(UnreadableImage, match=r"a\.tif"):
        Renderer(reader).render()


def band_files(folder, arrays, **more):
    return {key: images.geotiff(folder / f"{key}.tif", array[None], **more) for key, array in arrays.items()}


def test_band_sets_of_different_resolutions_share_the_finest_grid(tmp_path):
    ramp = images.deep_ramp(width=120, height=90)
    files = band_files(tmp_path, {"red": ramp[0], "green": ramp[1]})
    coarse = ramp[2].reshape(45, 2, 60, 2).mean(axis=(1, 3)).astype(np.uint16)
    grid = images.NORTH_UP
    files["blue"] = images.geotiff(tmp_path / "b.tif", coarse[None], transform=grid @ Affine.scale(2))
    with open_scene(files) as reader:
        assert (reader.width, reader.height, reader.gsd_m) == (120, 90, 10)
        data = reader.read()
        part = reader.read((40, 30, 40, 30))
    inner = (slice(None), slice(4, -4), slice(4, -4))
    assert np.abs(data.array[inner].astype(int) - ramp[inner]).max() <= 30
    assert np.array_equal(part.array[:2], ramp[:2, 30:60, 40:80])
    assert data.mask[4:-4, 4:-4].all()


def test_band_sets_treat_zero_everywhere_as_no_data(tmp_path):
    ramp = images.deep_ramp()
    ramp[:, :, :10] = 0
    ramp[0, :, 20] = 0
    with open_scene(band_files(tmp_path, dict(zip(("red", "green", "blue"), ramp, strict=True)))) as reader:
        mask = reader.read().mask
    assert not mask[:, :10].any() and mask[:, 10:].all()


def test_all_bands_of_a_block_count_against_its_limit(tmp_path):
    """GDAL unpacks a pixel-interleaved block with all its bands: some kilobytes could take gigabytes of memory."""
    path = tmp_path / "bomb.tif"
    profile = {"driver": "GTiff", "width": 8192, "height": 8192, "count": 9, "dtype": "uint8", "sparse_ok": True}
    with rasterio.open(path, "w", **profile, interleave="pixel", tiled=True, blockxsize=8192, blockysize=8192):
        pass
    with pytest.raises(UnreadableImage, match=r"576 .*512 "):
        open_scene({"data": path})
    with rasterio.open(path, "w", **profile, interleave="band", tiled=True, blockxsize=8192, blockysize=8192):
        pass
    with open_scene({"data": path}) as reader:
        assert reader.band_count == 9


def test_nodata_is_that_of_the_bands_that_are_shown(tmp_path):
    array = images.deep_ramp(bands=5)
    array[:3, :12] = 0  # Red, green and blue have no data in the upper quarter; the fourth and fifth have.
    path = images.geotiff(tmp_path / "five.tif", array, nodata=0)
    with open_scene({"data": path}) as reader:
        drawn = Renderer(reader).render()
    assert not drawn.mask[:12].any() and drawn.mask[12:].all()
