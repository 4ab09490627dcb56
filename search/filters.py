"""The filters of a search: what is asked of a scene besides the picture. Names follow STAC."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from imagery.area import Area
from imagery.querysets import BBox, SceneQuerySet

FILTERS: Final = (
    "collections", "start", "end", "bbox", "platform", "instruments", "gsd_min", "gsd_max", "cloud_cover_max",
    "license", "added_after", "intersects",
)  # fmt: skip
"""The names of all filters, as parameters."""
GROUPS: Final = (
    "collections", "datetime", "bbox", "platform", "instruments", "gsd", "cloud_cover", "license", "added",
    "intersects",
)  # fmt: skip
"""What is filtered by; ``start`` and ``end`` are one group, ``gsd_min`` and ``gsd_max`` another, ``added_after`` is
the group ``added``."""


@dataclass(frozen=True, kw_only=True)
class SceneFilters:
    """Checked filters; empty values narrow nothing.

    ``collections`` are slugs; ``start`` and ``end`` whole days in UTC, both included; ``bbox`` is (west, south, east,
    north) in degrees, west > east across the antimeridian; ``gsd_min`` and ``gsd_max`` are metres, ``cloud_cover_max``
    per cent. Of ``platform``, ``instruments`` and ``license`` one of the names is enough, in upper or lower case.
    ``intersects`` is an area with which the footprint has a point in common.
    ``added_after`` is the moment after which a scene was added to the portal, whenever it was taken.

    A scene of which a filter's value is not known does not pass it.
    """

    collections: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None
    bbox: BBox | None = None
    platform: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    gsd_min: float | None = None
    gsd_max: float | None = None
    cloud_cover_max: float | None = None
    license: tuple[str, ...] = ()
    added_after: datetime | None = None
    intersects: Area | None = None

    def passing(self, rows: SceneQuerySet, *, groups: Iterable[str] = GROUPS) -> SceneQuerySet:
        """Return those scenes that pass the filters of these groups."""
        for group in self.groups_set():
            if group in groups:
                rows = self._passing(rows, group)
        return rows

    def _passing(self, rows: SceneQuerySet, group: str) -> SceneQuerySet:
        match group:
            case "collections":
                return rows.filter(collection__slug__in=self.collections)
            case "datetime":
                first = datetime.combine(self.start, time.min, tzinfo=UTC) if self.start else None
                last = datetime.combine(self.end, time.max, tzinfo=UTC) if self.end else None
                return rows.captured_between(first, last)
            case "platform":
                return rows.on_platforms(self.platform)
            case "instruments":
                return rows.with_instruments(self.instruments)
            case "gsd":
                return rows.gsd_between(self.gsd_min, self.gsd_max)
            case "license":
                return rows.under_licenses(self.license)
        if group == "bbox" and self.bbox is not None:
            return rows.in_bbox(self.bbox)
        if group == "intersects" and self.intersects is not None:
            return rows.meeting(self.intersects)
        if group == "added" and self.added_after is not None:
            return rows.filter(created_at__gt=self.added_after)
        if group == "cloud_cover" and self.cloud_cover_max is not None:
            return rows.clouds_up_to(self.cloud_cover_max)
        raise ValueError(f"{group!r} is no group of filters")

    def groups_set(self) -> tuple[str, ...]:
        """Return the groups in which something is asked."""
        asked = {
            "collections": self.collections,
            "datetime": self.start or self.end,
            "bbox": self.bbox is not None,
            "platform": self.platform,
            "instruments": self.instruments,
            "gsd": self.gsd_min is not None or self.gsd_max is not None,
            "cloud_cover": self.cloud_cover_max is not None,
            "license": self.license,
            "added": self.added_after is not None,
            "intersects": self.intersects is not None,
        }
        return tuple(group for group in GROUPS if asked[group])

    def filters(self) -> dict[str, Any]:
        """Return the filters that are set, as they are kept in the query log."""
        values: dict[str, Any] = {
            "collections": list(self.collections),
            "start": self.start.isoformat() if self.start else None,
            "end": self.end.isoformat() if self.end else None,
            "bbox": list(self.bbox) if self.bbox is not None else None,
            "platform": list(self.platform),
            "instruments": list(self.instruments),
            "gsd_min": self.gsd_min,
            "gsd_max": self.gsd_max,
            "cloud_cover_max": self.cloud_cover_max,
            "license": list(self.license),
            "added_after": moment_text(self.added_after) if self.added_after else None,
            "intersects": self.intersects.as_geojson() if self.intersects else None,
        }
        return {name: value for name, value in values.items() if value is not None and value != []}


def moment_text(moment: datetime) -> str:
    """Return a moment as it stands in addresses and in the query log: 2026-05-31T14:05:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
