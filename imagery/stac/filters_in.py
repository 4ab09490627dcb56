"""Which items of a source are wanted: asked of a search where there is one, and looked at again here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from imagery.bbox import bbox_parse
from imagery.querysets import BBox
from rsportal.errors import InvalidInput

_OPEN: Final = ("", "..")


@dataclass(frozen=True)
class Wanted:
    """``bbox`` in degrees WGS 84 (west > east crosses the antimeridian), moments from ``start`` to ``end`` (either may
    be open), STAC ``collections`` by id. Empty fields hold nothing back."""

    bbox: BBox | None = None
    start: datetime | None = None
    end: datetime | None = None
    collections: Sequence[str] = ()

    @property
    def datetime(self) -> str:
        """The interval as STAC writes it, empty when both ends are open."""
        if self.start is None and self.end is None:
            return ""
        return "/".join(_written(moment) if moment else ".." for moment in (self.start, self.end))

    def wants(self, item: Any) -> bool:
        """Return whether an item passes. One that is no item passes: whoever stores it says what is wrong with it."""
        if not isinstance(item, Mapping):
            return True
        if self.collections and item.get("collection") not in self.collections:
            return False
        return self._in_time(item.get("properties")) and self._in_place(item.get("bbox"))

    def _in_time(self, properties: Any) -> bool:
        if self.start is None and self.end is None:
            return True
        if not isinstance(properties, Mapping):
            return True
        at = _moment(properties.get("datetime"))
        first = _moment(properties.get("start_datetime")) or at
        last = _moment(properties.get("end_datetime")) or at
        if first is None or last is None:
            return False
        return (self.end is None or first <= self.end) and (self.start is None or last >= self.start)

    def _in_place(self, bbox: Any) -> bool:
        if self.bbox is None:
            return True
        if not isinstance(bbox, list) or len(bbox) not in {4, 6}:
            return False
        try:
            west, south, east, north = (float(v) for v in (bbox if len(bbox) == 4 else (*bbox[:2], *bbox[3:5])))
        except (TypeError, ValueError):
            return True
        if south > self.bbox[3] or north < self.bbox[1]:
            return False
        return any(
            a_west <= b_east and a_east >= b_west
            for a_west, a_east in _halves(west, east)
            for b_west, b_east in _halves(self.bbox[0], self.bbox[2])
        )


def wanted_parse(*, bbox: str = "", datetime: str = "", collections: Sequence[str] = ()) -> Wanted:
    """Return what texts ask for: ``west,south,east,north``, a moment or interval as STAC writes it, collection ids.

    Raises InvalidInput naming the field.
    """
    start, end = _interval(datetime) if datetime.strip() else (None, None)
    return Wanted(
        bbox=bbox_parse(bbox) if bbox.strip() else None,
        start=start,
        end=end,
        collections=tuple(dict.fromkeys(name for name in collections if name)),
    )


def _interval(text: str) -> tuple[datetime | None, datetime | None]:
    parts = [part.strip() for part in text.split("/")]
    if len(parts) == 1:
        parts *= 2
    if len(parts) != 2 or all(part in _OPEN for part in parts):
        raise _wrong(text)
    start = None if parts[0] in _OPEN else _edge(parts[0], text, last=False)
    end = None if parts[1] in _OPEN else _edge(parts[1], text, last=True)
    if start and end and start > end:
        raise InvalidInput(_("datetime: the interval begins after it ends."), field="datetime")
    return start, end


def _edge(part: str, text: str, *, last: bool) -> datetime:
    """Return a moment; a day means its first or last moment."""
    try:
        day = parse_date(part)
    except ValueError:
        day = None
    if day is not None:
        clock = (23, 59, 59, 999_999) if last else (0, 0, 0, 0)
        return datetime(day.year, day.month, day.day, *clock, tzinfo=UTC)
    moment = _moment(part)
    if moment is None:
        raise _wrong(text)
    return moment


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = parse_datetime(value)
        return moment and (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _halves(west: float, east: float) -> list[tuple[float, float]]:
    return [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]


def _wrong(text: str) -> InvalidInput:
    return InvalidInput(
        _("datetime is %(value)r; write a moment or an interval such as 2024-01-01/2024-12-31 or 2024-06-01/..")
        % {"value": text[:80]},
        field="datetime",
    )
