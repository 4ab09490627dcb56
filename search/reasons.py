"""Why a hit is where it is, in sentences: what the stages noted (``search.ranking.explain``), for people."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from search.example_reasons import example_lines, worded_told

_MOST_WORDS: Final = 60  # characters of a query in a sentence


def reason_lines(reason: Mapping[str, Any], *, scene_id: object = None) -> list[str]:
    """Return the sentences, most general first; [] for a ranking made before reasons were kept.

    ``scene_id`` is the hit's, so that a scene is not said to resemble itself.

    What a stage noted in a form that is not known here (it was made by another version) is left out.
    """
    lines: list[str] = []
    if (similarity := _number(reason.get("similarity"))) is not None:
        worded = worded_told(reason.get("examples"))
        line = (
            _("Words and picture: similarity %(value)s") if worded else _("Examples and picture: similarity %(value)s")
        )
        lines.append(line % {"value": _told(similarity)})
    if (corrected := _number(reason.get("normalise"))) is not None:
        lines.append(_("Without what all pictures have in common: %(value)s") % {"value": _told(corrected)})
    lines += _clauses(reason.get("clauses"))
    lines += example_lines(reason.get("examples"))
    lines += _windows(reason.get("windows"))
    if isinstance(reason.get("regions"), list):
        lines.append(_("A quarter of it matches much better than all of it"))
    if moved := _places(reason, "relations"):
        lines.append(_("Where things lie to each other: %(places)s") % {"places": moved})
    lines += _feedback(reason, str(scene_id))
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


def _feedback(reason: Mapping[str, Any], scene: str) -> list[str]:
    """The note as ``search.feedback.told`` gives it: own lessons with their searches, of others' nothing."""
    noted, moved = reason.get("feedback"), _places(reason, "feedback")
    if not isinstance(noted, Mapping):
        return []
    own = noted.get("level") != "everybody"
    share = _number(noted.get("share")) or 0.0
    lines = []
    if share > 0 and not own:
        lines = [_("Resembles scenes that others chose for similar searches")]
    elif share > 0:
        told = [each for each in noted.get("like", ()) if isinstance(each, Mapping)]
        lines = [_chosen(*_how_chosen(each)) for each in told if each.get("scene") == scene]
        others = Counter(_how_chosen(each) for each in told if each.get("scene") != scene)
        lines += [_resembles(*how, count) for how, count in others.items()]
    if not moved:
        return lines
    if not lines:
        chosen = _("What you chose in searches like this one") if own else _("What others chose in similar searches")
        return [f"{chosen}: {moved}"]
    return [f"{lines[0]} ({moved})", *lines[1:]]


def _how_chosen(lesson: Mapping[str, Any]) -> tuple[str, str]:
    deed = str(lesson.get("deed"))
    return (deed if deed in ("like", "download") else "click"), str(lesson.get("query", ""))


def _chosen(deed: str, words: str) -> str:
    """What somebody did with the hit itself."""
    if not words:
        return _("You chose it in a search by example")
    lines = {
        "like": _("You liked it for “%(words)s”"),
        "download": _("You downloaded it for “%(words)s”"),
        "click": _("You opened it for “%(words)s”"),
    }
    return lines[deed] % {"words": Truncator(words).chars(_MOST_WORDS)}


def _resembles(deed: str, words: str, count: int) -> str:
    """Which of somebody's own lessons a hit resembles: ``count`` scenes they chose in one way for one query."""
    told = {"count": count, "words": Truncator(words).chars(_MOST_WORDS)}
    match deed, bool(words):
        case "like", True:
            line = ngettext(
                "Resembles %(count)d scene you liked for “%(words)s”",
                "Resembles %(count)d scenes you liked for “%(words)s”",
                count,
            )
        case "download", True:
            line = ngettext(
                "Resembles %(count)d scene you downloaded for “%(words)s”",
                "Resembles %(count)d scenes you downloaded for “%(words)s”",
                count,
            )
        case _, True:
            line = ngettext(
                "Resembles %(count)d scene you opened for “%(words)s”",
                "Resembles %(count)d scenes you opened for “%(words)s”",
                count,
            )
        case _:
            line = ngettext(
                "Resembles %(count)d scene you chose in a search by example",
                "Resembles %(count)d scenes you chose in searches by example",
                count,
            )
    return line % told


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
