"""Cutting a text into words of the glossary by longest match, numbers, and what is not Chinese."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from search.translation.glossary import Glossary, Kind, Term, glossary
from search.translation.numerals import numeral_value
from search.translation.traditional import simplified

HAN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff〇]")
_PIECES: Final = re.compile(
    r"(?P<han>[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff〇]+)"
    r"|(?P<shape>[A-Za-z](?=字?[形型]))"
    r"|(?P<number>\d+(?:\.\d+)?(?![\w.]*[A-Za-z]))"
    r"|(?P<latin>[^\W\d_](?:[^\W_]|['’./-](?=[^\W_]))*|\d[^\W_]*)"
    r"|(?P<comma>[、&+/])"
    r"|(?P<break>[^\w\s])",
)
_LATIN_WORD: Final = re.compile(r"[^\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff〇]+")
_NUMERAL: Final = re.compile(r"[零〇一壹二两贰俩三叁仨四肆五伍六陆七柒八捌九玖十拾百佰千仟万]+")
_SHAPE_WORDS: Final = ("字形", "字型", "形", "型")
_BREAK: Final = Term(Kind.SKIP, "")


@dataclass(frozen=True)
class Token:
    """A word of the text as written (simplified). ``value`` is that of a number; ``term`` of an unknown word has no
    English."""

    text: str
    term: Term
    value: float | None = None
    is_break: bool = False

    @property
    def kind(self) -> Kind:
        return self.term.kind


def tokens(text: str) -> list[Token]:
    """Return the words of a text in order; nothing but blanks is lost. Traditional characters become simplified."""
    found: list[Token] = []
    chinese = simplified(unicodedata.normalize("NFKC", text))
    for piece in _PIECES.finditer(chinese):
        word = piece.group()
        if piece.lastgroup == "han":
            _han(word, chinese, found)
        elif piece.lastgroup == "shape":
            found.append(Token(word, Term(Kind.ADJECTIVE, f"{word.upper()}-shaped", rank=3)))
        elif piece.lastgroup == "number":
            found.append(Token(word, Term(Kind.NUMBER, word), float(word)))
        elif piece.lastgroup == "comma":
            found.append(Token(word, Term(Kind.CONJUNCTION, "and")))
        elif piece.lastgroup == "latin":
            found += [Token(part, Term(Kind.NOUN, part, part)) for part in _LATIN_WORD.findall(word)]
            rest = "".join(HAN.findall(word))
            if rest:
                _han(rest, chinese, found)
        else:
            found.append(Token(word, _BREAK, is_break=True))
    return found


def segments(run: str, words: Glossary) -> list[str]:
    """Cut a run of Chinese characters into glossary words, so that the fewest characters are left over, in the fewest
    words, and the earlier word is the longer one where that leaves a choice. Characters between known words stay
    together as one unknown word."""
    best: list[tuple[int, int, int]] = [(0, 0, 0)] * (len(run) + 1)  # (characters left over, words, length here)
    for start in range(len(run) - 1, -1, -1):
        left, count, length = best[start + 1]
        # An unknown character joins an unknown neighbour: then it is no further word.
        joins = length < 0
        choice = (left + 1, count + (not joins), -1)
        for size in range(1, min(words.longest, len(run) - start) + 1):
            if run[start : start + size] in words or _NUMERAL.fullmatch(run[start : start + size]):
                left, count, _length = best[start + size]
                candidate = (left, count + 1, size)
                if (candidate[0], candidate[1], -candidate[2]) < (choice[0], choice[1], -choice[2]):
                    choice = candidate
        best[start] = choice
    cut: list[str] = []
    start = 0
    unknown = False
    while start < len(run):
        size = best[start][2]
        if size < 0 and unknown:
            cut[-1] += run[start]
        else:
            cut.append(run[start : start + abs(size)])
        unknown = size < 0
        start += abs(size)
    return cut


def _han(run: str, text: str, found: list[Token]) -> None:
    words = glossary()
    for word in segments(run, words):
        found.append(_token(word, text, words, found[-1] if found else None))


def _token(word: str, text: str, words: Glossary, before: Token | None) -> Token:
    counted = before is not None and before.kind in (Kind.NUMBER, Kind.QUANTITY) and not before.is_break
    if word in words.measures and (counted or word not in words.words):
        return Token(word, Term(Kind.MEASURE if counted else Kind.SKIP, words.measures[word]))
    if word in _SHAPE_WORDS and before is not None and before.term.english.endswith("-shaped"):
        return Token(word, Term(Kind.SKIP, ""))
    term = words.words.get(word)
    if word in words.senses and any(hint in text for hint in words.senses[word][0]):
        term = words.senses[word][1]
    if term is not None and term.kind is not Kind.NUMBER:
        return Token(word, term)
    value = numeral_value(word) if _NUMERAL.fullmatch(word) else None
    if value is not None:
        return Token(word, Term(Kind.NUMBER, str(value)), float(value))
    return Token(word, term or Term(Kind.UNKNOWN, ""))
