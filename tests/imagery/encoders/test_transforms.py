"""Any picture becomes 8-bit RGB without silent damage."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.transforms import to_rgb


def test_rgb_is_returned_as_it_is() -> None:
    image = Image.new("RGB", (3, 2), (1, 2, 3))
    assert to_rgb(image) is image


def test_greyscale_is_repeated() -> None:
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    converted = np.asarray(to_rgb(Image.fromarray(values)))
    assert converted.shape == (3, 4, 3)
    assert (converted == values[..., None]).all()


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_wide_values_keep_their_contrast(kind: type) -> None:
    values: NDArray[Any] = np.linspace(300, 9000, 64).reshape(8, 8).astype(kind)
    converted = np.asarray(to_rgb(Image.fromarray(values)))[..., 0]
    assert converted.min() == 0
    assert converted.max() == 255
    assert (np.diff(converted.ravel().astype(int)) > 0).all()


def test_values_that_are_not_finite_become_black() -> None:
    values = np.array([[np.nan, 0.0], [1.0, np.inf]], dtype=np.float32)
    assert np.asarray(to_rgb(Image.fromarray(values)))[..., 0].tolist() == [[0, 0], [255, 0]]


def test_flat_wide_picture_is_mid_grey() -> None:
    flat = Image.fromarray(np.full((4, 4), 5000, dtype=np.uint16))
    assert (np.asarray(to_rgb(flat)) == 127).all()


def test_transparent_pixels_are_laid_on_white() -> None:
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (10, 20, 30, 0))
    assert np.asarray(to_rgb(image)).tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_palette_and_bilevel_are_read_through_their_colours() -> None:
    red = Image.new("RGB", (2, 2), (255, 0, 0))
    assert (np.asarray(to_rgb(red.convert("P"))) == (255, 0, 0)).all()
    assert (np.asarray(to_rgb(Image.new("1", (2, 2), 1))) == 255).all()
