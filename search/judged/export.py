"""A judged set as TREC files."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from search.judged.documents import DocumentId, documents_of
from search.judged.trec import qrel_line, topic_line
from search.models import JudgedQuery, JudgedSet, RelevanceJudgement

if TYPE_CHECKING:
    from imagery.querysets import Viewer


def topics_lines(judged_set: JudgedSet) -> list[str]:
    """Return the lines of the topics file, in the order of the queries (for who may see the set)."""
    rows = JudgedQuery.objects.filter(judged_set=judged_set).order_by("pk")
    return [topic_line(key=key, text=text) for key, text in rows.values_list("key", "text")]


def qrels_lines(
    judged_set: JudgedSet, user: Viewer, *, documents: str = DocumentId.UUID
) -> tuple[list[str], list[str]]:
    """Return the lines of the qrels file, of scenes that this person may see, and a sentence for each scene left out.

    By file name, a scene is left out whose original has no name, or a name that another judged scene has, too.
    """
    rows = list(
        RelevanceJudgement.objects.visible_to(user)
        .filter(query__judged_set=judged_set)
        .order_by("query_id", "-grade", "scene_id")
        .values_list("query__key", "scene_id", "grade")
    )
    names = documents_of((scene_id for _key, scene_id, _grade in rows), kind=documents)
    shared = Counter(names.values())
    left_out: dict[object, str] = {}
    lines = []
    for key, scene_id, grade in rows:
        name = names.get(scene_id)
        if not name:
            left_out[scene_id] = _("Scene %(id)s has no original file with a name.") % {"id": scene_id}
        elif shared[name] > 1:
            left_out[scene_id] = _("Scene %(id)s: %(count)d judged scenes have a file %(name)s.") % {
                "id": scene_id, "count": shared[name], "name": name,
            }  # fmt: skip
        else:
            lines.append(qrel_line(key=key, document=name, grade=grade))
    return lines, list(left_out.values())
