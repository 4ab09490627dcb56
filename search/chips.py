"""The chips of an answer as the page shows them: what each can be changed to, and the search without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from search.understanding import ChipKind, RelationKind, relation_read

if TYPE_CHECKING:
    from search.forms import SearchForm

_WEIGHTS: Final[Mapping[ChipKind, Sequence[float]]] = {
    ChipKind.CLAUSE: (-1, 0.5, 1, 2, 3),
    ChipKind.WITHOUT: (-2, -1, -0.5, 1),
    ChipKind.RELATION: (0, 0.5, 1, 2),
    ChipKind.ATTRIBUTE: (0, 0.5, 1, 2),
}


@dataclass(frozen=True)
class Choice:
    """A weight that a chip can be given."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class ShownChip:
    """A part of the query. ``words`` is its text for people, ``text`` and ``weight`` what the form sends.

    ``without_it`` is the query string of the search without the chip; "" if nothing would be left to look for.
    """

    kind: str
    label: str
    words: str
    text: str
    weight: str
    choices: Sequence[Choice]
    without_it: str
    idle: bool


@dataclass(frozen=True)
class ShownChips:
    """All chips of an answer. ``given`` are those a person set; ``anew`` is the search as the portal understands it."""

    chips: Sequence[ShownChip]
    given: bool
    anew: str


def chips_shown(*, form: "SearchForm", parsed: Mapping[str, Any]) -> ShownChips | None:
    """Return the chips of a kept query (``Query.parsed``); None when there is nothing to change.

    That is a query of one clause and nothing else, unless a person made it so, or one kept before there were chips.
    """
    entries = [dict(each) for each in parsed.get("clauses", ())]
    given = bool(parsed.get("given"))
    if len(entries) < 2 and not given:
        return None
    for each in entries:
        if not each["counts"]:
            each["weight"] = 0.0
    pairs = [(str(each["text"]), _plain(each["weight"])) for each in entries]
    wanted = sum(each["kind"] == ChipKind.CLAUSE for each in entries)
    chips = []
    for number, each in enumerate(entries):
        kind = ChipKind(each["kind"])
        rest = [pair for other, pair in enumerate(pairs) if other != number and pair[1] != "0"]
        last = kind is ChipKind.CLAUSE and wanted == 1
        chips.append(
            ShownChip(
                kind=kind.value,
                label=_labels()[kind],
                words=relation_words(each["text"]) if kind is ChipKind.RELATION else each["text"],
                text=each["text"],
                weight=pairs[number][1],
                choices=_choices(kind, each["weight"]),
                without_it="" if last or each["weight"] == 0 else form.clauses_querystring(rest),
                idle=each["weight"] == 0,
            )
        )
    return ShownChips(chips=chips, given=given, anew=form.clauses_querystring(()))


def relation_words(text: str) -> str:
    """Return a relation for people, in the language of the page; the text itself if it is none."""
    relation = relation_read(text)
    if relation is None:
        return text
    things = pgettext("things of a relation", " and ").join(relation.objects)
    return _relation_labels()[relation.kind] % {"a": relation.subject, "b": things}


def _choices(kind: ChipKind, weight: float) -> list[Choice]:
    values = sorted({*_WEIGHTS[kind], weight})
    return [Choice(_plain(value), _weight_label(kind, value), value == weight) for value in values]


def _weight_label(kind: ChipKind, value: float) -> str:
    if value == 0:
        return _("as in the text") if kind is ChipKind.ATTRIBUTE else _("not counted")
    amount = f"×{abs(value):g}"
    return _("without %(amount)s") % {"amount": amount} if value < 0 else amount


def _labels() -> dict[ChipKind, str]:
    return {
        ChipKind.CLAUSE: _("look for"),
        ChipKind.WITHOUT: _("without"),
        ChipKind.RELATION: _("where"),
        ChipKind.ATTRIBUTE: _("attribute"),
    }


def _relation_labels() -> dict[RelationKind, str]:
    return {
        RelationKind.LEFT: _("%(a)s left of %(b)s"),
        RelationKind.RIGHT: _("%(a)s right of %(b)s"),
        RelationKind.ABOVE: _("%(a)s above %(b)s"),
        RelationKind.BELOW: _("%(a)s below %(b)s"),
        RelationKind.NEAR: _("%(a)s near %(b)s"),
        RelationKind.NEXT_TO: _("%(a)s next to %(b)s"),
        RelationKind.BETWEEN: _("%(a)s between %(b)s"),
        RelationKind.SURROUNDED: _("%(a)s surrounded by %(b)s"),
    }


def _plain(value: float) -> str:
    return f"{float(value):g}"
