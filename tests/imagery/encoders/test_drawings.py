"""Pictures drawn as edge maps, and drawings by people made like them."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from imagery.encoders.drawings import drawing_clean
from imagery.encoders.edges import SIDE_PIXELS, Style, edge_map
from imagery.evaluation.sketching import STYLES
from rsportal.errors import InvalidInput
from tests.drawings import house, shares


def test_an_edge_map_is_the_outline_of_what_is_seen() -> None:
    picture = Image.new("RGB", (400, 300), (60, 90, 60))
    ImageDraw.Draw(picture).ellipse((100, 75, 300, 225), fill=(200, 190, 180))
    drawn = np.asarray(edge_map(picture, style=Style()))
    assert drawn.shape == (SIDE_PIXELS, SIDE_PIXELS)
    assert set(np.unique(drawn)) == {0, 255}
    rows, columns = np.nonzero(drawn == 0)
    off = np.hypot((rows - 111.5) / 56, (columns - 111.5) / 56)  # The ellipse is a circle of radius 56 there.
    assert len(rows) > 250
    assert np.abs(off - 1).max() < 0.06


def test_styles_go_from_much_to_little_and_repeat_themselves() -> None:
    noise = np.random.default_rng(1).integers(0, 255, size=(28, 28), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((224, 224), Image.Resampling.BICUBIC)
    thin = [edge_map(picture, style=Style(**{**vars(style), "width": 1}), seed=3) for style in STYLES]
    ink = [float((np.asarray(each) == 0).mean()) for each in thin]
    assert ink == sorted(ink, reverse=True)
    assert ink[-1] > 0.005
    loose = STYLES[-1]
    assert edge_map(picture, style=loose, seed=3) == edge_map(picture, style=loose, seed=3)
    assert edge_map(picture, style=loose, seed=3) != edge_map(picture, style=loose, seed=4)


def test_nothing_is_drawn_of_a_flat_picture() -> None:
    faint = np.random.default_rng(2).integers(100, 103, size=(224, 224), dtype=np.uint8)
    assert (np.asarray(edge_map(Image.fromarray(faint), style=STYLES[0])) == 255).all()


def test_drawings_become_dark_lines_on_white() -> None:
    plain = shares(drawing_clean(house()))
    assert plain[0] > 0.9
    assert plain[1] > 0.02
    board = drawing_clean(house(ink=(230, 230, 200), paper=(20, 60, 40), mode="RGB"))
    clear = drawing_clean(house(ink=(0, 0, 0, 255), paper=(0, 0, 0, 0), mode="RGBA"))
    shade = np.linspace(90, 240, 300)[None, :] * np.where(np.asarray(house()) == 0, 0.4, 1.0)
    photo = drawing_clean(Image.fromarray(shade.astype(np.uint8)))
    for other in (board, clear, photo):
        assert shares(other) == pytest.approx(plain, abs=0.02)


def test_what_is_no_drawing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="nothing drawn"):
        drawing_clean(Image.new("RGB", (200, 200), "white"))
    rough = np.random.default_rng(5).integers(0, 255, size=(40, 40), dtype=np.uint8)
    with pytest.raises(InvalidInput, match="no line drawing"):
        drawing_clean(Image.fromarray(rough).resize((400, 400), Image.Resampling.BICUBIC))
