"""A plan as chips that people change, as clauses that programs send, and as a text in the query syntax."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput
from search.encode_query import query_text_normalise
from search.understanding.parse import attributes_folded, query_language, query_plan
from search.understanding.plan import (
    LIKE_ANY,
    MAX_CLAUSES,
    MAX_WEIGHT,
    MIN_WEIGHT,
    Chip,
    ChipKind,
    Clause,
    QueryPlan,
    Relation,
    RelationKind,
)

FIELD: Final = "clauses"
_LONGEST: Final = 300  # characters of a clause
_WORDS: Final = {
    RelationKind.LEFT: "left of",
    RelationKind.RIGHT: "right of",
    RelationKind.ABOVE: "above",
    RelationKind.BELOW: "below",
    RelationKind.NEAR: "near",
    RelationKind.NEXT_TO: "next to",
    RelationKind.BETWEEN: "between",
    RelationKind.SURROUNDED: "surrounded by",
}
_KINDS: Final = {words: kind for kind, words in _WORDS.items()}
_RELATION: Final = re.compile(
    rf'"(?P<subject>[^"]+)" (?P<words>{"|".join(_KINDS)}) "(?P<object>[^"]+)"(?: and "(?P<second>[^"]+)")?'
)


@dataclass(frozen=True)
class ClauseGiven:
    """A clause as a person or program gives it: words, or a relation in the syntax; negative weights mean "without"."""

    text: str
    weight: float = LIKE_ANY


def chips_of(plan: QueryPlan) -> tuple[Chip, ...]:
    """Return the parts of a plan in the order in which they are shown."""
    chips = [Chip(ChipKind.CLAUSE, clause.text, clause.weight) for clause in plan.clauses]
    chips += [Chip(ChipKind.WITHOUT, clause.text, clause.weight) for clause in plan.negatives]
    chips += [Chip(ChipKind.RELATION, relation_text(each), each.weight) for each in plan.relations]
    said = {clause.text for clause in plan.clauses}
    chips += [Chip(ChipKind.ATTRIBUTE, each.phrase, each.weight) for each in plan.attributes if each.phrase not in said]
    return tuple(chips)


def relation_text(relation: Relation) -> str:
    """Return a relation in the query syntax: ``"ships" left of "a bridge"``."""
    things = " and ".join(f'"{_bare(thing)}"' for thing in relation.objects)
    return f'"{_bare(relation.subject)}" {_WORDS[relation.kind]} {things}'


def relation_read(text: str) -> Relation | None:
    """Return the relation that a text in the query syntax is; None if it is none."""
    match = _RELATION.fullmatch(text.strip())
    if match is None:
        return None
    things = tuple(" ".join(thing.split()) for thing in (match["object"], match["second"]) if thing)
    return Relation(_KINDS[match["words"]], " ".join(match["subject"].split()), things, explicit=True)


def plan_text(plan: QueryPlan) -> str:
    """Return the plan as a text in the query syntax, which is understood as the same chips."""
    weights = {clause.text: clause.weight for clause in plan.clauses}
    related: list[str] = []
    said: set[str] = set()
    for relation in plan.relations:
        line = relation_text(relation)
        for thing in (relation.subject, *relation.objects):
            if weights.get(thing, LIKE_ANY) != LIKE_ANY:
                line = line.replace(f'"{_bare(thing)}"', f'"{_bare(thing)}"{_mark(weights[thing])}')
            said.add(thing)
        related.append(line)
    parts = [f'"{_bare(each.text)}"{_mark(each.weight)}' for each in plan.clauses if each.text not in said]
    parts += [f'-"{_bare(each.text)}"{_mark(each.weight)}' for each in plan.negatives]
    parts += [f'"{_bare(each.phrase)}"{_mark(each.weight)}' for each in plan.attributes if each.weight]
    return "; ".join([*related, " ".join(parts)]).strip("; ")


def clauses_parse(given: Iterable[tuple[str, float | str]]) -> tuple[ClauseGiven, ...]:
    """Check the clauses of a request; those of weight 0 are left out.

    Raises InvalidInput (field ``clauses``) that names the clause at fault: an empty or too long one, a weight that is
    no number from 0.1 to 5 (-0.1 to -5: without), more than 8 clauses, and nothing but things that must not be there.
    """
    kept: list[ClauseGiven] = []
    for number, (raw, weight) in enumerate(given, start=1):
        value = _weight(number, weight)
        text = " ".join(query_text_normalise(raw).split())
        if not text or not any(char.isalnum() for char in text):
            raise _refusal(_("Clause %(number)d has no words. Write what to look for, or leave it out."), number=number)
        if len(text) > _LONGEST:
            raise _refusal(
                _("Clause %(number)d has %(length)d characters; %(limit)d is the most. Shorten it."),
                number=number,
                length=len(text),
                limit=_LONGEST,
            )
        if value < 0 and relation_read(text) is not None:
            raise _refusal(
                _("Clause %(number)d says where things are: its weight cannot be negative. Leave it out instead."),
                number=number,
            )
        if value:
            kept.append(ClauseGiven(text, value))
    _check_number(sum(relation_read(each.text) is None for each in kept))
    if kept and all(each.weight < 0 for each in kept):
        raise nothing_wanted(FIELD)
    return tuple(kept)


def plan_check(plan: QueryPlan) -> None:
    """Refuse a plan that has too many marked parts, or nothing that the picture should show (field ``text``)."""
    _check_number(len(plan.clauses) + len(plan.negatives), field="text")
    if plan.negatives and not plan.clauses:
        raise nothing_wanted("text")


def nothing_wanted(field: str) -> InvalidInput:
    """Return the refusal of a query that only says what must not be there."""
    return InvalidInput(
        _('Say also what the picture should show, not only what it should not: for example "a harbour without ships".'),
        code="only_without",
        field=field,
    )


def plan_of(text: str, given: Sequence[ClauseGiven] = ()) -> QueryPlan:
    """Return the plan of a query: as its text is understood, or as the given clauses say in its place.

    As long as the things to look for are those of the text, the text stays what is looked for as a whole.
    """
    plan = query_plan(text)
    if not given:
        return plan
    relations, clauses, negatives = [], [], []
    for each in given:
        relation = relation_read(each.text)
        if relation is not None:
            relations.append(replace(relation, weight=each.weight))
        elif each.weight < 0:
            negatives.append(Clause(each.text, each.weight, explicit=True))
        else:
            clauses.append(Clause(each.text, each.weight, explicit=True))
    kept, attributes = attributes_folded(clauses)
    things = [each.text for each in kept] or [
        thing for relation in relations for thing in (relation.subject, *relation.objects)
    ]
    whole = plan.whole if {each.text for each in kept} == {each.text for each in plan.clauses} else ", ".join(things)
    return QueryPlan(
        text=plan.text,
        language=query_language(whole),
        whole=whole,
        clauses=kept,
        negatives=tuple(negatives),
        relations=tuple(relations),
        attributes=attributes,
    )


def _weight(number: int, raw: float | str) -> float:
    try:
        value = float(raw)
    except (TypeError, ValueError):
        value = math.nan
    if value == 0 or MIN_WEIGHT <= abs(value) <= MAX_WEIGHT:
        return round(value, 2)
    raise _refusal(
        _(
            "The weight of clause %(number)d is %(value)s; it must be a number from %(low)g to %(high)g, "
            "or from -%(high)g to -%(low)g for what must not be there."
        ),
        number=number,
        value=repr(str(raw)[:20]),
        low=MIN_WEIGHT,
        high=MAX_WEIGHT,
    )


def _check_number(count: int, *, field: str = FIELD) -> None:
    if count > MAX_CLAUSES:
        raise InvalidInput(
            _("The query has %(count)d parts; %(limit)d is the most. Join some of them, or leave some out.")
            % {"count": count, "limit": MAX_CLAUSES},
            code="too_many_clauses",
            field=field,
        )


def _refusal(message: str, **values: object) -> InvalidInput:
    return InvalidInput(message % values, field=FIELD)


def _bare(text: str) -> str:
    return text.replace('"', "")


def _mark(weight: float) -> str:
    return "" if abs(weight) == LIKE_ANY else f"^{abs(weight):g}"
