"""What a scan found, in words for the administration."""

from collections.abc import Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.leases import stale_before
from imagery.models import ArchiveFolder

_KINDS = {
    "new": gettext_lazy("new, taken in: %(count)s"),
    "changed": gettext_lazy("changed since they were taken in: %(count)s"),
    "missing": gettext_lazy("missing: %(count)s"),
    "refused": gettext_lazy("refused: %(count)s"),
    "unreadable": gettext_lazy("could not be read: %(count)s"),
    "moved": gettext_lazy("moved, followed: %(count)s"),
    "back": gettext_lazy("back again: %(count)s"),
    "restored": gettext_lazy("as they were again: %(count)s"),
    "duplicate": gettext_lazy("copies of files that are in the catalogue: %(count)s"),
    "touched": gettext_lazy("with a new date and the same bytes: %(count)s"),
    "waiting": gettext_lazy("still being copied, left for the next scan: %(count)s"),
    "links": gettext_lazy("links that lead out of the folder, not followed: %(count)s"),
}
_STATES = {
    "finished": gettext_lazy("scanned to the end"),
    "continued": gettext_lazy("goes on with the next task"),
    "held": gettext_lazy("asks: too much is missing"),
    "unreachable": gettext_lazy("folder cannot be reached"),
    "stopped": gettext_lazy("cut off"),
    "running": gettext_lazy("cut off"),
}
_PHASES = {"listing": gettext_lazy("listing"), "reading": gettext_lazy("reading")}


def state_words(folder: ArchiveFolder) -> str:
    """Return what is going on with a folder: a running scan and how far it is, or how the last one ended."""
    report = folder.report
    alive = folder.heartbeat_at is not None and folder.heartbeat_at >= stale_before()
    if folder.scanning_since is not None and alive:
        return _("scan running: %(phase)s, %(files)s files so far") % {
            "phase": _PHASES.get(str(report.get("phase")), _PHASES["listing"]),
            "files": number_format(report.get("files", 0), force_grouping=True),
        }
    if not report:
        return _("not scanned yet")
    return str(_STATES.get(str(report.get("state")), report.get("state")))


def report_lines(report: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return what a scan found as lines, each with the first names; the sentence of a problem first."""
    if not report:
        return []
    lines: list[tuple[str, list[str]]] = [(report["problem"], [])] if report.get("problem") else []
    lines.append((_("files seen: %(count)s") % {"count": _number(report.get("files", 0))}, []))
    counts, names = report.get("counts", {}), report.get("names", {})
    for kind, words in _KINDS.items():
        if count := counts.get(kind):
            shown = list(names.get(kind, []))
            if count > len(shown):
                shown.append(_("… and %(count)s more.") % {"count": _number(count - len(shown))})
            lines.append((str(words) % {"count": _number(count)}, shown))
    return lines


def _number(value: Any) -> str:
    return number_format(value, force_grouping=True)
