"""Reading one large JSON object member by member, and the features of a FeatureCollection one by one."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from json.decoder import JSONDecoder
from typing import Any, BinaryIO, Final

from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput

VALUE_MOST_CHARACTERS: Final = 64 * 1024 * 1024
_CHUNK_BYTES: Final = 256 * 1024
_SPACE: Final = " \t\r\n"
_LISTED: Final = "features"


class NotJson(InvalidInput):
    """The text is no JSON object; the message says where it breaks."""

    code = "not_json"


def members(file: BinaryIO, *, name: str) -> Iterator[tuple[str, Any]]:
    """Yield (key, value) of the object in ``file``, in their order; of ``features`` each element, one by one.

    Memory holds one value at a time. Raises NotJson naming ``name``.
    """
    yield from _Scanner(file, name).members()


class _Scanner:
    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at, self._passed, self._end = "", 0, 0, False
        self._decoder = JSONDecoder()

    def members(self) -> Iterator[tuple[str, Any]]:
        self._expect("{")
        if self._peek() == "}":
            return
        while True:
            key = self._value()
            if not isinstance(key, str):
                raise self._broken("a name in double quotes is missing")
            self._expect(":")
            if key == _LISTED and self._peek() == "[":
                for element in self._elements():
                    yield key, element
            else:
                yield key, self._value()
            if self._next() == "}":
                return

    def _elements(self) -> Iterator[Any]:
        self._expect("[")
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            yield self._value()
            if self._next("]") == "]":
                return

    def _next(self, closing: str = "}") -> str:
        found = self._peek()
        if found not in {",", closing}:
            raise self._broken(f"“,” or “{closing}” is missing")
        self._at += 1
        return found

    def _expect(self, wanted: str) -> None:
        if self._peek() != wanted:
            raise self._broken(f"“{wanted}” is missing")
        self._at += 1

    def _peek(self) -> str:
        while True:
            while self._at < len(self._text):
                if (found := self._text[self._at]) not in _SPACE:
                    return found
                self._at += 1
            if not self._more():
                return ""

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._more():
                    raise self._broken(error.msg) from error
                continue
            except RecursionError as error:
                raise self._broken("it is nested too deeply") from error
            if end == len(self._text) and self._more():  # A number may go on.
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        """Read on, the more the longer the value at hand is; return False at the end."""
        if self._end:
            return False
        left = len(self._text) - self._at
        if left > VALUE_MOST_CHARACTERS:
            raise self._broken("one value is too long")
        chunk = self._file.read(max(_CHUNK_BYTES, left))
        self._end = not chunk
        self._passed += self._at
        try:
            self._text, self._at = self._text[self._at :] + self._decode.decode(chunk, final=self._end), 0
        except UnicodeDecodeError as error:
            raise self._broken("it is not UTF-8") from error
        return not self._end

    def _broken(self, reason: str) -> NotJson:
        return NotJson(
            _("%(name)s is not JSON: %(reason)s.")
            % {"name": self._name, "reason": f"{reason} (character {self._passed + self._at + 1})"}
        )
