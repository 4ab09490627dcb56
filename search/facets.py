"""Facets: how many of the scenes that pass permission and the other filters have each value.

A facet ignores its own filter, so that it tells what another choice would give. Counts are exact up to 10,000 scenes
and estimated from a sample beyond. Whatever is counted or sampled are scenes that the person may see: an estimate
tells nothing of others, not even by its roughness.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F

from imagery.models import Collection, Scene
from imagery.querysets import LICENSE_NOT_STATED
from imagery.selectors_archive import ArchiveState, archive_state
from search.filters import GROUPS, SceneFilters
from search.kept import Kept

if TYPE_CHECKING:
    from imagery.querysets import Viewer

EXACT_TO: Final = 10_000  # scenes
GSD_CLASSES: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # metres, upper ends, included
CLOUD_CLASSES: Final = (5.0, 10.0, 20.0, 50.0, 100.0)  # per cent, upper ends, included
MOST_VALUES: Final = 50
_SAMPLE: Final = 4_000  # scenes that are looked at when nothing narrows them
_LARGE_SAMPLE: Final = 6_000  # and when filters do: fewer of them pass
_CLEARLY: Final = 1.5
_KEPT: Final = 256  # facets of a few kB
_PATIENCE_SECONDS: Final = 30.0
"""While a large archive grows, its estimates may be that old."""
_IDS: Final = 1 << 128

Value = str | int | None


@dataclass(frozen=True)
class FacetCount:
    """How many scenes have a value; None: it is not known of them. ``label`` is for people.

    Of classes, ``value`` is the number of the class and ``above`` (not included) to ``to`` (included) are its ends.
    """

    value: Value
    count: int
    label: str = ""
    above: float | None = None
    to: float | None = None


@dataclass(frozen=True)
class Facets:
    """The facets of a request. ``total`` scenes pass all filters; ``estimated`` names what is not counted exactly:
    ``total``, or facets. ``values`` has for each facet its counts, the most frequent first (years: the latest first;
    classes in their order), unknown last."""

    total: int
    estimated: frozenset[str]
    values: Mapping[str, Sequence[FacetCount]] = field(default_factory=dict)


FACETS: Final = ("collection", "year", "platform", "instruments", "license", "gsd", "cloud_cover")
_GROUP_OF: Final = {"collection": "collections", "year": "datetime"} | {name: name for name in FACETS[2:]}

_kept: Kept[Facets] = Kept(_KEPT)


def facets_get(user: "Viewer", filters: SceneFilters, *, state: ArchiveState | None = None) -> Facets:
    """Return the facets of what this person may see, as this process keeps them or counted anew (one or two
    statements). ``state`` is that of all the person sees, if it was read already."""
    state = state or archive_state(Collection.objects.visible_to(user))
    key = (state.collections, str(filters.filters()), tuple(settings.SEARCH_LICENSES))
    made_in = (state.changes, state.lapsed)
    patience = _PATIENCE_SECONDS if state.scenes > EXACT_TO else 0.0
    return _kept.get(
        key, state=made_in, patience=patience, compute=lambda: _Count(user, filters, state.scenes).facets()
    )


def facets_forget() -> None:
    """Empty this process's memory of facets."""
    _kept.clear()


# What a scene is counted under; classes as their number. Ends of classes are constants of this file.
_COLUMNS: Final = ("collection_id", "datetime", "start_datetime", "platform", "instruments", "gsd", "cloud_cover")


def _classes(column: str, ends: Sequence[float]) -> str:
    rules = " ".join(f"WHEN {column} <= {end} THEN {number}" for number, end in enumerate(ends))
    return f"CASE {rules} WHEN {column} IS NOT NULL THEN {len(ends)} END"


_VALUES: Final = {
    "collection": "collection_id",
    "year": "extract(year FROM coalesce(datetime, start_datetime) AT TIME ZONE 'UTC')::int",
    "platform": "nullif(lower(platform), '')",
    "gsd": _classes("gsd", GSD_CLASSES),
    "cloud_cover": _classes("cloud_cover", CLOUD_CLASSES),
}
_INSTRUMENTS: Final = """
SELECT '{part}', 'instruments', coalesce(instrument, ''), sum(scenes)::bigint
FROM (SELECT instruments, count(*) AS scenes FROM {part} GROUP BY instruments) AS carried LEFT JOIN LATERAL (
    SELECT DISTINCT lower(name) AS instrument
    FROM jsonb_array_elements_text(CASE jsonb_typeof(instruments) WHEN 'array' THEN instruments ELSE '[]' END) AS name
    WHERE name <> '') AS named ON true
GROUP BY 3
"""


@dataclass
class _Count:
    """One counting: ``scenes`` are READY in the collections that this person sees."""

    user: "Viewer"
    filters: SceneFilters
    scenes: int

    def facets(self) -> Facets:
        try:
            return self._facets()
        except EmptyResultSet:  # Django knows without asking that nothing passes (a disabled account).
            return Facets(total=0, estimated=frozenset(), values={name: [] for name in FACETS})

    def _facets(self) -> Facets:
        # Each facet whose own filter is set needs a set of scenes of its own; all others share the one of the total.
        own = {name: f"but_{name}" for name in FACETS if _GROUP_OF[name] in self.filters.groups_set()}
        parts = {name: own.get(name, "every") for name in FACETS}
        narrowed = bool(self.filters.groups_set())
        wanted = set(parts.values()) | {"every"}
        rows: dict[str, dict[str, Counter[Value]]] = {}
        if self.scenes > EXACT_TO:
            rows = self._estimated(parts, wanted, sample=_LARGE_SAMPLE if narrowed else _SAMPLE)
        # What is clearly too much to be counted is not begun with.
        few = {part for part in wanted if part not in rows or _size(rows[part]) <= _CLEARLY * EXACT_TO}
        exact = self._read(parts, few, limit=EXACT_TO + 1) if few else {}
        rows |= {part: counts for part, counts in exact.items() if _size(counts) <= EXACT_TO}
        large = {part for part in wanted if part not in exact or _size(exact[part]) > EXACT_TO}
        estimated = {name for name in FACETS if parts[name] in large} | ({"total"} if "every" in large else set())
        total = _size(rows["every"])
        return Facets(
            total=rounded(total) if "every" in large else total,
            estimated=frozenset(estimated),
            values=self._named({name: rows[parts[name]] for name in FACETS}),
        )

    def _estimated(
        self, parts: Mapping[str, str], wanted: set[str], *, sample: int
    ) -> dict[str, dict[str, Counter[Value]]]:
        """Estimate from those among a random ``sample`` of the person's scenes that pass."""
        share = min(1.0, sample / self.scenes)
        return {
            part: {
                name: Counter({value: rounded(count / share) for value, count in counter.items()})
                for name, counter in counts.items()
            }
            for part, counts in self._read(parts, wanted, share=share).items()
        }

    def _read(
        self, parts: Mapping[str, str], wanted: set[str], *, limit: int | None = None, share: float = 1.0
    ) -> dict[str, dict[str, Counter[Value]]]:
        """Count in one statement: {part: {facet: {value: scenes}}}; of each part its first ``limit`` scenes, or a
        random ``share`` of them."""
        tables: list[str] = []
        selects: list[str] = []
        parameters: list[Any] = []
        for part in sorted(wanted):
            groups = [group for group in GROUPS if f"but_{_FACET_OF.get(group)}" != part]
            rows = self.filters.passing(Scene.objects.visible_to(self.user).findable(), groups=groups)
            if share < 1.0:
                rows = rows.filter(pk__lt=UUID(int=int(share * _IDS)))
            columns = rows.order_by().values_list(*(F(name) for name in _COLUMNS))
            sql, values = (columns[:limit] if limit else columns).query.sql_with_params()
            tables.append(f"{part} ({', '.join(_COLUMNS)}) AS MATERIALIZED ({sql})")
            parameters += values
            # The collections stand for the licences, and their sum is the number of scenes.
            for name, value in _VALUES.items():
                if name == "collection" or parts[name] == part:
                    selects.append(f"SELECT '{part}', '{name}', ({value})::text, count(*) FROM {part} GROUP BY 3")
            if parts["instruments"] == part:
                selects.append(_INSTRUMENTS.format(part=part))
        counted: dict[str, dict[str, Counter[Value]]] = {
            part: {name: Counter() for name in (*_VALUES, "instruments")} for part in wanted
        }
        with connection.cursor() as cursor:
            cursor.execute(f"WITH {', '.join(tables)} {' UNION ALL '.join(selects)}", parameters)
            for part, name, value, count in cursor.fetchall():
                counted[part][name][value or None] += count
        return counted

    def _named(self, rows: Mapping[str, Mapping[str, Counter[Value]]]) -> dict[str, list[FacetCount]]:
        ids = {int(pk) for name in ("collection", "license") for pk in rows[name]["collection"] if pk}
        known = Collection.objects.visible_to(self.user).filter(pk__in=ids) if ids else Collection.objects.none()
        collections = {str(each.pk): each for each in known.only("slug", "title", "license")}
        licenses: Counter[Value] = Counter()
        for pk, count in rows["license"]["collection"].items():
            if pk in collections:
                licenses[collections[str(pk)].license.strip() or LICENSE_NOT_STATED] += count
        return {
            "collection": [
                FacetCount(collections[str(pk)].slug, count, collections[str(pk)].title)
                for pk, count in rows["collection"]["collection"].most_common()
                if pk in collections
            ],
            "year": _years(rows["year"]["year"]),
            "platform": _frequent(rows["platform"]["platform"]),
            "instruments": _frequent(rows["instruments"]["instruments"]),
            "license": _frequent(licenses),
            "gsd": _in_classes(rows["gsd"]["gsd"], GSD_CLASSES, open_end=True),
            "cloud_cover": _in_classes(rows["cloud_cover"]["cloud_cover"], CLOUD_CLASSES, open_end=False),
        }


def _size(counts: Mapping[str, Counter[Value]]) -> int:
    return sum(counts["collection"].values())


_FACET_OF: Final = {group: name for name, group in _GROUP_OF.items()}


def _frequent(counts: Counter[Value]) -> list[FacetCount]:
    known = [(value, count) for value, count in counts.items() if value is not None]
    known.sort(key=lambda pair: (-pair[1], str(pair[0])))
    rows = [FacetCount(value, count, str(value)) for value, count in known[:MOST_VALUES]]
    return [*rows, *_unknown(counts)]


def _years(counts: Counter[Value]) -> list[FacetCount]:
    years = sorted((int(value) for value in counts if value is not None), reverse=True)
    return [*(FacetCount(year, counts[str(year)], str(year)) for year in years), *_unknown(counts)]


def _in_classes(counts: Counter[Value], ends: Sequence[float], *, open_end: bool) -> list[FacetCount]:
    bounds: list[float | None] = [None, *ends, *([None] if open_end else [])]
    rows = [
        FacetCount(number, counts[str(number)], above=above, to=to)
        for number, (above, to) in enumerate(pairwise(bounds))
    ]
    return [*rows, *_unknown(counts)]


def _unknown(counts: Counter[Value]) -> list[FacetCount]:
    return [FacetCount(None, counts[None])] if counts[None] else []


def up_to(rows: Sequence[FacetCount]) -> list[FacetCount]:
    """Return classes as "up to ...": each with the scenes of the classes before it, too; those without an end go."""
    found, sum_ = [], 0
    for row in rows:
        if row.value is not None:
            sum_ += row.count
            if row.to is not None:
                found.append(replace(row, count=sum_, above=None))
    return found


def rounded(count: float) -> int:
    """Return an estimate with the digits that mean something: the first three."""
    number = round(count)
    digits = len(str(number))
    return round(number, -(digits - 3)) if digits > 3 else number
