"""Why a hit is where it is, in sentences: what the stages noted (``search.ranking.explain``), for people."""

from collections.abc import Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def reason_lines(reason: Mapping[str, Any]) -> list[str]:
    """Return the sentences, most general first; [] for a ranking made before reasons were kept.

    What a stage noted in a form that is not known here (it was made by another version) is left out.
    """
    lines: list[str] = []
    if (similarity := _number(reason.get("similarity"))) is not None:
        lines.append(_("Words and picture: similarity %(value)s") % {"value": _told(similarity)})
    if (corrected := _number(reason.get("normalise"))) is not None:
        lines.append(_("Without what all pictures have in common: %(value)s") % {"value": _told(corrected)})
    lines += _clauses(reason.get("clauses"))
    lines += _windows(reason.get("windows"))
    if isinstance(reason.get("regions"), list):
        lines.append(_("A quarter of it matches much better than all of it"))
    if moved := _places(reason, "relations"):
        lines.append(_("Where things lie to each other: %(places)s") % {"places": moved})
    if moved := _places(reason, "diffuse"):
        lines.append(_("Looks like other good matches: %(places)s") % {"places": moved})
    return lines + _second_look(reason)


def _clauses(noted: Any) -> list[str]:
    """``[[words, share], ...]``; a negative share is what "without" took away."""
    return [
        _("Part “%(words)s”: %(value)s") % {"words": str(entry[0]), "value": _told(share, sign=True)}
        for entry in (noted if isinstance(noted, list) else ())
        if isinstance(entry, list | tuple) and len(entry) == 2 and (share := _number(entry[1])) is not None
    ]


def _windows(noted: Any) -> list[str]:
    if not isinstance(noted, Mapping) or not isinstance(noted.get("seen"), int):
        return []
    more, seen = noted.get("more"), noted["seen"]
    count = len(more) if isinstance(more, list) else 0
    if not count:
        return []
    told = ngettext(
        "%(count)d more place in the scene matches (%(seen)d parts compared)",
        "%(count)d more places in the scene match (%(seen)d parts compared)",
        count,
    )
    return [told % {"count": count, "seen": seen}]


def _second_look(reason: Mapping[str, Any]) -> list[str]:
    noted = reason.get("cross_encoder")
    if not isinstance(noted, Mapping):
        return []
    chance = _number(noted.get("chance"))
    if chance is None:
        why = _skipped().get(str(noted.get("skipped")))
        return [] if why is None else [why]
    line = _("Second look: %(percent)d %% by the matching model") % {"percent": round(100 * chance)}
    moved = _places(reason, "cross_encoder")
    return [f"{line} ({moved})" if moved else line]


def _skipped() -> dict[str, str]:
    """The words of ``search.second_look.Stopped``, and of a picture that could not be read."""
    return {
        "time": _("No second look: the time for it was up"),
        "busy": _("No second look: the model was busy with other searches"),
        "language": _("No second look: the model does not understand the words"),
        "unavailable": _("No second look: the model is missing, an administrator can see why"),
        "picture": _("No second look: the picture could not be read"),
    }


def _places(reason: Mapping[str, Any], stage: str) -> str:
    moved = reason.get(f"{stage}.places")
    return places_moved(moved) if isinstance(moved, int) and moved else ""


def places_moved(moved: int) -> str:
    """Return "3 places up", or down for a negative number."""
    if moved > 0:
        return ngettext("%(count)d place up", "%(count)d places up", moved) % {"count": moved}
    return ngettext("%(count)d place down", "%(count)d places down", -moved) % {"count": -moved}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _told(value: float, *, sign: bool = False) -> str:
    return ("+" if sign and value > 0 else "") + number_format(round(value, 2), 2)
