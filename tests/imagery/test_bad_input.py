"""Every bad input of the design: a sentence with file, limit and found value, and nothing stored."""

import numpy as np
import pytest

from imagery.models import Asset, IngestJob, Scene
from imagery.services.ingest import SourceFile, source_ingest
from imagery.validation import file_check
from rsportal.errors import InvalidInput
from tests import images


def empty(folder):
    path = folder / "empty.png"
    path.touch()
    return path


def text_as_png(folder):
    path = folder / "notes.png"
    path.write_text("not an image at all, only words " * 10)
    return path


def pdf(folder):
    path = folder / "plan.pdf"
    path.write_bytes(b"%PDF-1.7 " + b"x" * 500)
    return path


def gif(folder):
    from PIL import Image

    path = folder / "moving.gif"
    Image.new("P", (64, 64)).save(path)
    return path


def lying_extension(folder):
    return images.draw(folder / "true.png").rename(folder / "lie.jpg")


def no_extension(folder):
    return images.draw(folder / "true.png").rename(folder / "plain")


def cut_png(folder):
    return images.cut(images.draw(folder / "cut.png"))


def cut_jpeg(folder):
    return images.cut(images.draw(folder / "cut.jpg", width=300, height=300))


def cut_webp(folder):
    return images.cut(images.draw(folder / "cut.webp"))


def cut_tiff(folder):
    return images.cut(images.geotiff(folder / "cut.tif", images.deep_ramp(width=300, height=300)), 0.6)


def cut_tiled_tiff(folder):
    array = np.random.default_rng(1).integers(0, 255, (3, 512, 512)).astype(np.uint8)
    path = images.geotiff(folder / "cog.tif", array, tiled=True, blockxsize=128, blockysize=128, compress="deflate")
    return images.cut(path, 0.9)


def cut_jp2(folder):
    return images.cut(images.geotiff(folder / "cut.jp2", images.deep_ramp(), driver="JP2OpenJPEG"), 0.7)


def head_only(folder):
    path = folder / "head.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    return path


def bomb(folder):
    return images.bomb_png(folder / "bomb.png")


def large_png(folder):
    return images.bomb_png(folder / "large.png", 12_000, 10_000)


def tiny(folder):
    return images.draw(folder / "tiny.png", width=3, height=3)


def folder_named_png(folder):
    path = folder / "folder.png"
    path.mkdir()
    return path


def complex_tiff(folder):
    return images.geotiff(folder / "sar.tif", np.ones((1, 32, 32), dtype=np.complex64))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (empty, ["empty.png", "0 bytes"]),
        (text_as_png, ["notes.png", "a text file", ".tif"]),
        (pdf, ["plan.pdf", "a PDF document"]),
        (gif, ["moving.gif", "a GIF picture"]),
        (lying_extension, ["lie.jpg", "PNG", ".png"]),
        (no_extension, ["plain", "PNG", ".png"]),
        (cut_png, ["cut.png", "damaged", "announced"]),
        (cut_jpeg, ["cut.jpg", "damaged"]),
        (cut_webp, ["cut.webp", "damaged", "announced"]),
        (cut_tiff, ["cut.tif", "damaged"]),
        (cut_tiled_tiff, ["cog.tif"]),
        (cut_jp2, ["cut.jp2", "damaged"]),
        (head_only, ["head.png", "damaged"]),
        (bomb, ["bomb.png", "3600.0 megapixels", "100.0"]),
        (large_png, ["large.png", "12000 x 10000", "120.0 megapixels", "100.0"]),
        (tiny, ["tiny.png", "3 x 3", "8"]),
        (folder_named_png, ["folder.png", "not a file"]),
        (complex_tiff, ["sar.tif", "complex64"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_bad_input_is_refused_in_a_sentence_and_nothing_is_stored(
    make, words, collection, owner, tmp_path, media_folder
):
    path = make(tmp_path)
    job = source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=owner)
    assert job.state == IngestJob.State.FAILED
    for word in words:
        assert word in job.reason.replace("\xa0", " ")
    assert str(tmp_path) not in job.reason
    assert (job.scene, job.retryable) == (None, False)
    assert not Scene.objects.exists() and not Asset.objects.exists()
    assert not [found for found in media_folder.rglob("*") if found.is_file()]


def test_too_large_an_upload_names_limit_and_size(collection, owner, tmp_path, settings):
    settings.UPLOAD_MAX_BYTES = 1024
    path = images.draw(tmp_path / "large.png", width=300, height=300)
    job = source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=owner)
    assert "large.png is too large" in job.reason and "1.0\xa0KB" in job.reason
    in_place = source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=owner, copy=False)
    assert in_place.state == IngestJob.State.QUEUED


def test_a_huge_geotiff_is_refused_by_its_header(collection, owner, tmp_path, settings):
    settings.UPLOAD_MAX_PIXELS = 1000
    path = images.geotiff(tmp_path / "huge.tif")
    job = source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=owner)
    assert "huge.tif has too many pixels: 64 x 48" in job.reason


def test_a_file_name_cannot_lead_out_of_the_media_folder(collection, owner, tmp_path, media_folder):
    path = images.draw(tmp_path / "a.png")
    job = source_ingest(files=[SourceFile(path, "../../../evil.png")], collection=collection, user=owner)
    asset = Asset.objects.get(scene=job.scene)
    assert asset.filename == "evil.png"
    assert (media_folder / asset.path).resolve().is_relative_to(media_folder)


def test_scenes_of_any_size_are_read_where_they_are_but_not_taken_in(tmp_path, settings):
    settings.UPLOAD_MAX_PIXELS = 1_000_000
    path = images.geotiff(tmp_path / "mosaic.tif", np.full((1, 1200, 1200), 7, dtype=np.uint8), tiled=True)
    assert file_check(path, in_place=True).pixels == 1_440_000
    with pytest.raises(InvalidInput, match=r"mosaic\.tif has too many pixels"):
        file_check(path)
