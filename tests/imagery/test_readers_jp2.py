"""JPEG 2000 files whose heads lie: refused before a library reserves room for what they announce, or loops."""

import struct

import pytest

from imagery.readers import UnreadableImage, open_scene
from tests import images


@pytest.fixture
def whole(tmp_path):
    return images.geotiff(tmp_path / "a.jp2", images.deep_ramp(3, 200, 160), driver="JP2OpenJPEG")


def announce(path, **values):
    """Overwrite fields of the SIZ marker."""
    content = bytearray(path.read_bytes())
    start = content.index(b"\xff\x4f\xff\x51") + 8
    for number, name in enumerate(("right", "bottom", "left", "top", "tile_width", "tile_height")):
        if name in values:
            content[start + 4 * number : start + 4 * number + 4] = struct.pack(">I", values[name])
    path.write_bytes(content)


@pytest.mark.parametrize(
    "lie",
    [
        {"right": 2_000_000_000, "bottom": 2_000_000_000, "tile_width": 1, "tile_height": 1},
        {"tile_width": 0},
        {"right": 0},
        {"left": 5000},
    ],
)
def test_heads_that_lie_are_refused(whole, lie):
    announce(whole, **lie)
    with pytest.raises(UnreadableImage, match=r"a\.jp2 is damaged: its head announces"):
        open_scene({"data": whole})


def test_boxes_without_a_picture_are_refused(whole):
    whole.write_bytes(whole.read_bytes().replace(b"jp2c", b"jp2x"))
    with pytest.raises(UnreadableImage, match="no JPEG 2000 codestream"):
        open_scene({"data": whole})


def test_damaged_boxes_of_text_do_not_hold_a_reader_up(whole):
    """GDAL 3.10 never came back when it was asked how the samples of such a file are interleaved."""
    content = whole.read_bytes()
    assert b"gml.root-instance" in content and b'"http://www.' in content
    whole.write_bytes(
        content.replace(b"gml.root-instance", b"gml.roo\xff-instance", 1).replace(
            b'"http://www.', b'"http://\xffww.', 1
        )
    )
    with open_scene({"data": whole}) as reader:
        assert reader.read(out_size=(20, 16)).mask.all()
