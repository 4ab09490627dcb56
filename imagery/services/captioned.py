"""Captions and the vectors of their pictures: from a folder, or from what the archive has stored already."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imagery.evaluation.adapting import Captioned
from imagery.evaluation.captions import CaptionedPicture
from imagery.evaluation.pictures import Progress, pictures_encode, texts_encode
from imagery.models import Asset, Collection, Embedding, Encoder, Scene
from imagery.services.selftest import encoder_ready
from rsportal.errors import InvalidInput

_CHUNK: Final = 1_000  # file names in one statement


@dataclass(frozen=True)
class CaptionedVectors:
    """``pairs`` without any adapter; ``left_out`` are (file name, reason) of pictures, ``unread`` captions refused."""

    pairs: Captioned
    left_out: tuple[tuple[str, str], ...]
    unread: int


def captioned_vectors(
    *,
    encoder: Encoder,
    pictures: Sequence[CaptionedPicture],
    folder: Path | None = None,
    collection: Collection | None = None,
    progress: Progress | None = None,
) -> CaptionedVectors:
    """Return the vectors of captioned pictures, and of their captions as the encoder's text tower gives them.

    With ``folder`` its pictures are encoded. Without, scenes are found by the file name they were added with (in
    ``collection``, or in all), and their stored vectors of the whole scene are used: nothing is encoded again. Raises
    InvalidInput (field ``images`` or ``captions``) if no picture is found or no caption can be read, and Unavailable.
    """
    model = encoder_ready(encoder=encoder, text=True, image=folder is not None)
    if folder is not None:
        encoded = pictures_encode(
            model=model, folder=folder, filenames=[picture.filename for picture in pictures], progress=progress
        )
        kept = [pictures[row] for row in encoded.rows]
        images, left_out = encoded.vectors, list(encoded.refused)
    else:
        found, left_out = _stored(encoder, pictures, collection)
        kept = [picture for picture in pictures if picture.filename in found]
        images = np.array([found[picture.filename] for picture in kept], dtype=np.float32)
    if not kept:
        where = f"in {folder}" if folder is not None else "in the archive, with vectors of this encoder,"
        raise InvalidInput(
            f"None of the {len(pictures)} captioned pictures is {where} under its name. --images names their folder.",
            field="images",
        )
    texts = list(dict.fromkeys(text for picture in kept for text in picture.captions))
    encoded_texts = texts_encode(encode=model.encode_texts, dimension=encoder.dimension, texts=texts, progress=progress)
    number = {text: row for row, text in enumerate(texts) if row not in encoded_texts.refused}
    if not number:
        reason = next(iter(encoded_texts.refused.values()), "There is none.")
        raise InvalidInput(f"No caption can be used. {reason}", field="captions")
    rows = [(number[text], owner) for owner, each in enumerate(kept) for text in each.captions if text in number]
    text, owner = np.array(rows, dtype=np.int64).T
    return CaptionedVectors(
        pairs=Captioned(images=images, texts=encoded_texts.vectors, text=text, owner=owner),
        left_out=tuple(left_out),
        unread=len(encoded_texts.refused),
    )


def _stored(
    encoder: Encoder, pictures: Sequence[CaptionedPicture], collection: Collection | None
) -> tuple[dict[str, NDArray[np.float32]], list[tuple[str, str]]]:
    """({file name of the captions: vector of the whole scene}, what was left out and why)."""
    named: dict[str, list[str]] = {}
    for picture in pictures:
        named.setdefault(PurePosixPath(picture.filename).name, []).append(picture.filename)
    names = list(named)
    stored: dict[str, list[NDArray[np.float32]]] = {}
    for start in range(0, len(names), _CHUNK):
        assets = Asset.objects.filter(
            filename__in=names[start : start + _CHUNK], role=Asset.Role.DATA, scene__status=Scene.Status.READY
        )
        if collection is not None:
            assets = assets.filter(scene__collection=collection)
        by_scene = dict(assets.values_list("scene_id", "filename"))
        rows = Embedding.objects.filter(encoder=encoder, tile__level=0, tile__scene__in=by_scene)
        for scene, vector in rows.values_list("tile__scene_id", "vector"):
            stored.setdefault(by_scene[scene], []).append(np.asarray(vector, dtype=np.float32))
    found: dict[str, NDArray[np.float32]] = {}
    left_out: list[tuple[str, str]] = []
    for name, filenames in named.items():
        vectors = stored.get(name, [])
        for filename in filenames:
            if not vectors:
                left_out.append((filename, "no scene of the archive has this file name and vectors of the encoder."))
            elif len(vectors) > 1 or len(filenames) > 1:
                left_out.append((filename, "more than one scene or picture has this file name (see --collection)."))
            else:
                found[filename] = vectors[0]
    return found, left_out
