"""Which scenes a judged set is about for a person, and what is known of each of its queries there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models.fields.json import KeyTransform
from django.utils.translation import gettext as _

from imagery.models import Scene
from imagery.querysets import SceneQuerySet
from rsportal.errors import InvalidInput
from search.filters import SceneFilters
from search.models import JudgedQuery, JudgedSet, RelevanceJudgement
from search.query import SearchRequest, search_request_parse

if TYPE_CHECKING:
    from imagery.querysets import Viewer

FILTERS: Final = frozenset(SceneFilters.__dataclass_fields__) - {"collections"}
"""Names of the filters a judged query may have: those of a search. The collection is the set's."""
_LISTS: Final = ("platform", "instruments", "license")


@dataclass(frozen=True)
class JudgedRequest:
    """A query of a set as this person asks it. ``request`` is None where it cannot be asked, for which ``problem``.

    ``grades``: every judgement, by scene, of scenes that this person may see and that pass the query's filters;
    ``known_wrong``: scenes of another class than the one the query was made for.
    """

    query: JudgedQuery
    request: SearchRequest | None
    problem: str = ""
    grades: Mapping[UUID, int] = field(default_factory=dict)
    known_wrong: frozenset[UUID] = frozenset()

    @property
    def group(self) -> str:
        """What a bootstrap draws this query with: the others made for its class, else itself alone."""
        return f"class {self.query.scene_class}" if self.query.scene_class else f"query {self.query.key}"


def set_scenes(judged_set: JudgedSet, user: Viewer) -> SceneQuerySet:
    """Return the searchable scenes of a set that this person may see."""
    rows: SceneQuerySet = Scene.objects.visible_to(user).findable()
    return rows if judged_set.collection_id is None else rows.filter(collection=judged_set.collection_id)


def judged_request(query: JudgedQuery, user: Viewer) -> SearchRequest:
    """Return the search that a judged query stands for. Raises InvalidInput as ``search_request_parse`` does."""
    collection = query.judged_set.collection
    return request_parse(
        user=user, text=query.text, filters=query.filters, collections=[collection.slug] if collection else []
    )


def request_parse(*, user: Viewer, text: str, filters: Mapping[str, Any], collections: list[str]) -> SearchRequest:
    """Check the words and filters of a judged query. Raises InvalidInput with the field at fault."""
    if not isinstance(filters, Mapping) or (unknown := set(filters) - FILTERS):
        found = min(map(str, unknown)) if isinstance(filters, Mapping) else filters
        raise InvalidInput(
            _("%(name)s is no filter of a judged query. There are: %(known)s. The collection is that of the set.")
            % {"name": repr(found)[:60], "known": ", ".join(sorted(FILTERS))},
            field="filters",
        )
    lists = {name: [value] for name in _LISTS if isinstance(value := filters.get(name), str)}
    try:
        return search_request_parse(user=user, text=text, collections=collections, **{**filters, **lists})
    except (TypeError, AttributeError) as error:  # A number where a text belongs: the filters are JSON.
        raise InvalidInput(_("The filters cannot be read: %(reason)s.") % {"reason": error}, field="filters") from error


def set_requests(judged_set: JudgedSet, user: Viewer) -> list[JudgedRequest]:
    """Return every query of a set with what is known of it; two statements, and one more for a filtered query."""
    queries = list(JudgedQuery.objects.filter(judged_set=judged_set).select_related("judged_set__collection"))
    scope = set_scenes(judged_set, user).order_by()
    grades: dict[int, dict[UUID, int]] = {query.pk: {} for query in queries}
    rows = RelevanceJudgement.objects.filter(query__judged_set=judged_set, scene__in=scope.values("pk")).order_by()
    for query_id, scene_id, grade in rows.values_list("query_id", "scene_id", "grade"):
        grades[query_id][scene_id] = grade
    named = {query.scene_class for query in queries if query.scene_class}
    classes = scene_classes(scope, judged_set.class_property) if named else {}
    # Once a class, not once a query: the sets are as large as the archive.
    wrong = {name: _others(classes, name) for name in named}
    return [_known(query, user, grades[query.pk], wrong.get(query.scene_class, frozenset())) for query in queries]


def _known(query: JudgedQuery, user: Viewer, grades: dict[UUID, int], known_wrong: frozenset[UUID]) -> JudgedRequest:
    try:
        request = judged_request(query, user)
    except InvalidInput as error:
        return JudgedRequest(query=query, request=None, problem=error.message, grades=grades)
    if query.filters:
        allowed = set(request.scenes(user).order_by().values_list("pk", flat=True))
        grades = {scene: grade for scene, grade in grades.items() if scene in allowed}
    return JudgedRequest(query=query, request=request, grades=grades, known_wrong=known_wrong)


def _others(classes: Mapping[str, frozenset[UUID]], name: str) -> frozenset[UUID]:
    return frozenset().union(*(scenes for other, scenes in classes.items() if other != name))


def scene_classes(scope: SceneQuerySet, class_property: str) -> dict[str, frozenset[UUID]]:
    """Return {class: scenes} of the scenes in scope that have this property; {} without a property."""
    if not class_property:
        return {}
    found: dict[str, set[UUID]] = {}
    # An expression, so that no name of a property is taken for a path of lookups.
    value = KeyTransform(class_property, "properties")
    rows = scope.filter(properties__has_key=class_property).annotate(class_value=value).values_list("pk", "class_value")
    for scene_id, name in rows:
        if isinstance(name, str):
            found.setdefault(name, set()).add(scene_id)
    return {name: frozenset(scenes) for name, scenes in found.items()}
