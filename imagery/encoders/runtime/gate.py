"""Whether 8-bit weights keep the ranking of an archive: its pictures and queries, encoded both ways.

Runs in a process of its own (``child``); the pictures are files.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.base import ImageTextEncoder
from imagery.encoders.errors import UnsupportedLanguage
from imagery.encoders.registry import make_encoder

from .agreement import NEIGHBOURS, agreement, best_kept, nearest, top_overlap
from .child import plan_from_json, spec_from_json
from .plan import Plan

LEAST_OVERLAP: Final = 0.95
"""Of the ten nearest, this share must be the same in both forms."""
LEAST_BEST_KEPT: Final = 0.98
"""This share of the best matches in float32 must be among the ten nearest in 8 bits."""
FEWEST_PICTURES: Final = 50
"""With fewer pictures the ten nearest are a large part of all, and agree whatever the weights."""
_BATCH: Final = 16


def compared(request: dict[str, Any]) -> dict[str, Any]:
    """Encode pictures and texts under two plans and compare the ten nearest of every query.

    The request: ``spec``, ``reference`` and ``plan`` (plans), ``pictures`` (paths), ``texts``. Each picture is also a
    query for the others. Texts that the encoder cannot read are left out. Returns ``overlap``, ``best_kept``, cosines,
    ``images`` and ``queries`` (texts). Raises EncoderUnavailable.
    """
    spec = spec_from_json(request["spec"])
    paths, texts = [Path(name) for name in request["pictures"]], request["texts"]
    first = _rows(spec, plan_from_json(request["reference"]), paths, texts)
    second = _rows(spec, plan_from_json(request["plan"]), paths, texts)
    found = [_neighbours(*rows) for rows in (first, second)]
    result: dict[str, Any] = {
        "images": len(first[0]),
        "queries": len(first[1]),
        "overlap": round(top_overlap(*found), 4),
        "best_kept": round(best_kept(*found), 4),
    }
    for name, rows, reference in zip(("image", "text"), second, first, strict=True):
        if len(rows):
            result[name] = agreement(rows, reference).as_json()
    return result


def _rows(
    spec: Any, plan: Plan, paths: Sequence[Path], texts: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    encoder = make_encoder(spec, plan=plan)
    images = []
    for start in range(0, len(paths), _BATCH):
        inputs = []
        for path in paths[start : start + _BATCH]:
            with Image.open(path) as image:
                inputs.append(encoder.image_input(image.convert("RGB")))
        images.append(encoder.encode_inputs(inputs))
    encoder.unload(text=False)
    empty = np.empty((0, encoder.dimension), dtype=np.float32)
    readable = [row for text in texts if (row := _text_row(encoder, text)) is not None]
    return np.concatenate([empty, *images]), np.concatenate([empty, *readable])


def _text_row(encoder: ImageTextEncoder, text: str) -> NDArray[np.float32] | None:
    try:
        return encoder.encode_texts([text])
    except UnsupportedLanguage:
        return None


def _neighbours(images: NDArray[np.float32], texts: NDArray[np.float32]) -> NDArray[np.int64]:
    count = min(NEIGHBOURS, len(images) - 1)
    alike = nearest(images, images, count + 1)
    # The picture itself is no find; where a duplicate took its place, the last one goes.
    others = [[n for n in row if n != number][:count] for number, row in enumerate(alike.tolist())]
    return np.concatenate([np.asarray(others, dtype=np.int64), nearest(texts, images, count)])
