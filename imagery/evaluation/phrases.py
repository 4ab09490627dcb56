"""Judged phrases from a JSON Lines file, one object a line: {"text", "language", "class"}, and how they are found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagery.evaluation.captions import BadLine, json_lines, json_object, json_text
from imagery.evaluation.metrics import Interval, average_precision, bootstrap, ndcg
from rsportal.errors import InvalidInput

_CUT: Final = 10


@dataclass(frozen=True)
class Phrase:
    """A query whose right answers are the pictures of a class; ``language`` is a BCP-47 tag such as en or zh."""

    text: str
    language: str
    scene_class: str


@dataclass(frozen=True)
class LanguageScores:
    """How well the phrases of one language find their classes: mean average precision and nDCG@10, in percent.

    ``phrases`` were asked, of ``classes`` classes. The intervals draw classes, each with all of its phrases.
    """

    average_precision: Interval
    ndcg10: Interval
    phrases: int
    classes: int

    def as_json(self) -> dict[str, Any]:
        """``map`` and ``ndcg10`` with ``map_interval`` and ``ndcg10_interval`` ([low, high]) and the counts."""
        return {
            "map": round(self.average_precision.mean, 2),
            "map_interval": [round(self.average_precision.low, 2), round(self.average_precision.high, 2)],
            "ndcg10": round(self.ndcg10.mean, 2),
            "ndcg10_interval": [round(self.ndcg10.low, 2), round(self.ndcg10.high, 2)],
            "phrases": self.phrases,
            "classes": self.classes,
        }


def phrases_read(path: Path) -> tuple[list[Phrase], list[BadLine]]:
    """The phrases of a file and its bad lines. Raises InvalidInput (field ``queries``) if there is no phrase."""
    found, bad = phrases_parse(json_lines(path, field="queries"))
    if not found:
        first = f" Line {bad[0].number}: {bad[0].reason}." if bad else " It is empty."
        raise InvalidInput(
            f'{path} has no usable line; each must be an object with "text", "language" and "class".{first}',
            field="queries",
        )
    return found, bad


def phrases_parse(lines: Iterable[tuple[int, str]]) -> tuple[list[Phrase], list[BadLine]]:
    """The phrases of lines (number, text), and the bad ones."""
    found: list[Phrase] = []
    bad: list[BadLine] = []
    for number, line in lines:
        try:
            row = json_object(line)
            text, language, scene_class = (json_text(row, name, needed=True) for name in ("text", "language", "class"))
        except ValueError as error:
            bad.append(BadLine(number, str(error)))
        else:
            assert text is not None and language is not None and scene_class is not None
            found.append(Phrase(text=text, language=language, scene_class=scene_class))
    return found, bad


def phrases_score(
    *,
    images: NDArray[np.float32],
    classes: Sequence[str | None],
    vectors: NDArray[np.float32],
    phrases: Sequence[Phrase],
) -> dict[str, LanguageScores]:
    """Scores by language, in the order of the languages' first phrases.

    ``images`` (n, d) are unit rows of the classes ``classes`` (n,); ``vectors`` (q, d) are the phrases'. A picture
    whose class is not known (None) is neither right nor wrong and is left out, and so is a phrase of a class that no
    picture has. A language of such phrases only is missing in the result.
    """
    told = np.array([name is not None for name in classes], dtype=bool)
    names = np.array([name for name in classes if name is not None], dtype=object)
    gallery = images[told]
    found: dict[str, list[tuple[str, float, float]]] = {}
    for phrase, vector in zip(phrases, vectors, strict=True):
        relevant = names == phrase.scene_class
        scores = gallery @ vector
        precision, gain = average_precision(relevant, scores=scores), ndcg(relevant, cut=_CUT, scores=scores)
        if precision is not None and gain is not None:
            found.setdefault(phrase.language, []).append((phrase.scene_class, 100 * precision, 100 * gain))
    return {language: _language_scores(rows) for language, rows in found.items()}


def _language_scores(rows: Sequence[tuple[str, float, float]]) -> LanguageScores:
    groups = [scene_class for scene_class, _precision, _gain in rows]
    return LanguageScores(
        average_precision=bootstrap([precision for _class, precision, _gain in rows], groups=groups),
        ndcg10=bootstrap([gain for _class, _precision, gain in rows], groups=groups),
        phrases=len(rows),
        classes=len(set(groups)),
    )
