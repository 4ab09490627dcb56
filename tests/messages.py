"""Finds every text of the sources that is marked for translation, with nothing but Python.

GNU gettext's ``xgettext`` finds the same texts; it is not needed, so the check runs on every machine.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from django.utils.translation.template import templatize

ROOT: Final = Path(__file__).resolve().parents[1]
CATALOGUE: Final = ROOT / "rsportal" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
_PACKAGES: Final = ("rsportal", "imagery", "search")
_QUOTED: Final = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_TEMPLATE_CALL: Final = re.compile(rf"(?<!\w)(?:_|n?p?gettext)\((?:{_QUOTED}|[^()'\"])*\)")
# Name of the function, without _lazy and _noop: how many of its arguments are context, text, plural.
_ARGUMENTS: Final = {
    "_": ("id",),
    "gettext": ("id",),
    "ngettext": ("id", "plural"),
    "pgettext": ("context", "id"),
    "npgettext": ("context", "id", "plural"),
}


class Message(NamedTuple):
    """One text of the sources: what a catalogue is looked up by."""

    id: str
    plural: str = ""
    context: str = ""


def source_messages() -> dict[Message, Path]:
    """Return every text marked for translation in Python files and templates, with a file that holds it."""
    found: dict[Message, Path] = {}
    for package in _PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for message in python_messages(path.read_text(encoding="utf-8")):
                found.setdefault(message, path.relative_to(ROOT))
    for path in sorted(each for each in (ROOT / "templates").rglob("*") if each.is_file()):
        for message in template_messages(path.read_text(encoding="utf-8")):
            found.setdefault(message, path.relative_to(ROOT))
    return found


def python_messages(source: str) -> Iterator[Message]:
    """Yield the literal texts given to gettext functions. A call with anything else is no new text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            names = _ARGUMENTS.get(function.removesuffix("_lazy").removesuffix("_noop"), ())
            values = [each.value for each in node.args[: len(names)] if isinstance(each, ast.Constant)]
            if names and len(values) == len(names):
                yield Message(**dict(zip(names, map(str, values), strict=True)))


def template_messages(source: str) -> Iterator[Message]:
    """Yield the texts of ``{% translate %}``, ``{% blocktranslate %}`` and ``_("...")`` in a template."""
    for call in _TEMPLATE_CALL.findall(templatize(source)):
        yield from python_messages(call.replace("\n", "\\n"))
