"""What a person or program says about a scene when adding it: STAC names, checked and put into the scene's fields."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any, Final

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput

_MOMENTS: Final = ("datetime", "start_datetime", "end_datetime")
_NUMBERS: Final = {"gsd": ("gsd", 0.0, 1e6), "cloud_cover": ("cloud_cover", 0.0, 100.0)}
_ALIASES: Final = {"eo:cloud_cover": "cloud_cover"}
_MAX_PROPERTIES_BYTES: Final = 64 * 1024
_MAX_PLATFORM_LENGTH: Final = 100


def scene_fields(properties: dict[str, Any] | None) -> dict[str, Any]:
    """Return field values of a Scene for STAC ``properties``; unknown names go into ``properties`` as they are.

    Moments are ISO 8601 (without a zone: UTC). Raises InvalidInput naming the property.
    """
    fields: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for key, value in (properties or {}).items():
        name = _ALIASES.get(key, key)
        if value is None or value == "":
            continue
        if name in _MOMENTS:
            fields[name] = _moment(key, value)
        elif name in _NUMBERS:
            fields[name] = _number(key, value, *_NUMBERS[name][1:])
        elif name == "platform":
            fields[name] = _text(key, value)
        elif name == "instruments":
            fields[name] = _texts(key, value)
        else:
            others[key] = value
    start, end = fields.get("start_datetime"), fields.get("end_datetime")
    if start and end and start > end:
        raise InvalidInput(_("start_datetime is later than end_datetime."), field="start_datetime")
    try:
        size = len(json.dumps(others, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            _("The properties cannot be stored as JSON: %(reason)s.") % {"reason": error}, field="properties"
        ) from error
    if size > _MAX_PROPERTIES_BYTES:
        raise InvalidInput(
            _("The properties are too long: %(found)d bytes, the limit is %(limit)d.")
            % {"found": size, "limit": _MAX_PROPERTIES_BYTES},
            field="properties",
        )
    return fields | ({"properties": others} if others else {})


def _moment(key: str, value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else None
    if moment is None and isinstance(value, str):
        try:
            moment = parse_datetime(value)
            if moment is None and (day := parse_date(value)) is not None:
                moment = datetime(day.year, day.month, day.day)
        except ValueError:
            moment = None
    if moment is None:
        raise InvalidInput(
            _("%(key)s is %(value)r; write a moment as 2024-05-31T10:20:30Z.") % {"key": key, "value": str(value)[:60]},
            field=key,
        )
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:  # In UTC it falls out of the years 1 to 9999, which nothing could read back.
        raise InvalidInput(
            _("%(key)s is %(value)r, outside the years 1 to 9999 in UTC.") % {"key": key, "value": str(value)[:60]},
            field=key,
        ) from None


def _number(key: str, value: Any, least: float, most: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or not least <= number <= most:
        raise InvalidInput(
            _("%(key)s is %(value)r; write a number from %(least)g to %(most)g.")
            % {"key": key, "value": str(value)[:60], "least": least, "most": most},
            field=key,
        )
    return number


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MAX_PLATFORM_LENGTH:
        raise InvalidInput(
            _("%(key)s must be a text of at most %(limit)d characters.") % {"key": key, "limit": _MAX_PLATFORM_LENGTH},
            field=key,
        )
    return value.strip()


def _texts(key: str, value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise InvalidInput(_("%(key)s must be a list of names.") % {"key": key}, field=key)
    return [_text(key, item) for item in value]
