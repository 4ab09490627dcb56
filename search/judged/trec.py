"""TREC files: judgements (qrels, ``qid 0 docid grade``) and topics (``qid<TAB>text``). Pure text, no rows.

A document id with white space in it (a file name) is written with percent signs (``a%20b.tif``), which is undone when
it is read, so that every name survives the trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import unquote

from django.utils.translation import gettext as _

Line = TypeVar("Line")

MOST_GRADE: Final = 3
MOST_KEY: Final = 60  # characters of a query's number, as the column has
_SHOWN: Final = 60
_BOM: Final = "\ufeff"


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be used, and why (a sentence)."""

    file: str
    number: int
    reason: str

    def __str__(self) -> str:
        return _("%(file)s, line %(number)d: %(reason)s") % {
            "file": self.file, "number": self.number, "reason": self.reason,
        }  # fmt: skip


@dataclass(frozen=True)
class Qrel:
    """A judgement: the query's id, the document's id as it was meant (not as it was written), 0 to 3."""

    number: int
    key: str
    document: str
    grade: int


@dataclass(frozen=True)
class Topic:
    """A query: its id and its words."""

    number: int
    key: str
    text: str


def qrels_read(lines: Iterable[str], *, file: str) -> tuple[list[Qrel], list[BadLine]]:
    """Return the judgements of a qrels file in its order, and its bad lines. Blank lines are passed over."""
    return _read(lines, file, _qrel)


def topics_read(lines: Iterable[str], *, file: str) -> tuple[list[Topic], list[BadLine]]:
    """Return the queries of a topics file in its order, and its bad lines. Blank lines are passed over."""
    return _read(lines, file, _topic)


def qrel_line(*, key: str, document: str, grade: int) -> str:
    """Return a line of a qrels file, without its end."""
    return f"{key} 0 {_quoted(document)} {grade}"


def topic_line(*, key: str, text: str) -> str:
    """Return a line of a topics file, without its end; white space within the text becomes single spaces."""
    return f"{key}\t{' '.join(text.split())}"


def _read(lines: Iterable[str], file: str, parse: Callable[[int, str], Line]) -> tuple[list[Line], list[BadLine]]:
    found: list[Line] = []
    bad: list[BadLine] = []
    for number, line in _numbered(lines):
        try:
            found.append(parse(number, line))
        except ValueError as error:
            bad.append(BadLine(file=file, number=number, reason=str(error)))
    return found, bad


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(_BOM) if number == 1 else line
        if text.strip():
            yield number, text.rstrip("\r\n")


def _qrel(number: int, line: str) -> Qrel:
    parts = line.split()
    if len(parts) != 4:
        raise ValueError(
            _("it has %(found)d columns; a judgement has four: query, 0, scene, grade.") % {"found": len(parts)}
        )
    key, _iteration, document, grade = parts
    _check_key(key)
    if grade not in {str(each) for each in range(MOST_GRADE + 1)}:
        raise ValueError(_("the grade is %(grade)s; it must be 0, 1, 2 or 3.") % {"grade": repr(grade[:_SHOWN])})
    return Qrel(number=number, key=key, document=unquote(document), grade=int(grade))


def _topic(number: int, line: str) -> Topic:
    key, tab, text = line.partition("\t")
    key, text = key.strip(), text.strip()
    if not tab or not key or not text:
        raise ValueError(_("a query is written as its number, a tab, and its words."))
    _check_key(key)
    return Topic(number=number, key=key, text=text)


def _check_key(key: str) -> None:
    if len(key) > MOST_KEY or any(char.isspace() for char in key):
        raise ValueError(
            _("%(key)s is no query number: at most %(most)d characters, no spaces.")
            % {"key": repr(key[:_SHOWN]), "most": MOST_KEY}
        )


def _quoted(document: str) -> str:
    """Percent signs and white space (all that ``str.split`` parts at) as percent and hexadecimal UTF-8."""
    return "".join(_percent(char) if char == "%" or char.isspace() else char for char in document)


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())
