"""The filters beside the results: groups of choices with their counts, as the template shows them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _

from imagery.models import Collection
from imagery.querysets import LICENSE_NOT_STATED
from imagery.selectors_archive import ArchiveState
from rsportal.errors import InvalidInput
from search.facets import FacetCount, Facets, facets_get, up_to
from search.filter_values import filters_parse
from search.filters import SceneFilters
from search.forms import SearchForm

if TYPE_CHECKING:
    from imagery.querysets import Viewer

_SHOWN: Final = 8
"""Choices of a group that are seen at once; the others are folded away."""


@dataclass(frozen=True)
class Choice:
    """Something to choose. ``query`` is the address that chooses it (links), else it is a box to tick."""

    value: str
    label: str
    count: int
    chosen: bool = False
    query: str = ""


@dataclass(frozen=True)
class Group:
    """A group of choices. ``clear`` is the address without its filter, "" while that is not set."""

    name: str
    choices: Sequence[Choice]
    estimated: bool
    clear: str = ""

    @property
    def first(self) -> Sequence[Choice]:
        """What is seen at once: the most frequent, and whatever is chosen."""
        return [choice for number, choice in enumerate(self.choices) if number < _SHOWN or choice.chosen]

    @property
    def more(self) -> Sequence[Choice]:
        """What is folded away."""
        return [choice for number, choice in enumerate(self.choices) if number >= _SHOWN and not choice.chosen]


def rail_groups(user: "Viewer", form: SearchForm, *, state: ArchiveState) -> dict[str, Group]:
    """Return the groups by the name of their facet. ``state`` is that of all the person sees."""
    try:
        filters = filters_parse(user=user, **form.filters())
    except InvalidInput:  # It stands beside its field; the counts are those of everything meanwhile.
        filters = SceneFilters()
    facets = facets_get(user, filters, state=state)
    collections = Collection.objects.visible_to(user).only("slug", "title").order_by("title", "pk")
    counts = {row.value: row.count for row in facets.values["collection"]}
    boxes = {
        "collection": [
            Choice(row.slug, row.title, counts.get(row.slug, 0), row.slug in form.collection) for row in collections
        ],
        "platform": _boxes(facets.values["platform"], form.platform, str),
        "instruments": _boxes(facets.values["instruments"], form.instruments, str),
        "license": _boxes(facets.values["license"], form.license, _license),
    }
    years = [
        Choice(
            str(row.value), row.label, row.count, (form.start, form.end) == _days(row.value),
            form.changed(start=_days(row.value)[0], end=_days(row.value)[1]),
        )
        for row in facets.values["year"] if row.value is not None
    ]  # fmt: skip
    sharp, clear = facets.values["gsd"], facets.values["cloud_cover"]
    links = {
        "year": years,
        "gsd": _ends(sharp, form.gsd_max, lambda to: form.changed(gsd_min="", gsd_max=to), _("up to %s m")),
        "cloud_cover": _ends(
            clear, form.cloud_cover_max, lambda to: form.changed(cloud_cover_max=to), _("up to %s %%")
        ),
    }
    return {name: _group(name, choices, facets, form) for name, choices in {**boxes, **links}.items()}


_FILTER_OF: Final = {"collection": "collections", "year": "datetime"}


def _group(name: str, choices: Sequence[Choice], facets: Facets, form: SearchForm) -> Group:
    group = _FILTER_OF.get(name, name)
    clear = form.without(group) if form.is_set(group) else ""
    return Group(name=name, choices=choices, estimated=name in facets.estimated, clear=clear)


def _boxes(rows: Iterable[FacetCount], chosen: Sequence[str], label: Callable[[str], str]) -> list[Choice]:
    """The values that there are, and those that were chosen and that there are not."""
    wanted = {value.casefold(): value for value in chosen}
    found = [(str(row.value), row.count) for row in rows if row.value is not None]
    there = {value.casefold() for value, _count in found}
    absent = [Choice(value, label(value), 0, chosen=True) for key, value in wanted.items() if key not in there]
    return [*absent, *(Choice(value, label(value), count, value.casefold() in wanted) for value, count in found)]


def _ends(rows: Sequence[FacetCount], chosen: str, query: Callable[[str], str], words: str) -> list[Choice]:
    """Ends of classes to choose from; of those with the same scenes the first one does."""
    choices, before = [], 0
    for row in up_to(rows):
        to = f"{row.to:g}"
        if row.count > before or to == chosen:
            choices.append(Choice(to, words % to, row.count, to == chosen, query(to)))
        before = row.count
    return choices


def _days(year: object) -> tuple[str, str]:
    return f"{year:0>4}-01-01", f"{year:0>4}-12-31"


def _license(value: str) -> str:
    return _("not stated") if value.casefold() == LICENSE_NOT_STATED else value
