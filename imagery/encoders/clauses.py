"""Cut a text that is longer than an encoder reads into pieces that it reads whole. Pure functions.

The cut falls where the text itself pauses: between sentences if that is enough, else between clauses, else between
words, and inside a word only if nothing else fits (Chinese and Japanese have no spaces). Neighbours that fit
together stay together, so that a piece keeps as much of its context as the encoder can hold.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Each pattern ends a part, from the strongest pause to the weakest. A full stop, colon or comma ends one only before a
# space, so that "0.6 m", "10:30" and "1,200" stay whole; their Chinese forms stand without one.
_PAUSES: Final = (
    re.compile(r"(?<=[!?])\s+|(?<=[.;])\s+|(?<=[。！？；])\s*"),
    re.compile(r"(?<=[,:])\s+|(?<=[，、：])\s*"),
    re.compile(r"\s+"),
)

Count = Callable[[str], int]


def split(text: str, *, limit: int, count: Count) -> list[str]:
    """The pieces of a text, in order; each has `count(piece) <= limit`, the text alone if it fits itself.

    `count` gives the tokens of a text with the marks an encoder adds. White space at a cut is dropped, nothing else.
    A single character is a piece whatever it counts. Raises ValueError unless `limit` is positive.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}.")
    return _pieces(text.strip(), _PAUSES, limit, count)


def combined(rows: NDArray[np.float32], weights: Sequence[int]) -> NDArray[np.float32]:
    """(n, d) unit rows of the pieces -> (d,) unit vector of the text: their mean, weighted by the pieces' lengths.

    A piece's share of the text is its share of the vector, as it would be for an encoder that averages its tokens.
    """
    mean = np.asarray(weights, dtype=np.float32) @ rows
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)


def _pieces(text: str, pauses: Sequence[re.Pattern[str]], limit: int, count: Count) -> list[str]:
    if not text:
        return []
    if count(text) <= limit or len(text) == 1:
        return [text]
    if not pauses:
        return _cut(text, limit, count)
    pieces: list[str] = []
    for begin, end in _packed(text, _parts(text, pauses[0]), limit, count):
        pieces += _pieces(text[begin:end], pauses[1:], limit, count)
    return pieces


def _parts(text: str, pause: re.Pattern[str]) -> list[tuple[int, int]]:
    """Begin and end of each part in the text, without the white space between them."""
    parts, begin = [], 0
    for match in pause.finditer(text):
        parts.append((begin, match.start()))
        begin = match.end()
    parts.append((begin, len(text)))
    return [(begin, end) for begin, end in parts if end > begin]


def _packed(text: str, parts: Sequence[tuple[int, int]], limit: int, count: Count) -> list[tuple[int, int]]:
    """The parts with as many neighbours joined as fit; a part that does not fit itself stays alone."""
    packed: list[tuple[int, int]] = []
    for begin, end in parts:
        if packed and count(text[packed[-1][0] : end]) <= limit:
            packed[-1] = packed[-1][0], end
        else:
            packed.append((begin, end))
    return packed


def _cut(text: str, limit: int, count: Count) -> list[str]:
    """A text without any pause, in the longest beginnings that fit."""
    pieces = []
    while text:
        size = _longest(text, limit, count)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def _longest(text: str, limit: int, count: Count) -> int:
    """How many characters of the beginning fit, at least one; by halving: more characters are seldom fewer tokens."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if count(text[:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    return low
