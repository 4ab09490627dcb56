"""One evaluation of an encoder: captions both ways, judged phrases, speed; as numbers and as lines to read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.encoders.base import ImageTextEncoder
from imagery.evaluation.captions import CaptionedPicture
from imagery.evaluation.phrases import LanguageScores, Phrase, phrases_score
from imagery.evaluation.pictures import EncodedPictures, EncodedTexts, Progress, pictures_encode, texts_encode
from imagery.evaluation.recall import CUTS, Ranked, rank_both_ways
from rsportal.errors import InvalidInput

TextEncoding = Callable[[Sequence[str]], NDArray[np.float32]]
_WAYS: Final = {"t2i": "text_to_image", "i2t": "image_to_text"}


@dataclass(frozen=True)
class Evaluation:
    """What was measured. ``ranked`` is None if no caption could be used; ``languages`` is empty without phrases."""

    pictures: EncodedPictures
    captions: EncodedTexts
    ranked: Ranked | None
    languages: dict[str, LanguageScores]
    phrases_asked: int
    phrases_refused: dict[int, str]
    unclassed: int
    multi_positive: bool

    def as_json(self) -> dict[str, Any]:
        """The figures: recalls and mR in percent with ties by their expectation; docs/evaluation.md names each key."""
        return {
            **self._recall(),
            "classes": {language: scores.as_json() for language, scores in self.languages.items()},
            "images_per_second": round(self.pictures.per_second, 2),
            "ties": "expected",
            "multi_positive": self.multi_positive,
            "pictures": len(self.pictures.rows),
            "pictures_left_out": len(self.pictures.refused),
            "pictures_without_class": self.unclassed,
            "captions": len(self.ranked.owner) if self.ranked else 0,
            "captions_left_out": len(self.captions.refused),
            "phrases": sum(scores.phrases for scores in self.languages.values()),
            "phrases_left_out": self.phrases_asked - sum(scores.phrases for scores in self.languages.values()),
        }

    def _recall(self) -> dict[str, Any]:
        if self.ranked is None:
            nothing: dict[str, Any] = {way: {f"r{cut}": None for cut in CUTS} for way in _WAYS}
            return {**nothing, "mr": None}
        intervals = {name: [each.low, each.high] for name, each in self.ranked.intervals("expected").items()}
        expected, against = self.ranked.recall("expected"), self.ranked.recall("against")
        return {
            **_both_ways(expected),
            "mr": round(expected["mr"], 3),
            "mr_interval": [round(end, 3) for end in intervals["mr"]],
            "mr_ties_against": round(against["mr"], 3),
            "ties_against": _both_ways(against),
            "intervals": _both_ways(intervals),
        }

    def lines(self) -> list[str]:
        """The same for people."""
        found = self.as_json()
        lines = []
        if self.ranked is not None:
            lines.append(f"{'':<16}{'R@1':>8}{'R@5':>8}{'R@10':>8}   percent")
            for way, name in (("i2t", "image -> text"), ("t2i", "text -> image")):
                lines.append(f"{name:<16}" + "".join(f"{found[way][f'r{cut}']:>8.2f}" for cut in CUTS))
            low, high = found["mr_interval"]
            lines.append(f"mR {found['mr']:.2f}   (95 % of resamples: {low:.2f} to {high:.2f})")
            lines.append(f"mR {found['mr_ties_against']:.2f}   if every tie counts against the encoder")
        for language, scores in found["classes"].items():
            lines.append(
                f"classes, {language}: mAP {_with_ends(scores, 'map')}, nDCG@10 {_with_ends(scores, 'ndcg10')}; "
                f"{scores['phrases']} phrases of {scores['classes']} classes"
            )
        lines.append(
            f"{found['images_per_second']:.1f} images/s decoded and encoded; {found['pictures']:,} pictures, "
            f"{found['captions']:,} captions"
        )
        return lines


def evaluate(
    *,
    model: ImageTextEncoder,
    encode_captions: TextEncoding,
    encode_phrases: TextEncoding,
    folder: Path,
    pictures: Sequence[CaptionedPicture],
    phrases: Sequence[Phrase] = (),
    multi_positive: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure an encoder on captioned pictures and judged phrases.

    ``encode_captions`` and ``encode_phrases`` turn texts into unit rows of the encoder's space; what they cannot read
    (UnsupportedLanguage, InvalidInput) is left out and counted. Raises InvalidInput (field ``images`` or
    ``captions``) if nothing is left to measure, and what the encoder raises.
    """
    encoded = pictures_encode(
        model=model, folder=folder, filenames=[picture.filename for picture in pictures], progress=progress
    )
    if not len(encoded.rows):
        name, reason = encoded.refused[0]
        raise InvalidInput(f"None of the {len(pictures)} pictures can be read: {name}: {reason}", field="images")
    kept = [pictures[row] for row in encoded.rows]
    texts = [text for picture in kept for text in picture.captions]
    owner = np.repeat(np.arange(len(kept)), [len(picture.captions) for picture in kept])
    captions = texts_encode(encode=encode_captions, dimension=model.dimension, texts=texts, progress=progress)
    readable = np.array([row not in captions.refused for row in range(len(texts))], dtype=bool)
    ranked = None
    if readable.any():
        ranked = rank_both_ways(
            encoded.vectors,
            captions.vectors[readable],
            owner[readable],
            same_text=_numbers([text for text, good in zip(texts, readable, strict=True) if good])
            if multi_positive
            else None,
        )
    elif not phrases:
        reason = next(iter(captions.refused.values()), "There is none.")
        raise InvalidInput(f"No caption can be used. {reason}", field="captions")
    asked = texts_encode(
        encode=encode_phrases,
        dimension=model.dimension,
        texts=[phrase.text for phrase in phrases],
        progress=progress if phrases else None,
    )
    able = [row for row in range(len(phrases)) if row not in asked.refused]
    classes = [picture.scene_class for picture in kept]
    return Evaluation(
        pictures=encoded,
        captions=captions,
        ranked=ranked,
        languages=phrases_score(
            images=encoded.vectors,
            classes=classes,
            vectors=asked.vectors[able],
            phrases=[phrases[row] for row in able],
        ),
        phrases_asked=len(phrases),
        phrases_refused=asked.refused,
        unclassed=classes.count(None),
        multi_positive=multi_positive,
    )


def _numbers(texts: Sequence[str]) -> list[int]:
    """Equal numbers for equal texts."""
    known: dict[str, int] = {}
    return [known.setdefault(text, len(known)) for text in texts]


def _both_ways(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {way: {f"r{cut}": _rounded(values[f"{name}_r{cut}"]) for cut in CUTS} for way, name in _WAYS.items()}


def _rounded(value: float | list[float]) -> float | list[float]:
    return [round(each, 3) for each in value] if isinstance(value, list) else round(value, 3)


def _with_ends(scores: Mapping[str, Any], name: str) -> str:
    low, high = scores[f"{name}_interval"]
    return f"{scores[name]:.1f} ({low:.1f} to {high:.1f})"
