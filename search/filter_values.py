"""Checks of what people and programs write into the filters of a search; each refusal names its field."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from django.utils.translation import gettext as _

from imagery.area import area_parse
from imagery.bbox import bbox_parse
from imagery.models import Collection
from imagery.querysets import BBox
from rsportal.errors import InvalidInput
from search.filters import SceneFilters

if TYPE_CHECKING:
    from imagery.querysets import Viewer

MAX_NAMES: Final = 100
_SLUG: Final = re.compile(r"[-\w]{1,80}")
_LONGEST_NAME: Final = 200  # characters
_LARGEST_GSD: Final = 1e6  # metres
_DAY_CHARS: Final = 10  # of 2024-05-31
_SHOWN: Final = 40  # characters of a bad value in the sentence

Number = float | int | str | None


def filters_parse(
    *,
    user: "Viewer",
    collections: Iterable[str] = (),
    start: date | str | None = None,
    end: date | str | None = None,
    bbox: str | Iterable[float] | None = None,
    platform: Iterable[str] = (),
    instruments: Iterable[str] = (),
    gsd_min: Number = None,
    gsd_max: Number = None,
    cloud_cover_max: Number = None,
    license: Iterable[str] = (),
    added_after: datetime | date | str | None = None,
    intersects: str | Mapping[str, Any] | None = None,
) -> SceneFilters:
    """Check the filters of a search and return them.

    Dates are ``date`` objects or ISO 8601 days, ``added_after`` may also be a moment (UTC, unless it says otherwise),
    numbers also texts; ``intersects`` is GeoJSON, parsed or as a text; empty texts mean nothing. Raises InvalidInput
    whose ``field`` is the name of the parameter (``collection`` for collections). A collection that the person may not
    see is answered exactly like one that does not exist.
    """
    first, last = _day(start, "start"), _day(end, "end")
    if first and last and first > last:
        raise InvalidInput(
            _("The first day (%(start)s) is after the last day (%(end)s). Swap them.")
            % {"start": first.isoformat(), "end": last.isoformat()},
            field="start",
        )
    finest = _number(gsd_min, "gsd_min", most=_LARGEST_GSD)
    coarsest = _number(gsd_max, "gsd_max", most=_LARGEST_GSD)
    if finest is not None and coarsest is not None and finest > coarsest:
        raise InvalidInput(
            _("The smallest ground sample distance (%(least)g m) is above the largest (%(most)g m). Swap them.")
            % {"least": finest, "most": coarsest},
            field="gsd_min",
        )
    return SceneFilters(
        collections=_collections(user, collections),
        start=first,
        end=last,
        bbox=_bbox(bbox),
        platform=_names(platform, "platform"),
        instruments=_names(instruments, "instruments"),
        gsd_min=finest,
        gsd_max=coarsest,
        cloud_cover_max=_number(cloud_cover_max, "cloud_cover_max", most=100.0),
        license=_names(license, "license"),
        added_after=_moment(added_after, "added_after"),
        intersects=area_parse(intersects) if _said(intersects) else None,
    )


def _day(value: date | str | None, field: str) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    if not (raw := value.strip()):
        return None
    try:
        return date.fromisoformat(raw)
    except ValueError:
        raise InvalidInput(
            _("%(value)s is not a day. Write it as year-month-day, for example 2024-05-31.")
            % {"value": repr(raw[:_SHOWN])},
            field=field,
        ) from None


def _moment(value: datetime | date | str | None, field: str) -> datetime | None:
    """Return the moment in UTC, to the second; a day stands for its end, as nothing added on it is after it."""
    if isinstance(value, str) and not (value := value.strip()):
        return None
    try:
        if isinstance(value, str):
            value = date.fromisoformat(value) if len(value) == _DAY_CHARS else datetime.fromisoformat(value)
        if isinstance(value, datetime):
            moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
            return moment.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise InvalidInput(
            _("%(value)s is not a moment. Write it as year-month-day, or as 2024-05-31T14:05:00Z.")
            % {"value": repr(str(value)[:_SHOWN])},
            field=field,
        ) from None
    return None if value is None else datetime.combine(value, time(23, 59, 59), tzinfo=UTC)


def _bbox(value: str | Iterable[float] | None) -> BBox | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else ",".join(str(number) for number in value)
    return bbox_parse(text) if text.strip() else None


def _said(value: str | Mapping[str, Any] | None) -> TypeGuard[str | Mapping[str, Any]]:
    return value is not None and (not isinstance(value, str) or bool(value.strip()))


def _number(value: Number, field: str, *, most: float) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not 0.0 <= number <= most:
        raise InvalidInput(
            _("%(field)s is %(value)s; write a number from 0 to %(most)s.")
            % {"field": field, "value": repr(str(value)[:_SHOWN]), "most": f"{most:,.0f}"},
            field=field,
        )
    return number + 0.0  # -0 becomes 0.


def _names(values: Iterable[str], field: str) -> tuple[str, ...]:
    wanted: dict[str, str] = {}
    for value in values:
        name = value.strip()
        if len(name) > _LONGEST_NAME or any(unicodedata.category(char) in ("Cc", "Cs") for char in name):
            raise InvalidInput(
                _("%(field)s is too long or holds a control character: %(value)s.")
                % {"field": field, "value": repr(name[:_SHOWN])},
                field=field,
            )
        if name:
            wanted.setdefault(name.casefold(), name)
    if len(wanted) > MAX_NAMES:
        raise InvalidInput(
            _("%(field)s has %(found)d values; %(most)d is the most.")
            % {"field": field, "found": len(wanted), "most": MAX_NAMES},
            field=field,
        )
    return tuple(wanted.values())


def _collections(user: "Viewer", slugs: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(slug.strip() for slug in slugs if slug.strip()))
    if not wanted:
        return ()
    well_formed = [slug for slug in wanted if _SLUG.fullmatch(slug)]
    known = set(Collection.objects.visible_to(user).filter(slug__in=well_formed).values_list("slug", flat=True))
    for slug in wanted:
        if slug not in known:
            raise InvalidInput(
                _("There is no collection %(slug)s, or you may not see it.") % {"slug": repr(slug[:80])},
                code="unknown_collection",
                field="collection",
            )
    return wanted
