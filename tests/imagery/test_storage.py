"""Files the portal keeps, and files it only reads."""

import os
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from imagery.models import Asset
from imagery.storage import AssetMissing, asset_path, file_copy_in, file_sha256, file_write, scene_files_remove
from imagery.thumbnails import overview_and_thumbnail, placeholder
from rsportal.errors import InvalidInput
from tests import images


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_copy_is_whole_or_not_there(tmp_path, media_folder):
    source, scene_id = images.draw(tmp_path / "a.png"), uuid4()
    stored = file_copy_in(source, scene_id=scene_id, name="data.png", expected_sha256=file_sha256(source))
    assert (media_folder / stored.path).read_bytes() == source.read_bytes()
    assert (stored.size, stored.sha256) == (source.stat().st_size, file_sha256(source))
    with pytest.raises(InvalidInput, match="changed"):
        file_copy_in(source, scene_id=scene_id, name="other.png", expected_sha256="0" * 64)
    assert files(media_folder) == ["data.png"]
    scene_files_remove(scene_id)
    assert files(media_folder) == []


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", ""])
def test_names_stay_in_the_scenes_folder(name):
    with pytest.raises(ValueError, match="plain file name"):
        file_write(b"x", scene_id=uuid4(), name=name)


def test_a_path_out_of_the_media_folder_is_missing(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    with pytest.raises(AssetMissing, match=r"a\.png"):
        asset_path(Asset(path="../secret", managed=True, filename="a.png"))
    assert asset_path(Asset(path=str(secret), managed=False, filename="a.png")) == secret


@pytest.mark.parametrize(
    ("size", "overview_size", "thumbnail_size"),
    [
        ((100, 60), (100, 60), (100, 60)),
        ((1000, 500), (1000, 500), (512, 256)),
        ((2500, 20), (2048, 16), (512, 4)),
    ],
)
def test_pictures_of_scenes(size, overview_size, thumbnail_size, tmp_path):
    overview, thumbnail = overview_and_thumbnail(images.gradient(*size))
    for picture, expected in ((overview, overview_size), (thumbnail, thumbnail_size)):
        assert (picture.width, picture.height) == expected
        path = tmp_path / "p.webp"
        path.write_bytes(picture.content)
        with Image.open(path) as image:
            assert (image.format, image.size) == ("WEBP", expected)


def test_placeholders_are_small():
    noisy = np.random.default_rng(0).integers(0, 255, (512, 512, 3)).astype(np.uint8)
    assert len(placeholder(noisy)) <= 300
    assert placeholder(images.gradient()).startswith("data:image/webp;base64,")


def test_a_path_that_the_system_refuses_is_missing():
    asset = Asset(path=f"/tmp/{'x' * 300}/a.tif", managed=False, filename="a.tif")
    with pytest.raises(AssetMissing, match=r"a\.tif"):
        asset_path(asset)


def test_a_kept_file_survives_a_power_cut(media_folder, monkeypatch):
    """Its bytes, its name and the folders made for it are on the disk before any row can name it."""
    synced: list[str] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    stored = file_write(b"x", scene_id=uuid4(), name="thumbnail.webp")
    folder = (media_folder / stored.path).parent
    assert synced[0].endswith(".part")
    assert synced[1:] == [str(folder.resolve()), str(folder.parent.resolve()), str(folder.parent.parent.resolve())]
