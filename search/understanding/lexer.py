"""Cutting a query into words, with the marks of the query syntax: "quoted phrases", -left-out words, weights^2."""

import re
from dataclasses import dataclass
from typing import Final

from search.translation.glossary import Kind, Term
from search.translation.lexer import HAN, tokens
from search.understanding.little_words import little_words
from search.understanding.plan import MAX_WEIGHT, MIN_WEIGHT

_WEIGHT: Final = r"(?:\^(?P<weight{0}>\d{{1,3}}(?:\.\d{{1,2}})?)(?![\w.]))?"
_HAN: Final = HAN.pattern
# A minus sign leaves out only at the beginning of a word: "no-fly", "red-roofed" and "2-3" have hyphens.
_PIECES: Final = re.compile(
    r'(?P<minus>(?<![^\s,;、，。(])[-−](?=["“「『]|[^\W_]))?'
    r"(?:"
    r'(?:"(?P<plain>[^"]*[^\W_][^"]*)"|“(?P<curly>[^“”]*[^\W_][^“”]*)”'
    r"|「(?P<corner>[^「」]*[^\W_][^「」]*)」|『(?P<double>[^『』]*[^\W_][^『』]*)』)" + _WEIGHT.format(1) + "|"
    r"(?P<han>" + _HAN + r"+)" + _WEIGHT.format(2) + "|"
    # "No. 5" is one word.
    r"(?P<word>(?i:no)\.\s?\d+|(?:(?!"
    + _HAN
    + r")[^\W_])+(?:['’.-](?:(?!"
    + _HAN
    + r")[^\W_])+)*)"
    + _WEIGHT.format(3)
    + ")"
    r"|(?P<comma>[,、/&+:：])"
    r"|(?P<stop>[.;!?。！？；])"
)
# Words that begin like a negation and are none, and one that is glued to what it denies.
_WHOLE: Final = re.compile("|".join(sorted(little_words("chinese whole words"), key=lambda word: (-len(word), word))))
_NOT_ONLY: Final = re.compile("不仅仅|不仅|不但|不只|不单")
_EXCEPT: Final = re.compile(
    "除了|除去|除开|不要有|不能有|不应有|并没有|并无|看不见|非(?=[\u4e00-\u9fff]{1,3}色)|无(?=云|雾|雪)"
)
_BESIDES: Final = re.compile("还|也")  # 除了A还有B: B besides A
_BESIDES_TERM: Final = Term(Kind.SKIP, "")
_WITHOUT_TERM: Final = Term(Kind.LINK, "without")


@dataclass(frozen=True)
class Word:
    """A word of the text: where it stands, and what the glossary says of a Chinese one (None for others).

    ``mark`` is "" for plain words, "quoted", "minus", or "weighted"; ``pause`` is "," or "." for what is no word.
    """

    text: str
    start: int
    end: int
    term: Term | None = None
    mark: str = ""
    weight: float = 1.0
    pause: str = ""

    @property
    def kind(self) -> Kind:
        """Return what a Chinese word does in its phrase; anything else is a noun as far as the grammar goes."""
        return self.term.kind if self.term is not None else Kind.NOUN

    @property
    def english(self) -> str:
        """Return the glossary's English of a Chinese word, the word itself in lower case for others."""
        return self.term.english if self.term is not None else self.text.lower()


def words_of(text: str) -> list[Word]:
    """Return words and pauses of a normalised text in order. Never raises; unpaired marks mean nothing."""
    found: list[Word] = []
    for piece in _PIECES.finditer(text):
        quoted = next((piece[name] for name in ("plain", "curly", "corner", "double") if piece[name]), None)
        start, end = piece.span()
        if piece["comma"] or piece["stop"]:
            found.append(Word(piece.group(), start, end, pause="," if piece["comma"] else "."))
        elif quoted is not None:
            mark = "minus" if piece["minus"] else "quoted"
            found.append(Word(" ".join(quoted.split()), start, end, mark=mark, weight=_weight(piece["weight1"])))
        elif piece["minus"] or piece["weight2"] or piece["weight3"]:
            mark = "minus" if piece["minus"] else "weighted"
            weight = _weight(piece["weight2"] or piece["weight3"])
            found.append(Word(piece["han"] or piece["word"], start, end, mark=mark, weight=weight))
        elif piece["han"]:
            found += _chinese(piece["han"], start)
        else:
            found.append(Word(piece["word"], start, end))
    return found


def _weight(text: str | None) -> float:
    return min(max(float(text), MIN_WEIGHT), MAX_WEIGHT) if text else 1.0


def _chinese(run: str, start: int) -> list[Word]:
    """A run of Chinese characters as words of the glossary; what only looks like a negation stays one word."""
    found: list[Word] = []
    at = plain = 0
    while at < len(run):
        special = _NOT_ONLY.match(run, at) or _EXCEPT.match(run, at) or _WHOLE.match(run, at)
        if special is None:
            at += 1
            continue
        found += _glossed(run[plain:at], start + plain)
        found.append(_special(special.group(), start + at, run[special.end() :]))
        at = plain = special.end()
    return found + _glossed(run[plain:], start + plain)


def _special(word: str, start: int, rest: str) -> Word:
    end = start + len(word)
    if _NOT_ONLY.fullmatch(word) or (word.startswith("除") and _BESIDES.search(rest)):
        return Word(word, start, end, _BESIDES_TERM)
    if not _WHOLE.fullmatch(word):
        return Word(word, start, end, _WITHOUT_TERM)
    known = tokens(word)
    term = known[0].term if len(known) == 1 and known[0].kind is not Kind.UNKNOWN else Term(Kind.NOUN, word)
    return Word(word, start, end, term)


def _glossed(run: str, start: int) -> list[Word]:
    """Words of the glossary with their places: it writes each character of the text as one simplified character."""
    found: list[Word] = []
    at = 0
    for token in tokens(run):
        size = len(token.text)
        found.append(Word(run[at : at + size], start + at, start + at + size, token.term))
        at += size
    return found
