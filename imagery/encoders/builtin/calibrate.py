"""Measure what a cosine of the built-in encoder is worth: python -m imagery.encoders.builtin.calibrate --help

A logistic curve (Platt 1999) is fitted to pairs of validation images and validation captions. A pair matches if
the caption is one of the image's own, or if the caption's image is of the same class: who asks for an airport is
glad of any airport. Pairs of different classes do not match. Other pairs with an image whose class is not known are
left out, for they may or may not. Matches get the weight of a prior: one scene in `--rarity` is what a query means.
"""

import argparse
import json
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.base import EncoderKind, EncoderSpec

from .corpus import CaptionedImage, captioned_images
from .encoder import BuiltinEncoder

_STEPS: Final = 100
_TOLERANCE: Final = 1e-9


def platt(cosines: NDArray[np.floating], matches: NDArray[np.bool_], *, prior: float) -> tuple[float, float]:
    """Scale and offset of the logistic curve of largest likelihood, by Newton's method.

    Matches are weighted to `prior` of the whole weight, the rest to 1 - prior. Raises ValueError if all pairs are
    of one kind.
    """
    if matches.all() or not matches.any():
        raise ValueError("Calibration needs pairs that match and pairs that do not.")
    weights = np.where(matches, prior / matches.sum(), (1 - prior) / (~matches).sum())
    x = np.stack([cosines.astype(np.float64), np.ones(len(cosines))], axis=1)
    parameters = np.zeros(2)
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-(x @ parameters)))
        gradient = x.T @ (weights * (matches - expected))
        curvature = (x * (weights * expected * (1 - expected))[:, None]).T @ x
        step = np.linalg.solve(curvature, gradient)
        parameters += step
        if np.abs(step).max() < _TOLERANCE:
            break
    return float(parameters[0]), float(parameters[1])


def pairs(items: list[CaptionedImage]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(images, captions) twice: which pairs match, and of which pairs that can be told."""
    names = sorted({item.scene_class for item in items if item.scene_class is not None})
    number = {name: index for index, name in enumerate(names)}
    classes = np.array([number.get(item.scene_class or "", -1) for item in items])
    owner = np.repeat(np.arange(len(items)), [len(item.captions) for item in items])
    own = owner[None, :] == np.arange(len(items))[:, None]
    told = (classes[:, None] >= 0) & (classes[owner][None, :] >= 0)
    same = told & (classes[:, None] == classes[owner][None, :])
    return own | same, own | told


def main() -> None:
    """The command."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("calibration.json"))
    parser.add_argument("--rarity", type=float, default=50.0)
    options = parser.parse_args()
    items = captioned_images(options.images, options.captions, split="val")
    encoder = BuiltinEncoder(EncoderSpec(EncoderKind.BUILTIN, "builtin"))
    images = encoder.encode_images([Image.open(item.path) for item in items])
    texts = encoder.encode_texts([caption for item in items for caption in item.captions])
    matches, told = pairs(items)
    scale, offset = platt((images @ texts.T)[told], matches[told], prior=1 / options.rarity)
    measured = {
        "scale": round(scale, 4),
        "offset": round(offset, 4),
        "prior": 1 / options.rarity,
        "pairs": int(told.sum()),
        "matches": int(matches.sum()),
        "how": "Platt scaling of the cosine on RSICD val, weighted to the prior; see calibrate.py",
    }
    options.out.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    print(options.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
