"""Bringing queries and judgements into a set: TREC topics and qrels, and phrases with the classes they name.

Every usable line is taken; the others are named. What is there already is replaced, so that a file can be read twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from imagery.evaluation.phrases import Phrase
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, NotAllowed
from search.judged.documents import DocumentId, scenes_named
from search.judged.scope import scene_classes, set_scenes
from search.judged.trec import BadLine, Qrel, qrels_read, topics_read
from search.models import Grade, JudgedQuery, JudgedSet, RelevanceJudgement
from search.services.judged_sets import (
    judged_query_create,
    judged_query_update,
    judged_set_owned_by,
    judged_set_update,
    next_key,
)

CLASS_GRADE: Final = Grade.RELEVANT
"""What a scene of the class that a query was made for is worth."""
_BATCH: Final = 5_000  # rows in one statement
_HAN: Final = ("\u3400", "\u9fff")


@dataclass(frozen=True)
class Imported:
    """What came in: ``queries`` made or changed, ``judgements`` written, and the lines that could not be used."""

    queries: int = 0
    judgements: int = 0
    bad: list[BadLine] = field(default_factory=list)


def topics_import(*, judged_set: JudgedSet, user: User, lines: Iterable[str], file: str) -> Imported:
    """Add the queries of a topics file; a query whose number is there already gets the new words.

    Raises NotAllowed when the set is not this person's.
    """
    topics, bad = topics_read(lines, file=file)
    written = 0
    first_at: dict[str, int] = {}
    with transaction.atomic():
        _require_owner(judged_set, user)
        known = {query.key: query for query in _queries(judged_set)}
        for topic in topics:
            if topic.key in first_at:
                bad.append(
                    BadLine(
                        file,
                        topic.number,
                        _("query %(key)s stands in line %(line)d already.")
                        % {"key": topic.key, "line": first_at[topic.key]},
                    )
                )
                continue
            first_at[topic.key] = topic.number
            try:
                query = known.get(topic.key)
                if query is None:
                    judged_query_create(
                        judged_set=judged_set,
                        user=user,
                        text=topic.text,
                        key=topic.key,
                        language=_language(topic.text),
                    )
                elif query.text != topic.text:
                    judged_query_update(query=query, user=user, text=topic.text)
                written += 1
            except InvalidInput as error:
                bad.append(BadLine(file, topic.number, error.message))
    return Imported(queries=written, bad=sorted(bad, key=lambda each: each.number))


def lines_import(*, judged_set: JudgedSet, user: User, lines: Iterable[str], file: str) -> Imported:
    """Add queries that are words only, one a line; those that are there already are passed over.

    Raises NotAllowed when the set is not this person's.
    """
    bad: list[BadLine] = []
    written = 0
    with transaction.atomic():
        _require_owner(judged_set, user)
        known = set(_queries(judged_set).values_list("text", flat=True))
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if not text or text in known:
                continue
            try:
                query = judged_query_create(judged_set=judged_set, user=user, text=text, language=_language(text))
            except InvalidInput as error:
                bad.append(BadLine(file, number, error.message))
            else:
                known |= {text, query.text}
                written += 1
    return Imported(queries=written, bad=bad)


def qrels_import(
    *, judged_set: JudgedSet, user: User, lines: Iterable[str], file: str, documents: str = DocumentId.UUID
) -> Imported:
    """Write the judgements of a qrels file in this person's name; ``documents`` says what its scenes are called by.

    A line is refused when its query or scene is unknown (a hidden scene is unknown), and when an earlier line judges
    the same scene otherwise. Raises NotAllowed when this person may not judge in the set.
    """
    qrels, bad = qrels_read(lines, file=file)
    if not JudgedSet.objects.judgeable_by(user).filter(pk=judged_set.pk).exists():
        raise NotAllowed(_("You may look at “%(name)s”, but not judge in it.") % {"name": judged_set.name})
    queries = dict(_queries(judged_set).values_list("key", "pk"))
    scenes, reasons = scenes_named(
        (qrel.document for qrel in qrels), kind=documents, scope=set_scenes(judged_set, user)
    )
    rows: dict[tuple[int, object], tuple[Qrel, RelevanceJudgement]] = {}
    for qrel in qrels:
        query_id, scene_id = queries.get(qrel.key), scenes.get(qrel.document)
        if query_id is None:
            reason = _("the set has no query %(key)s: import the queries first.") % {"key": qrel.key}
        elif scene_id is None:
            reason = reasons[qrel.document]
        elif (earlier := rows.get((query_id, scene_id))) and earlier[0].grade != qrel.grade:
            reason = _("line %(line)d gives the same scene the grade %(grade)d.") % {
                "line": earlier[0].number, "grade": earlier[0].grade,
            }  # fmt: skip
        else:
            row = RelevanceJudgement(query_id=query_id, scene_id=scene_id, grade=qrel.grade, judged_by=user)
            rows.setdefault((query_id, scene_id), (qrel, row))
            continue
        bad.append(BadLine(file, qrel.number, reason))
    _judgements_store([row for _qrel, row in rows.values()])
    return Imported(judgements=len(rows), bad=sorted(bad, key=lambda each: each.number))


def phrases_import(
    *, judged_set: JudgedSet, user: User, phrases: Sequence[Phrase], class_property: str
) -> tuple[Imported, list[str]]:
    """Add phrases as queries; the scenes whose property ``class_property`` is a phrase's class are its right answers.

    Returns what was written, and the classes that no scene of the set has (their queries are added without
    judgements). A phrase that is there already gets the judgements of today's classes. Raises NotAllowed when the set
    is not this person's, InvalidInput (field ``class_property``, or ``text`` of a phrase).
    """
    _require_owner(judged_set, user)
    with transaction.atomic():
        if judged_set.class_property != class_property:
            judged_set_update(judged_set=judged_set, user=user, class_property=class_property)
        scope = set_scenes(judged_set, user).order_by()
        members = scene_classes(scope, class_property)
        number = int(next_key(judged_set))
        known = {(query.text, query.language): query for query in _queries(judged_set)}
        rows = []
        for phrase in dict.fromkeys(phrases):
            query = known.get((phrase.text, phrase.language))
            if query is None:
                query = judged_query_create(
                    judged_set=judged_set,
                    user=user,
                    text=phrase.text,
                    key=str(number),
                    language=phrase.language,
                    scene_class=phrase.scene_class,
                )
                number += 1
            elif query.scene_class != phrase.scene_class:
                judged_query_update(query=query, user=user, scene_class=phrase.scene_class)
            rows += [
                RelevanceJudgement(query=query, scene_id=scene_id, grade=CLASS_GRADE, judged_by=user)
                for scene_id in members.get(phrase.scene_class, ())
            ]
        _judgements_store(rows)
    missing = sorted({phrase.scene_class for phrase in phrases} - set(members))
    return Imported(queries=len(set(phrases)), judgements=len(rows)), missing


def _judgements_store(rows: Sequence[RelevanceJudgement]) -> None:
    with transaction.atomic():
        RelevanceJudgement.objects.bulk_create(
            rows,
            batch_size=_BATCH,
            update_conflicts=True,
            unique_fields=["query", "scene"],
            update_fields=["grade", "judged_by", "judged_at"],
        )


def _language(text: str) -> str:
    """Chinese is told by its script; of other languages nothing is claimed."""
    return "zh" if any(_HAN[0] <= char <= _HAN[1] for char in text) else ""


def _queries(judged_set: JudgedSet) -> QuerySet[JudgedQuery]:
    return JudgedQuery.objects.filter(judged_set=judged_set).select_related("judged_set")


def _require_owner(judged_set: JudgedSet, user: User) -> None:
    if not judged_set_owned_by(judged_set=judged_set, user=user):
        raise NotAllowed(_("Only the owner of “%(name)s” can change it.") % {"name": judged_set.name})
