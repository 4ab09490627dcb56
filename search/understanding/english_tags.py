"""What each English word does in a query: content, or a little word that says how the query is built."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from search.understanding.lexer import Word
from search.understanding.little_words import little_words, relations
from search.understanding.plan import RelationKind

_LONGEST: Final = 6  # words of the longest phrase


class Role(StrEnum):
    """What words do."""

    CONTENT = "content"
    LITERAL = "literal"
    COMMA = "comma"
    STOP = "stop"
    LEAD = "lead"
    JOINT = "joint"
    EITHER = "either"
    NEGATION = "negation"
    RELATION = "relation"
    THERE = "there"


@dataclass(frozen=True)
class Tag:
    """The role of the words from ``start`` to ``end``; ``kind`` of a relation, ``swapped`` when A around B."""

    role: Role
    start: int
    end: int
    kind: RelationKind | None = None
    swapped: bool = False
    phrase: str = ""


def tags_of(words: Sequence[Word]) -> list[Tag]:
    """Return the roles of all words in order, longest phrases first."""
    found: list[Tag] = []
    at = 0
    fresh = True  # At the beginning of a sentence.
    while at < len(words):
        tag = _tag(words, at, fresh)
        found.append(tag)
        fresh = tag.role is Role.STOP or (fresh and tag.role in (Role.LEAD, Role.COMMA))
        at = tag.end
    return found


def _tag(words: Sequence[Word], at: int, fresh: bool) -> Tag:
    word = words[at]
    if word.pause:
        return Tag(Role.COMMA if word.pause == "," else Role.STOP, at, at + 1)
    if word.mark:
        return Tag(Role.LITERAL, at, at + 1)
    if word.term is not None:
        return Tag(Role.CONTENT, at, at + 1)
    run: list[str] = []
    for other in words[at : at + _LONGEST]:
        if other.pause or other.mark:
            break
        run.append(other.text.lower().replace("’", "'"))
    for size in range(len(run), 0, -1):
        phrase = " ".join(run[:size])
        tag = _phrase(phrase, at, at + size, fresh)
        if tag is not None and not (phrase == "no" and _is_number_sign(words, at)):
            return tag
    return Tag(Role.CONTENT, at, at + 1)


def _phrase(phrase: str, start: int, end: int, fresh: bool) -> Tag | None:
    if phrase in little_words("inert"):
        return Tag(Role.CONTENT, start, end)
    if phrase in little_words("there"):
        return Tag(Role.THERE, start, end)
    if phrase in relations():
        return Tag(Role.RELATION, start, end, relations()[phrase], phrase=phrase)
    if phrase in little_words("around"):
        return Tag(Role.RELATION, start, end, RelationKind.SURROUNDED, swapped=True, phrase=phrase)
    if phrase in little_words("negation"):
        return Tag(Role.NEGATION, start, end, phrase=phrase)
    if phrase in little_words("also") or phrase in little_words("joint"):
        return Tag(Role.JOINT, start, end, phrase=phrase)
    if phrase == "or":
        return Tag(Role.EITHER, start, end)
    if fresh and phrase in little_words("lead"):
        return Tag(Role.LEAD, start, end)
    return None


def _is_number_sign(words: Sequence[Word], at: int) -> bool:
    """No. 5"""
    following = [word.text for word in words[at + 1 : at + 3]]
    return following[:1] == ["."] and following[1:] != [] and following[1][0].isdigit()
