"""Rough Chinese renderings of English captions, by a glossary, to train the text tower on both languages.

RSICD has English captions only. A word-by-word rendering is no good Chinese, but its words are right and
stand about where a Chinese speaker puts them ("many boats are in a port" -> "许多船在港口里"), which is what
a retrieval tower needs to learn that the Chinese words mean the same pictures.
"""

import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

_GLOSSARY_FILE: Final = Path(__file__).with_name("glossary_zh.txt")
_LONGEST_PHRASE_WORDS: Final = 4
_LEAST_COVERAGE: Final = 0.75
# English preposition -> what stands before and after its object in Chinese.
_PLACES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "in": ("在", ("里", "中", "内")),
    "inside": ("在", ("里",)),
    "into": ("在", ("里",)),
    "on": ("在", ("上",)),
    "at": ("在", ("",)),
    "near": ("在", ("附近", "旁边")),
    "by": ("在", ("旁边",)),
    "beside": ("在", ("旁边", "旁")),
    "besides": ("在", ("旁边",)),
    "next to": ("在", ("旁边", "旁")),
    "close to": ("在", ("附近",)),
    "around": ("在", ("周围", "四周")),
    "among": ("在", ("之间",)),
    "between": ("在", ("之间",)),
    "behind": ("在", ("后面",)),
    "surrounded by": ("被", ("包围", "环绕")),
    "surrounded with": ("被", ("包围",)),
    "semi-surrounded by": ("被", ("半包围",)),
    "semisurrounded by": ("被", ("半包围",)),
}
_ENDS_OF_OBJECT: Final = frozenset({"is", "are", "was", "were", "while", "which", "with", "that", ",", "has", "have"})


@cache
def glossary() -> dict[str, tuple[str, ...]]:
    """English word or phrase -> its Chinese renderings; an empty one means that Chinese needs no word there."""
    entries: dict[str, tuple[str, ...]] = {}
    for line in _GLOSSARY_FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            english, _, chinese = line.partition("=")
            entries[english] = tuple(chinese.split("|"))
    return entries


def _phrases(caption: str) -> tuple[list[str], float]:
    """The caption cut into the longest known phrases, and the share of its words that are known."""
    words = caption.lower().replace(",", " , ").replace(".", " ").split()
    known: list[str] = []
    covered = 0
    position = 0
    entries = glossary()
    while position < len(words):
        for length in range(min(_LONGEST_PHRASE_WORDS, len(words) - position), 0, -1):
            phrase = " ".join(words[position : position + length])
            if phrase in entries or phrase in _PLACES or phrase == ",":
                # A preposition outranks the glossary: it decides the order of the words.
                known.append(phrase)
                covered += length
                position += length
                break
        else:
            position += 1
    return known, covered / max(1, len(words))


def chinese_caption(caption: str, *, chooser: random.Random) -> str | None:
    """A rough Chinese rendering, synonyms drawn by `chooser`; None if too many words are not in the glossary."""
    phrases, coverage = _phrases(caption)
    if coverage < _LEAST_COVERAGE:
        return None
    entries = glossary()
    written: list[str] = []
    pending = ""
    for phrase in phrases:
        if phrase in _PLACES:
            before, after = _PLACES[phrase]
            written += [pending, before]
            pending = chooser.choice(after)
        elif phrase == ",":
            written += [pending, "，"]
            pending = ""
        else:
            if phrase in _ENDS_OF_OBJECT:
                written.append(pending)
                pending = ""
            written.append(chooser.choice(entries[phrase]))
    written.append(pending)
    sentence = "".join(written).strip("，")
    return sentence or None
