"""The examples of a query as the page shows them: what each is, what it can be made to count, the search without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput
from search.chips import Choice
from search.examples_given import ExampleGiven, ExampleKind, examples_parse
from search.examples_seen import SeenExample, examples_seen

if TYPE_CHECKING:
    from imagery.querysets import Viewer
    from search.forms import SearchForm

_WEIGHTS: Final = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0)
_SHOWN: Final = 60  # characters of what cannot be read


@dataclass(frozen=True)
class ExampleChip:
    """One example. ``like`` is what the form sends, the ``value`` of each choice the same with that weight.

    ``there`` is False if the thing is gone or hidden from this person, or ``like`` cannot be read. ``title`` is never
    empty; ``picture`` and ``page`` (addresses) may be. ``without_it`` is the query string of the search without it, ""
    if nothing would be left to look for. A box has its ``window`` (x, y, width, height) on a scene of
    ``size``, in pixels.
    """

    like: str
    kind: str
    label: str
    title: str
    there: bool
    picture: str = ""
    page: str = ""
    weight: float = 1.0
    choices: Sequence[Choice] = ()
    without_it: str = ""
    window: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None

    @property
    def minus(self) -> bool:
        """Whether hits should not be like it."""
        return self.weight < 0


def example_chips(*, user: Viewer, form: SearchForm) -> list[ExampleChip]:
    """Return the examples of a form in their order, also those that cannot be used; three statements at most."""
    read: list[ExampleGiven | None] = []
    for like in form.like:
        try:
            found = examples_parse([like])
        except InvalidInput:
            read.append(None)
        else:
            read.append(found[0] if found else None)
    seen = {each.given: each for each in examples_seen(user=user, examples=[given for given in read if given])}
    chips = []
    last = {given.thing: given for given in read if given}
    shown: set[object] = set()
    for number, (like, given) in enumerate(zip(form.like, read, strict=True)):
        if given is None:
            without = form.examples_querystring([each for place, each in enumerate(form.like) if place != number])
            chips.append(
                ExampleChip(
                    like=like, kind="", label=_("cannot be read"), title=like[:_SHOWN], there=False, without_it=without
                )
            )
        elif given.thing not in shown:  # Of the same thing twice the last weight counts.
            shown.add(given.thing)
            rest = [
                each for each, other in zip(form.like, read, strict=True) if other is None or other.thing != given.thing
            ]
            chips.append(_chip(replace(seen[given], given=last[given.thing]), form.examples_querystring(rest)))
    return chips


def _chip(seen: SeenExample, without: str) -> ExampleChip:
    given = seen.given
    weights = sorted({*_WEIGHTS, given.weight})
    title = seen.title or (_("without a name") if seen.there else _("gone, or not shared with you"))
    return ExampleChip(
        like=str(given),
        kind=given.kind,
        label=_labels()[ExampleKind(given.kind)],
        title=title,
        there=seen.there,
        picture=seen.picture,
        page=seen.page,
        weight=given.weight,
        choices=[
            Choice(str(replace(given, weight=value)), weight_label(value), value == given.weight) for value in weights
        ],
        without_it=without,
        window=given.window,
        size=seen.size,
    )


def weight_label(value: float) -> str:
    """Return what an example of this weight does, for people."""
    amount = f"×{abs(value):g}"
    return _("not like this %(amount)s") % {"amount": amount} if value < 0 else amount


def _labels() -> dict[ExampleKind, str]:
    return {
        ExampleKind.SCENE: _("like the scene"),
        ExampleKind.BOX: _("like the part of"),
        ExampleKind.IMAGE: _("like the picture"),
        ExampleKind.SKETCH: _("like the sketch (experimental)"),
        ExampleKind.CONCEPT: _("concept"),
    }
