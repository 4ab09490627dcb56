"""Measure what a cosine of the built-in encoder is worth: python -m imagery.encoders.builtin.calibrate --help

Without --encoder the shipped weights are measured; with the folder that `train` wrote to, those. The result,
calibration.json beside the weights, is read when an encoder is registered.

A logistic curve (Platt 1999) is fitted to pairs of validation images and validation captions. A pair matches if
the caption is one of the image's own, or if the caption's image is of the same class: who asks for an airport is
glad of any airport. Pairs of different classes do not match. Other pairs with an image whose class is not known are
left out, for they may or may not; if no image has a class, only an image's own captions match.
Matches get the weight of a prior: one scene in `--rarity` is what a query means.
"""

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.base import EncoderKind, EncoderSpec
from rsportal.errors import InvalidInput, RsportalError

from .corpus import CaptionedImage, captioned_images
from .encoder import BuiltinEncoder
from .files import CALIBRATION, NAME, weights_file
from .run_folder import replacing

_STEPS: Final = 100
_TOLERANCE: Final = 1e-9
# Systems allow about a thousand open files.
_BLOCK: Final = 64


def platt(cosines: NDArray[np.floating], matches: NDArray[np.bool_], *, prior: float) -> tuple[float, float]:
    """Scale and offset of the logistic curve of largest likelihood, by Newton's method.

    `cosines` and `matches` are (pairs,). Matches are weighted to `prior` of the whole weight, the rest to 1 - prior.
    Raises InvalidInput if all pairs are of one kind, or if one cosine parts the two kinds so well that no curve is
    steep enough.
    """
    if matches.all() or not matches.any():
        raise InvalidInput("Calibration needs pairs that match and pairs that do not.")
    weights = np.where(matches, prior / matches.sum(), (1 - prior) / (~matches).sum())
    x = np.stack([cosines.astype(np.float64), np.ones(len(cosines))], axis=1)
    parameters = np.zeros(2)
    for _ in range(_STEPS):
        with np.errstate(over="ignore"):  # exp overflows to infinity, 1 / infinity is the right 0.
            expected = 1 / (1 + np.exp(-(x @ parameters)))
        gradient = x.T @ (weights * (matches - expected))
        curvature = (x * (weights * expected * (1 - expected))[:, None]).T @ x
        try:
            step = np.linalg.solve(curvature, gradient)
        except np.linalg.LinAlgError:
            break
        parameters += step
        if np.abs(step).max() < _TOLERANCE:
            return float(parameters[0]), float(parameters[1])
    raise InvalidInput("Calibration found no curve for these pairs: it needs more images.")


def pairs(items: list[CaptionedImage]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(images, captions) twice: which pairs match, and of which pairs that can be told."""
    names = sorted({item.scene_class for item in items if item.scene_class is not None})
    number = {name: index for index, name in enumerate(names)}
    classes = np.array([number.get(item.scene_class or "", -1) for item in items])
    owner = np.repeat(np.arange(len(items)), [len(item.captions) for item in items])
    own = owner[None, :] == np.arange(len(items))[:, None]
    if not names:
        return own, np.ones_like(own)
    told = (classes[:, None] >= 0) & (classes[owner][None, :] >= 0)
    same = told & (classes[:, None] == classes[owner][None, :])
    return own | same, own | told


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of the images")
    parser.add_argument("--captions", type=Path, required=True, help="as for training; the split “val” is used")
    parser.add_argument("--encoder", default=NAME, help="“builtin” or the full path of a training's folder")
    parser.add_argument("--out", type=Path, help="default: calibration.json beside the weights")
    parser.add_argument("--rarity", type=float, default=50.0, help="scenes of which one matches (default %(default)s)")
    options = parser.parse_args(arguments)
    try:
        _measure(options)
    except RsportalError as error:
        raise SystemExit(f"calibrate: {error.message}") from error


def _measure(options: argparse.Namespace) -> None:
    spec = EncoderSpec(EncoderKind.BUILTIN, options.encoder)
    out = options.out or weights_file(spec).with_name(CALIBRATION)
    items = captioned_images(options.images, options.captions, split="val")
    encoder = BuiltinEncoder(spec)
    images = np.concatenate([_rows(encoder, items[start : start + _BLOCK]) for start in range(0, len(items), _BLOCK)])
    texts = encoder.encode_texts([caption for item in items for caption in item.captions])
    matches, told = pairs(items)
    scale, offset = platt((images @ texts.T)[told], matches[told], prior=1 / options.rarity)
    measured = {
        "scale": round(scale, 4),
        "offset": round(offset, 4),
        "prior": 1 / options.rarity,
        "pairs": int(told.sum()),
        "matches": int(matches.sum()),
        "how": f"Platt scaling of the cosine on {options.captions.name}, split val, to the prior; see calibrate.py",
    }
    with replacing(out) as partial:
        partial.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    print(out.read_text(encoding="utf-8"))


def _rows(encoder: BuiltinEncoder, items: list[CaptionedImage]) -> NDArray[np.float32]:
    with ExitStack() as opened:
        return encoder.encode_images([opened.enter_context(Image.open(item.path)) for item in items])


if __name__ == "__main__":
    main()
