"""Examples in a query: "like this" and "not like this", by scene, box on a scene, picture, sketch or concept.

In an address each is one ``like=``: ``scene:ID``, ``box:ID:x,y,width,height``, ``image:ID``, ``sketch:ID`` or
``concept:ID``, each perhaps with ``*WEIGHT`` behind it. A weight below 0 means "not like this".
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput

FIELD: Final = "examples"
MAX_EXAMPLES: Final = 12
MIN_WEIGHT: Final = 0.1
MAX_WEIGHT: Final = 5.0
_SHOWN: Final = 60  # characters of a bad value in the sentence
_WRITTEN: Final = re.compile(
    r"(?P<kind>[a-z]+):(?P<id>[0-9A-Fa-f-]{32,36})(?::(?P<window>[\d,\s]+))?(?:\*(?P<weight>[^*]+))?"
)
_MOST_DIGITS: Final = 12
_LARGEST_SIDE: Final = 10**9  # pixels: more than any file has, and safe in the database


class ExampleKind(StrEnum):
    """What is given as an example."""

    SCENE = "scene"
    BOX = "box"
    IMAGE = "image"
    SKETCH = "sketch"
    CONCEPT = "concept"


@dataclass(frozen=True)
class ExampleGiven:
    """One example of a query.

    ``id`` is that of the scene (also of a box on it), of the ``QueryImage`` (also of a sketch) or of the concept;
    ``window`` is (x, y, width, height) in pixels of the scene, for a box only; ``weight`` is 0.1 to 5, or -0.1 to -5
    for what the hits should not be like.
    """

    kind: str
    id: UUID
    window: tuple[int, int, int, int] | None = None
    weight: float = 1.0

    def __str__(self) -> str:
        """Return the example as it stands in an address."""
        place = "" if self.window is None else ":" + ",".join(str(value) for value in self.window)
        return f"{self.kind}:{self.id}{place}" + ("" if self.weight == 1 else f"*{self.weight:g}")

    @property
    def thing(self) -> tuple[str, UUID, tuple[int, int, int, int] | None]:
        """What it is an example of, whatever it counts."""
        return self.kind, self.id, self.window

    def as_json(self) -> dict[str, Any]:
        """Return it as the API gives and takes it, and as it is kept with the query."""
        window = None if self.window is None else list(self.window)
        return {"kind": self.kind, "id": str(self.id), "window": window, "weight": self.weight}


def example_of(kept: Mapping[str, Any]) -> ExampleGiven:
    """Return the example of what ``as_json`` gave."""
    x, y, width, height = kept["window"] or (0, 0, 0, 0)
    window = (x, y, width, height) if kept["window"] else None
    return ExampleGiven(str(kept["kind"]), UUID(str(kept["id"])), window, float(kept["weight"]))


def examples_parse(
    given: Iterable[str | Mapping[str, Any]], *, most: int | None = MAX_EXAMPLES
) -> tuple[ExampleGiven, ...]:
    """Check how examples are written, each as in an address or as ``as_json`` gives it; not whether they exist.

    One that comes twice is there once, in its first place with its last weight; those of weight 0 are left out. Raises
    InvalidInput (field ``examples``) that names the example at fault, or says that there are more than ``most`` (None:
    any number).
    """
    found: dict[tuple[object, ...], ExampleGiven] = {}
    for number, each in enumerate(given, start=1):
        example = _written(each, number) if isinstance(each, str) else _told(each, number)
        found[example.thing] = example
    kept = tuple(example for example in found.values() if example.weight)
    if most is not None and len(kept) > most:
        raise InvalidInput(
            _("The query has %(found)d examples; %(most)d is the most. Leave some out.")
            % {"found": len(kept), "most": most},
            code="too_many_examples",
            field=FIELD,
        )
    return kept


def _written(text: str, number: int) -> ExampleGiven:
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise _refusal(
            _(
                "Example %(number)d, %(value)s, cannot be read. Write for example scene:ID, box:ID:x,y,width,height, "
                "image:ID, sketch:ID or concept:ID, and *2 behind it to make it count twice."
            ),
            number,
            text,
        )
    window = match["window"]
    parts = None if window is None else [_pixels(part.strip()) for part in window.split(",")]
    weight = 1.0 if match["weight"] is None else _weight(match["weight"], number)
    return _example(match["kind"], match["id"], parts, weight, number=number, told=text)


def _pixels(text: str) -> int:
    """Return the number, or -1, which no window has, for what is none or is longer than any."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else -1


def _told(each: Mapping[str, Any], number: int) -> ExampleGiven:
    window, weight = each.get("window"), each.get("weight", 1.0)
    kind, id = str(each.get("kind", "")), str(each.get("id", ""))
    return _example(kind, id, window, _weight(weight, number), number=number, told=f"{kind}:{id}")


def _example(kind: str, id: str, window: Any, weight: float, *, number: int, told: str) -> ExampleGiven:
    if kind not in set(ExampleKind):
        raise _refusal(
            _("Example %(number)d, %(value)s, is of an unknown kind. Write scene, box, image, sketch or concept."),
            number,
            told,
        )
    try:
        key = UUID(id)
    except ValueError:
        raise _refusal(_("Example %(number)d, %(value)s, has no id that can be read."), number, told) from None
    if kind != ExampleKind.BOX:
        if window:
            raise _refusal(_("Example %(number)d, %(value)s, has a box; only the kind box has one."), number, told)
        return ExampleGiven(str(ExampleKind(kind)), key, None, weight)
    numbers = list(window) if isinstance(window, list | tuple) else []
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in numbers)
    if len(numbers) != 4 or not whole or min(numbers[:2]) < 0 or min(numbers[2:]) < 1 or max(numbers) > _LARGEST_SIDE:
        raise _refusal(
            _("Example %(number)d, %(value)s, needs its box: x,y,width,height in whole pixels of the scene."),
            number,
            told,
        )
    x, y, width, height = numbers
    return ExampleGiven(str(ExampleKind.BOX), key, (x, y, width, height), weight)


def _weight(raw: Any, number: int) -> float:
    try:
        value = math.nan if isinstance(raw, bool) else float(raw)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if value == 0 or MIN_WEIGHT <= abs(value) <= MAX_WEIGHT:
        return value
    raise _refusal(
        _(
            "The weight of example %(number)d is %(value)s; write a number from 0.1 to 5, or from -0.1 to -5 for what "
            "the hits should not be like."
        ),
        number,
        str(raw),
    )


def _refusal(message: str, number: int, told: str) -> InvalidInput:
    return InvalidInput(message % {"number": number, "value": repr(told[:_SHOWN])}, field=FIELD)
