"""Rasters at addresses: by ranges, through the checked session, one file and nothing beside it."""

import http.server
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from imagery.readers import RemoteFile, UnreadableImage, open_scene
from imagery.stac.hosts import HostRefused
from imagery.stac.http import RemoteRefused, RemoteUnavailable
from tests import images


class Archive:
    """A web server of one folder that answers ranges, and counts what it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sent, self.broken = folder, 0, False
        self.asked: list[str] = []
        archive = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments):
                pass

            def do_GET(self):
                name = self.path.partition("?")[0].lstrip("/")
                archive.asked.append(name)
                path = archive.folder / name
                if archive.broken or not path.is_file():
                    self.send_response(503 if archive.broken else 404)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                first, last = map(int, re.findall(r"\d+", self.headers["Range"]))
                content = path.read_bytes()
                part = content[first : last + 1]
                archive.sent += len(part)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(part)))
                self.end_headers()
                self.wfile.write(part)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"

    def at(self, name):
        return RemoteFile(f"http://{self.host}/{name}")


@contextmanager
def running(folder):
    archive = Archive(folder)
    thread = threading.Thread(target=archive.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield archive
    finally:
        archive.server.shutdown()
        archive.server.server_close()
        thread.join()


@pytest.fixture
def archive(tmp_path, settings):
    settings.REMOTE_TRIES, settings.REMOTE_PRIVATE = 1, True
    with running(tmp_path) as found:
        settings.REMOTE_HOSTS = [found.host]
        yield found


def noise(bands=3, side=1500):
    return np.random.default_rng(0).integers(1, 255, (bands, side, side)).astype(np.uint8)


def test_a_cog_is_read_by_ranges_and_by_its_overviews(archive, tmp_path):
    path = images.geotiff(tmp_path / "cog.tif", noise(), driver="COG", compress="deflate", blocksize=256)
    with open_scene({"data": archive.at("cog.tif?key=secret")}) as far, open_scene({"data": path}) as near:
        assert (far.name, far.footprint, far.bands) == ("cog.tif", near.footprint, near.bands)
        assert np.array_equal(far.read((300, 400, 200, 100)).array, near.read((300, 400, 200, 100)).array)
        assert np.array_equal(far.read(out_size=(90, 90)).array, near.read(out_size=(90, 90)).array)
    assert archive.sent < path.stat().st_size / 3, "a window and an overview are a small part of the file"
    assert set(archive.asked) == {"cog.tif"}, "nothing is looked for beside it"


def test_jpeg_2000_and_bands_of_a_scene_are_read_by_ranges(archive, tmp_path):
    images.geotiff(tmp_path / "a.jp2", images.deep_ramp(3, 200, 160), driver="JP2OpenJPEG")
    with open_scene({"data": archive.at("a.jp2")}) as reader:
        assert reader.format == "jpeg2000" and reader.read(out_size=(20, 16)).array.std() > 0
    bands = {colour: images.geotiff(tmp_path / f"{colour}.tif", noise(1, 64)) for colour in ("red", "green", "blue")}
    files = {colour: archive.at(path.name) for colour, path in bands.items()}
    with open_scene(files) as far, open_scene(bands) as near:
        assert np.array_equal(far.read().array, near.read().array)


def test_a_picture_that_needs_its_whole_file_is_to_be_copied(archive, tmp_path):
    images.draw(tmp_path / "a.png")
    with pytest.raises(UnreadableImage, match=r"a\.png is PNG, which is only read as a whole"):
        open_scene({"data": archive.at("a.png")})


def test_what_is_no_image_or_not_there_is_refused(archive, tmp_path):
    (tmp_path / "page.tif").write_text("<html>sign in first</html>")
    with pytest.raises(UnreadableImage, match=r"page\.tif is not an image .*web page"):
        open_scene({"data": archive.at("page.tif")})
    with pytest.raises(RemoteRefused, match="404"):
        open_scene({"data": archive.at("gone.tif")})


def test_a_server_that_fails_while_a_file_is_read_is_no_damage_of_the_file(archive, tmp_path):
    images.geotiff(tmp_path / "a.tif", noise())
    with open_scene({"data": archive.at("a.tif")}) as reader:
        archive.broken = True
        with pytest.raises(RemoteUnavailable, match="503"):
            reader.read((0, 1000, 200, 200))
    archive.broken = False
    with open_scene({"data": archive.at("a.tif")}) as reader:
        assert reader.read((0, 1000, 200, 200)).mask.all(), "later it is read"


def test_a_vrt_at_an_address_is_not_read(archive, tmp_path, settings):
    settings.VRT_ROOTS = [str(tmp_path)]
    (tmp_path / "a.vrt").write_text('<VRTDataset rasterXSize="8" rasterYSize="8"></VRTDataset>')
    with pytest.raises(UnreadableImage, match=r"a\.vrt is VRT"):
        open_scene({"data": archive.at("a.vrt")})


def test_other_hosts_are_not_asked(archive, tmp_path, settings):
    images.geotiff(tmp_path / "a.tif")
    settings.REMOTE_HOSTS = []
    with pytest.raises(HostRefused):
        open_scene({"data": archive.at("a.tif")})
    assert archive.asked == []
