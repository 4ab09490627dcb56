"""Reads of the judged query sets. Each takes the person first and shows them only what they may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Count, Exists, IntegerField, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from imagery.models import Collection
from rsportal.errors import InvalidInput
from search.models import JudgedQuery, JudgedSet, RankingRun, RelevanceJudgement

if TYPE_CHECKING:
    from imagery.querysets import Viewer


def judged_sets_list(user: Viewer) -> QuerySet[Any]:
    """Return the sets this person may see, each with ``query_count``, ``judgement_count`` (of scenes that they may
    see), ``last_run`` (when; of runs that they may see) and ``scope_seen`` (whether they may see its collection)."""
    queries = JudgedQuery.objects.filter(judged_set=OuterRef("pk"))
    judgements = RelevanceJudgement.objects.visible_to(user).filter(query__judged_set=OuterRef("pk"))
    runs = RankingRun.objects.visible_to(user).filter(judged_set=OuterRef("pk")).order_by().values("judged_set")
    rows: QuerySet[Any] = (
        JudgedSet.objects.visible_to(user)
        .select_related("owner", "collection")
        .annotate(
            query_count=_count(queries, "judged_set"),
            judgement_count=_count(judgements, "query__judged_set"),
            last_run=Subquery(runs.annotate(last=Max("created_at")).values("last")),
            scope_seen=Exists(Collection.objects.visible_to(user).filter(pk=OuterRef("collection"))),
        )
    )
    return rows


def judged_queries_list(user: Viewer) -> QuerySet[Any]:
    """Return the queries of sets this person may see, with ``judgement_count`` and ``relevant_count`` (grade 1 and up),
    both of scenes that they may see."""
    judgements = RelevanceJudgement.objects.visible_to(user).filter(query=OuterRef("pk"))
    rows: QuerySet[Any] = (
        JudgedQuery.objects.visible_to(user)
        .select_related("judged_set__collection")
        .annotate(
            judgement_count=_count(judgements, "query"), relevant_count=_count(judgements.filter(grade__gte=1), "query")
        )
    )
    return rows


def judged_set_get(user: Viewer, name: str) -> JudgedSet:
    """Return the set of this name, ``owner/name`` where several people have one, or its number.

    Raises InvalidInput (field ``set``), for a hidden set as for one that does not exist.
    """
    owner, slash, rest = name.rpartition("/")
    rows = JudgedSet.objects.visible_to(user).select_related("owner", "collection")
    found = list(rows.filter(name=rest, **({"owner__username": owner} if slash else {}))[:2])
    if not found and name.isascii() and name.isdigit() and len(name) < 10:
        found = list(rows.filter(pk=int(name)))
    if not found:
        raise InvalidInput(
            _("There is no judged query set %(name)s, or you may not see it.") % {"name": repr(name[:80])}, field="set"
        )
    if len(found) > 1:
        raise InvalidInput(
            _("Several people have a set %(name)s: write owner/name.") % {"name": repr(name[:80])}, field="set"
        )
    return found[0]


def query_texts(judged_set: JudgedSet) -> dict[str, str]:
    """Return the words of a set's queries by their keys (show them only to who may see the set)."""
    return dict(JudgedQuery.objects.filter(judged_set=judged_set).values_list("key", "text"))


def _count(rows: QuerySet, path: str) -> Coalesce:
    counted = rows.order_by().values(path).annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
