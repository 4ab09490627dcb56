"""What a distillation ends in: weights, their scores as they are in use, a calibration and a model card.

This module imports torch inside functions only.
"""

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.base import EncoderKind, EncoderSpec, unit_rows
from rsportal.errors import InvalidInput

from .calibrate import pairs, platt
from .distill_card import card
from .distill_lessons import Lessons
from .distill_options import DistillOptions
from .distill_scores import agreement, retrieval
from .encoder import BuiltinEncoder
from .files import CALIBRATION, Lender, tensors
from .run_folder import deciding, replacing
from .teacher import Teacher
from .text_head import TextHead

if TYPE_CHECKING:
    from .distill_student import Student

CARD: Final = "MODEL_CARD.md"
SCORES: Final = "scores.json"
WEIGHTS: Final = "weights.safetensors"
_RARITY: Final = 50.0
_BLOCK: Final = 64


def export_student(student: "Student", options: DistillOptions, *, teacher: Teacher, scores: dict[str, float]) -> None:
    """The present weights as OUT/weights.safetensors, in the form of the built-in encoder's."""
    from .export import export_weights

    more = {"teacher": f"{teacher.name} {teacher.checksum}"}
    if student.image is None:
        more |= Lender(teacher.spec, teacher.checksum).written()
        more["image_size"] = str(teacher.encoder.image_size)
    with replacing(options.out / WEIGHTS) as partial:
        export_weights(student.image, student.text, partial, scores=scores, more=more)


def written_result(
    options: DistillOptions, teacher: Teacher, *, val: Lessons, pixels: NDArray[np.uint8], train: Lessons
) -> dict[str, Any]:
    """Score the exported weights on the split "val"; write scores.json, calibration.json and MODEL_CARD.md.

    The student reads `pixels` (n, S, S, 3) and texts as it does in use, from its half-precision file. Returns what
    scores.json holds.
    """
    weights = options.out / WEIGHTS
    texts = unit_rows(TextHead(tensors(weights, "text"))(val.captions.features))
    images = None if options.text_only else _image_rows(options, pixels)
    told: dict[str, Any] = {
        "teacher": {
            "name": teacher.name,
            "kind": str(teacher.spec.kind),
            "source": teacher.spec.source,
            "revision": teacher.spec.revision,
            "sha256": teacher.checksum,
            "dimension": teacher.dimension,
            "languages": list(teacher.encoder.languages),
        },
        "student": {"text_only": options.text_only, "bytes": weights.stat().st_size, "start": options.start},
        "data": {
            **deciding(options),
            "captions": options.captions.name,
            "train_images": len(train.items),
            "val_images": len(val.items),
            "val_captions": len(val.owners()[0]),
            "val_renderings": len(val.owners(chinese=True)[0]),
        },
        "agreement": agreement(val, images, texts),
        "retrieval": retrieval(val, images, texts),
        "calibration": _calibration(options, val, val.images if images is None else images, texts),
    }
    with replacing(options.out / SCORES) as partial:
        partial.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    with replacing(options.out / CARD) as partial:
        partial.write_text(card(told), encoding="utf-8")
    return told


def _image_rows(options: DistillOptions, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    encoder = BuiltinEncoder(EncoderSpec(EncoderKind.BUILTIN, str(options.out)))
    blocks = (np.array(pixels[start : start + _BLOCK]) for start in range(0, len(pixels), _BLOCK))
    return np.concatenate([encoder.encode_images([Image.fromarray(each) for each in block]) for block in blocks])


def _calibration(
    options: DistillOptions, val: Lessons, images: NDArray[np.float32], texts: NDArray[np.float32]
) -> dict[str, Any]:
    """Fit and write calibration.json as `calibrate` does; with too little data say so and leave none behind."""
    path = options.out / CALIBRATION
    rows = np.concatenate([val.captions.english[i, : len(item.captions)] for i, item in enumerate(val.items)])
    matches, can_tell = pairs(list(val.items))
    try:
        scale, offset = platt((images @ texts[rows].T)[can_tell], matches[can_tell], prior=1 / _RARITY)
    except InvalidInput as error:
        path.unlink(missing_ok=True)
        return {"missing": error.message}
    measured = {
        "scale": round(scale, 4),
        "offset": round(offset, 4),
        "prior": 1 / _RARITY,
        "pairs": int(can_tell.sum()),
        "matches": int(matches.sum()),
        "how": f"Platt scaling of the cosine on {options.captions.name}, split val, to the prior; see calibrate.py",
    }
    with replacing(path) as partial:
        partial.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    return measured
