"""Test sets for query understanding from captioned pictures: what is asked, and which pictures are right."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imagery.evaluation.captions import CaptionedPicture
from search.ranking.placing import Places

LANGUAGES = ("en", "zh")
_FEWEST = 8  # Pictures with and without the denied thing: fewer make a query a matter of luck.
# English, Chinese, and how captions name it.
_THINGS = [
    ("trees", "树木", r"\btrees?\b|\bforests?\b|\bwoods?\b"),
    ("buildings", "建筑", r"\bbuildings?\b|\bhouses?\b|\bhomes?\b|\bvillas?\b"),
    ("roads", "道路", r"\broads?\b|\bstreets?\b|\bhighways?\b|\bavenues?\b"),
    ("cars", "汽车", r"\bcars?\b|\bvehicles?\b|\btrucks?\b"),
    ("water", "水", r"\bwaters?\b|\brivers?\b|\blakes?\b|\bponds?\b|\bseas?\b|\boceans?\b|\bpools?\b"),
    ("boats", "船", r"\bboats?\b|\bships?\b|\byachts?\b"),
    ("airplanes", "飞机", r"\b(?:air)?planes?\b|\baircrafts?\b"),
    ("grass", "草地", r"\bgrass\b|\blawns?\b|\bmeadows?\b|\bgrasslands?\b"),
    ("a bridge", "桥", r"\bbridges?\b"),
    ("a river", "河流", r"\brivers?\b"),
    ("a pond", "池塘", r"\bponds?\b|\blakes?\b"),
    ("a playground", "操场", r"\bplaygrounds?\b|\bfootball fields?\b"),
    ("a parking lot", "停车场", r"\bparking\b"),
    ("waves", "波浪", r"\bwaves?\b"),
    ("bare land", "裸地", r"\bbare ?lands?\b|\bdeserts?\b"),
    ("swimming pools", "游泳池", r"\bpools?\b"),
    ("farmland", "农田", r"\bfarmlands?\b|\bfields?\b"),
    ("railway tracks", "铁轨", r"\brailways?\b|\brails?\b|\btracks?\b"),
]


@dataclass(frozen=True)
class Denial:
    """A without B. ``judged`` (n,) pictures take part, ``right`` (n,) show A and not B, ``wrong`` (n,) A and B."""

    texts: dict[str, str]
    wanted: dict[str, str]
    denied: dict[str, str]
    judged: NDArray[np.bool_]
    right: NDArray[np.bool_]
    wrong: NDArray[np.bool_]


@dataclass(frozen=True)
class Described:
    """A text of picture number ``row``."""

    text: str
    row: int


@dataclass(frozen=True)
class Mosaic:
    """Pictures side by side in ``side`` x ``side`` cells, row by row; ``rows`` are their numbers."""

    side: int
    rows: tuple[int, ...]
    size: int = 224

    def windows(self) -> NDArray[np.int64]:
        """(cells, 5) level, x, y, width, height."""
        cells = [(at % self.side, at // self.side) for at in range(self.side**2)]
        return np.array([(1, x * self.size, y * self.size, self.size, self.size) for x, y in cells])

    def places(self) -> Places:
        return Places.of(self.windows())


@dataclass(frozen=True)
class Placed:
    """One relation asked in both languages; ``right`` are the numbers of the mosaics that show it."""

    kind: str
    texts: dict[str, str]
    right: set[int] = field(default_factory=set)


def denials(pictures: Sequence[CaptionedPicture], names: dict[str, dict[str, str]]) -> list[Denial]:
    """Every class and thing without every other thing, where enough pictures of both kinds are.

    A picture shows a thing when two of its captions name it, and not when none does; with one it does not take part.
    That captions are silent does not prove that the thing is not there: the measure is a lower bound, the same for all.
    """
    counts = {thing[0]: np.array([_named(picture, thing[2]) for picture in pictures]) for thing in _THINGS}
    wanted: list[tuple[dict[str, str], NDArray[np.bool_], str]] = [
        (texts, np.array([picture.scene_class == name for picture in pictures]), name) for name, texts in names.items()
    ]
    wanted += [({"en": one, "zh": two}, counts[one] >= 2, one) for one, two, _ in _THINGS]
    found = []
    for texts, shows, name in wanted:
        for english, chinese, _pattern in _THINGS:
            judged = counts[english] != 1
            right, wrong = judged & shows & (counts[english] == 0), judged & shows & (counts[english] >= 2)
            if english == name or min(right.sum(), wrong.sum()) < _FEWEST:
                continue
            found.append(
                Denial(
                    texts={"en": f"{texts['en']} without {english}", "zh": f"没有{chinese}的{texts['zh']}"},
                    wanted=texts,
                    denied={"en": english, "zh": chinese},
                    judged=judged,
                    right=right,
                    wrong=wrong,
                )
            )
    return found


def descriptions(pictures: Sequence[CaptionedPicture], *, joined: int, language: str) -> list[Described]:
    """The captions of the pictures, ``joined`` different ones of a picture in a text; in Chinese a rough rendering."""
    from imagery.encoders.builtin.chinese import chinese_caption

    chooser = random.Random(7)
    found = []
    for row, picture in enumerate(pictures):
        captions = list(dict.fromkeys(" ".join(caption.rstrip(" .").split()) for caption in picture.captions))
        if language == "zh":
            rendered = [chinese_caption(caption, chooser=chooser) for caption in captions]
            captions = list(dict.fromkeys(caption for caption in rendered if caption))
        end = "。" if language == "zh" else ". "
        for start in range(0, len(captions) - joined + 1, joined):
            found += [Described(end.join(captions[start : start + joined]), row)]
    return found


def mosaics(
    pictures: Sequence[CaptionedPicture], names: dict[str, dict[str, str]], *, side: int, count: int, seed: int = 11
) -> tuple[list[Mosaic], list[tuple[str, ...]]]:
    """Mosaics of pictures of different classes, each with its mirror image from left to right and from top to bottom.

    So every mosaic with A left of B has a partner with the same pictures and A right of B: knowing what is shown is
    not enough. Returned with the classes of their cells.
    """
    chooser = random.Random(seed)
    by_class = {name: [row for row, each in enumerate(pictures) if each.scene_class == name] for name in names}
    usable = [name for name, rows in by_class.items() if len(rows) >= _FEWEST]
    found: list[Mosaic] = []
    classes: list[tuple[str, ...]] = []
    for _ in range(count):
        drawn = chooser.sample(usable, side**2)
        rows = [chooser.choice(by_class[name]) for name in drawn]
        grid = np.arange(side**2).reshape(side, side)
        for cells in (grid, grid[:, ::-1], grid[::-1], grid.T):
            order = [int(cell) for cell in cells.reshape(-1)]
            found.append(Mosaic(side, tuple(rows[cell] for cell in order)))
            classes.append(tuple(drawn[cell] for cell in order))
    return found, classes


_KINDS = {
    "left": ("{a} left of {b}", "{b}左侧的{a}"),
    "right": ("{a} to the right of {b}", "{b}右侧的{a}"),
    "above": ("{a} above {b}", "{b}上方的{a}"),
    "below": ("{a} below {b}", "{b}下方的{a}"),
    "next_to": ("{a} next to {b}", "{b}旁边的{a}"),
    "near": ("{a} near {b}", "{b}附近的{a}"),
    "between": ("{a} between {b} and {c}", "{b}和{c}之间的{a}"),
    "surrounded": ("{a} surrounded by {b}", "被{b}包围的{a}"),
}


def rings(
    pictures: Sequence[CaptionedPicture], names: dict[str, dict[str, str]], *, count: int, seed: int = 13
) -> tuple[list[Mosaic], list[Placed]]:
    """Mosaics of 3 x 3 with one picture of a class among eight of another: in the middle, and at three corners.

    "Surrounded by" is right for the first of each four only, although all four show the same pictures.
    """
    chooser = random.Random(seed)
    by_class = {name: [row for row, each in enumerate(pictures) if each.scene_class == name] for name in names}
    usable = [name for name, rows in by_class.items() if len(rows) >= _FEWEST]
    made: list[Mosaic] = []
    questions: list[Placed] = []
    for pair in chooser.sample([(one, two) for one in usable for two in usable if one != two], count):
        texts = {
            language: _KINDS["surrounded"][at].format(a=names[pair[0]][language], b=names[pair[1]][language])
            for at, language in enumerate(LANGUAGES)
        }
        questions.append(Placed("surrounded", texts, {len(made)}))
        inner, ring = chooser.choice(by_class[pair[0]]), chooser.sample(by_class[pair[1]], 8)
        made += [Mosaic(3, (*ring[:cell], inner, *ring[cell:])) for cell in (4, 0, 2, 8)]
    return made, questions


def placed(
    mosaic_classes: Sequence[tuple[str, ...]], names: dict[str, dict[str, str]], *, side: int, most: int
) -> list[Placed]:
    """Questions of each kind about mosaics of ``side`` x ``side``: what stands so in at least one of them.

    Left, right, above and below: in the same row or column. Next to: side by side or one above the other. Near: that,
    or at a corner, among 3 x 3. Between: in the middle of a row or column of three.
    """
    found: dict[tuple[str, tuple[str, ...]], Placed] = {}
    for number, cells in enumerate(mosaic_classes):
        for kind, things in _standing(cells, side):
            texts = {
                language: _KINDS[kind][at].format(
                    **{key: names[name][language] for key, name in zip("abc", things, strict=False)}
                )
                for at, language in enumerate(LANGUAGES)
            }
            found.setdefault((kind, things), Placed(kind, texts)).right.add(number)
    chosen: list[Placed] = []
    for kind in _KINDS:
        of_kind = [question for (name, _), question in sorted(found.items()) if name == kind]
        chosen += random.Random(5).sample(of_kind, min(most, len(of_kind)))
    return chosen


def _standing(cells: tuple[str, ...], side: int) -> list[tuple[str, tuple[str, ...]]]:
    grid = [cells[row * side : (row + 1) * side] for row in range(side)]
    found: list[tuple[str, tuple[str, ...]]] = []
    for lines, before, after in ((grid, "left", "right"), (list(zip(*grid, strict=True)), "above", "below")):
        for line in lines:
            for one in range(side):
                for two in range(one + 1, side):
                    found += [(before, (line[one], line[two])), (after, (line[two], line[one]))]
                    if two == one + 1:
                        found += [("next_to", (line[one], line[two])), ("next_to", (line[two], line[one]))]
            if side == 3:
                found += [("between", (line[1], line[0], line[2])), ("between", (line[1], line[2], line[0]))]
    if side == 3:
        at = {cell: divmod(number, side) for number, cell in enumerate(cells)}
        near = [(a, b) for a in cells for b in cells if a != b and _steps(at[a], at[b]) == 1]
        found += [("near", pair) for pair in near]
    return found


def _steps(one: tuple[int, int], two: tuple[int, int]) -> int:
    return max(abs(one[0] - two[0]), abs(one[1] - two[1]))


def _named(picture: CaptionedPicture, pattern: str) -> int:
    return sum(bool(re.search(pattern, caption, re.IGNORECASE)) for caption in picture.captions)
