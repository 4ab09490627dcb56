"""Captioned pictures and judged phrases as an archive that is searched, encoded by the built-in encoder."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from django.conf import settings

from imagery.encoders.builtin.files import NAME as BUILTIN_NAME
from imagery.evaluation.captions import captions_read
from imagery.evaluation.phrases import phrases_read
from imagery.evaluation.pictures import Progress, pictures_encode, texts_encode
from rsportal.errors import InvalidInput
from search.evaluated import encoder_chosen, encoder_model, phrase_encoding
from search.simulation.archive import Archive, archive_asked

LANGUAGE: Final = "en"
SPLIT: Final = "val"


@dataclass(frozen=True)
class CaptionedFiles:
    """A folder of pictures, the file that says which class each is of, and the file of phrases that name classes."""

    images: Path
    captions: Path
    queries: Path


def captioned_files() -> CaptionedFiles:
    """Return RSICD where the tests expect it: ``rsicd`` in RSPORTAL_TEST_DATA, else in ``shared/data`` beside the
    project's folder (docs/testing.md).

    Raises InvalidInput (field ``embeddings``) if it is not there.
    """
    root = Path(settings.BASE_DIR)
    folder = Path(os.environ.get("RSPORTAL_TEST_DATA", root.parent / "shared" / "data")) / "rsicd"
    found = CaptionedFiles(folder / "images", folder / "captions.jsonl", root / "bench" / "queries.jsonl")
    if missing := [path for path in (found.images, found.captions, found.queries) if not path.exists()]:
        raise InvalidInput(
            f"Without --embeddings the built-in encoder is measured on RSICD, but there is no {missing[0]}. Name "
            "embeddings (--embeddings FILE.npz), or the folder that has rsicd/ in RSPORTAL_TEST_DATA.",
            field="embeddings",
        )
    return found


def archive_encode(files: CaptionedFiles, *, language: str = LANGUAGE, progress: Progress | None = None) -> Archive:
    """Encode the pictures of the split ``val`` that have a class, and ask for them with the phrases of a language.

    The text mean of a phrase is that of the phrases of other classes. Raises InvalidInput if nothing can be read or
    asked, and EncoderUnavailable.
    """
    encoder, _remark = encoder_chosen(BUILTIN_NAME)
    pictures = [picture for picture in captions_read(files.captions, split=SPLIT).pictures if picture.scene_class]
    model = encoder_model(encoder)
    encoded = pictures_encode(
        model=model, folder=files.images, filenames=[picture.filename for picture in pictures], progress=progress
    )
    labels = np.array([pictures[row].scene_class for row in encoded.rows], dtype=object)
    known = set(labels.tolist())
    phrases = [
        phrase
        for phrase in phrases_read(files.queries)[0]
        if phrase.language == language and phrase.scene_class in known
    ]
    if not phrases:
        raise InvalidInput(f"{files.queries} has no phrase in {language!r} for these pictures.", field="language")
    texts = texts_encode(
        encode=phrase_encoding(encoder),
        dimension=model.dimension,
        texts=[phrase.text for phrase in phrases],
        progress=progress,
    )
    able = [row for row in range(len(phrases)) if row not in texts.refused]
    if not able:
        raise InvalidInput(f"The built-in encoder reads none of the phrases in {language!r}.", field="language")
    return archive_asked(
        name=f"RSICD {SPLIT}, {language}",
        images=encoded.vectors,
        labels=labels,
        queries=[(phrases[row].text, texts.vectors[row], phrases[row].scene_class) for row in able],
        texts=texts.vectors[able],
        text_labels=np.array([phrases[row].scene_class for row in able], dtype=object),
    )
