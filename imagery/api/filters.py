"""The parameters that narrow a list of scenes; each is checked and named when it is wrong."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final

from django.core.validators import slug_re
from django.http import QueryDict
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from imagery.area import Area, area_parse
from imagery.bbox import bbox_parse
from imagery.models import Scene
from imagery.querysets import BBox
from rsportal.errors import InvalidInput

_OPEN_ENDS: Final = frozenset({"", ".."})
_MAX_TEXT: Final = 300


@dataclass(frozen=True)
class SceneFilters:
    """What to narrow a list of scenes by; empty values narrow nothing."""

    collections: tuple[str, ...] = ()
    bbox: BBox | None = None
    intersects: Area | None = None
    start: datetime | None = None
    end: datetime | None = None
    status: str | None = None
    platform: str = ""
    text: str = ""


def scene_filters_parse(params: QueryDict) -> SceneFilters:
    """Return the filters of a query string. Raises InvalidInput naming the parameter."""
    start, end = interval_parse(params.get("datetime", ""))
    return SceneFilters(
        collections=_slugs(params.getlist("collection")),
        bbox=bbox_parse(raw_bbox) if (raw_bbox := params.get("bbox")) else None,
        intersects=area_parse(raw_area) if (raw_area := params.get("intersects")) else None,
        start=start,
        end=end,
        status=_status(params.get("status", "")),
        platform=_text(params, "platform"),
        text=_text(params, "q"),
    )


def interval_parse(raw: str) -> tuple[datetime | None, datetime | None]:
    """Return the ends of a STAC interval: ``a/b``, ``../b``, ``a/..`` or one moment or day; UTC unless it says.

    A day as the end includes the whole day. Raises InvalidInput(field="datetime").
    """
    if not raw or raw in _OPEN_ENDS:
        return (None, None)
    parts = raw.split("/")
    if len(parts) > 2:
        raise _wrong("datetime", _("datetime is one moment or start/end, such as 2020-01-01/2020-12-31."))
    start, end = _moment(parts[0], time.min), _moment(parts[-1], time.max)
    if start and end and start > end:
        raise _wrong("datetime", _("datetime: the start is after the end."))
    return (start, end)


def _moment(raw: str, clock: time) -> datetime | None:
    if raw in _OPEN_ENDS:
        return None
    try:
        day = parse_date(raw)
        moment = datetime.combine(day, clock) if day else parse_datetime(raw.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None:
        raise _wrong(
            "datetime",
            _("datetime: %(raw)s is no date; write 2020-12-31 or 2020-12-31T10:30:00Z, and .. for an open end.")
            % {"raw": raw[:40]},
        )
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise _wrong("datetime", _("datetime: %(raw)s is out of range.") % {"raw": raw[:40]}) from None


def _slugs(raw: list[str]) -> tuple[str, ...]:
    for slug in raw:
        if slug and not slug_re.fullmatch(slug):
            raise _wrong(
                "collection", _("collection: %(raw)s is not the slug of a collection.") % {"raw": repr(slug[:80])}
            )
    return tuple(slug for slug in raw if slug)


def _status(raw: str) -> str | None:
    if raw and raw not in Scene.Status.values:
        raise _wrong("status", _("status is one of %(choices)s.") % {"choices": ", ".join(Scene.Status.values)})
    return raw or None


def _text(params: QueryDict, name: str) -> str:
    value = params.get(name, "").strip()
    if "\x00" in value or len(value) > _MAX_TEXT:
        raise _wrong(name, _("%(name)s is too long or holds a control character.") % {"name": name})
    return value


def _wrong(field: str, sentence: str) -> InvalidInput:
    return InvalidInput(sentence, field=field)


SCENE_PARAMETERS: Final = [
    OpenApiParameter("collection", str, many=True, description="Slug of a collection; repeat it for several."),
    OpenApiParameter(
        "bbox",
        str,
        description="west,south,east,north in degrees WGS 84; west > east crosses the antimeridian.",
        examples=[
            OpenApiExample("Chesapeake Bay", value="-76.4,36,-75,37.2"),
            OpenApiExample("Across the antimeridian", value="177,-20,-178,-15"),
        ],
    ),
    OpenApiParameter(
        "intersects",
        str,
        description="GeoJSON of an area, longitude first: scenes whose footprint has a point in common with it.",
    ),
    OpenApiParameter(
        "datetime",
        str,
        description="A moment, a day or an interval of acquisition; `..` leaves an end open.",
        examples=[
            OpenApiExample("A year", value="2020-01-01/2020-12-31"),
            OpenApiExample("Since", value="2020-01-01T00:00:00Z/.."),
        ],
    ),
    OpenApiParameter("status", OpenApiTypes.STR, enum=Scene.Status.values, description="Empty: all."),
    OpenApiParameter("platform", str, description="Such as sentinel-2a; upper and lower case are the same."),
    OpenApiParameter("q", str, description="Words in the title (to search in the pictures, use /search/)."),
]
