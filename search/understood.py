"""From a request to what is ranked against: the plan of its words, and the vectors of the parts that count."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagery.models import Encoder
from rsportal.errors import InvalidInput
from search.encode_query import EncodedQuery, parts_encode, query_encode
from search.query import SearchRequest
from search.ranking.clauses import length_share
from search.ranking.examples import examples_mean
from search.ranking.query import RankClause, RankExample, RankQuery, RankRelation
from search.ranking.stages import Stage, StageSettings
from search.translation import SearchWords, search_words
from search.understanding import ChipKind, QueryPlan, chips_of, plan_check, plan_of, relation_text
from search.understanding.plan import LIKE_ANY, Clause, Relation


@dataclass(frozen=True)
class Understood:
    """A request as it is ranked.

    ``words`` are what is encoded as a whole, ``encoded`` their vector (None: a query without text). ``settings`` are
    the encoder's, with the stages on that what the person marked needs: a minus sign counts whether or not the
    grammar's negations do. ``relations``
    are those that count; their things are encoded when there is something to see (``query_related``). ``given`` says
    that the person gave the clauses.
    """

    plan: QueryPlan
    words: SearchWords
    encoded: EncodedQuery | None
    query: RankQuery
    settings: StageSettings
    relations: tuple[Relation, ...] = ()
    given: bool = False

    def parsed(self) -> dict[str, Any]:
        """Return the plan as it is kept with the query: its parts, and which of them count in this ranking."""
        counted = {clause.text for clause in self.query.clauses} | {relation_text(each) for each in self.relations}
        return {
            "whole": self.plan.whole,
            "given": self.given,
            "clauses": [
                {
                    "kind": chip.kind.value,
                    "text": chip.text,
                    "weight": chip.weight,
                    "counts": chip.kind is ChipKind.CLAUSE or chip.text in counted,
                }
                for chip in chips_of(self.plan)
            ],
        }


def request_understand(
    *, request: SearchRequest, encoder: Encoder, settings: StageSettings, examples: Sequence[RankExample] = ()
) -> Understood:
    """Return what a request is ranked against under the ``settings`` of its encoder.

    ``examples`` are the request's (``search.example_vectors``); a request without text must have one that is wanted.
    Raises InvalidInput (field ``text`` or ``clauses``) for a query of nothing but things that must not be there, of too
    many marked parts, or in a language that the encoder does not read.
    """
    settings = replace(settings, examples=_needed(settings.examples, bool(examples), StageSettings().examples))
    if not request.text:
        query = RankQuery(vector=examples_mean(examples), examples=tuple(examples), worded=False)
        return Understood(QueryPlan(text="", language="", whole=""), SearchWords(""), None, query, settings)
    plan = plan_of(request.translation or request.text, request.clauses)
    if not request.clauses:
        plan = _used(plan, settings)
        plan_check(plan)
    words = _words(plan, request, encoder)
    encoded = query_encode(text=words.text, encoder=encoder)
    (wanted, stressed), denied = _clauses(plan, settings), plan.negatives
    relations = tuple(each for each in plan.relations if settings.relations.active or each.explicit)
    settings = replace(
        settings,
        clauses=_needed(settings.clauses, bool(wanted), StageSettings().clauses),
        without=_needed(settings.without, bool(denied), StageSettings().without),
        relations=_needed(settings.relations, bool(relations), StageSettings().relations),
    )
    known = _encoded((*wanted, *denied), encoder)
    query = RankQuery(
        vector=encoded.vector,
        clauses=tuple(
            replace(known[each.text], weight=each.weight) for each in (*wanted, *denied) if each.text in known
        ),
        stressed=stressed,
        examples=tuple(examples),
    )
    return Understood(
        plan=plan,
        words=words,
        encoded=encoded,
        query=query,
        settings=settings,
        relations=relations,
        given=bool(request.clauses),
    )


def query_related(understood: Understood, *, encoder: Encoder, windows: NDArray[np.int32]) -> RankQuery:
    """Return the query with its relations, if there are candidates (``windows`` (n, 5)) in which places can be seen.

    In an archive of single pictures there are none, and the things of the relations need no vectors.
    """
    if not understood.relations or not (windows[:, 0] > 0).any():
        return understood.query
    things = [Clause(text, explicit=each.explicit) for each in understood.relations for text in _things(each)]
    known = _encoded(things, encoder)
    relations = tuple(
        RankRelation(each.kind.value, known[each.subject], tuple(known[text] for text in each.objects), each.weight)
        for each in understood.relations
        if all(text in known for text in _things(each))
    )
    return replace(understood.query, relations=relations)


def _used(plan: QueryPlan, settings: StageSettings) -> QueryPlan:
    """Return the plan without negations of the grammar when they do not count: then they stay in the text."""
    if settings.without.active or all(each.explicit for each in plan.negatives):
        return plan
    return replace(plan, whole=plan.undenied, negatives=tuple(each for each in plan.negatives if each.explicit))


def _words(plan: QueryPlan, request: SearchRequest, encoder: Encoder) -> SearchWords:
    if plan.whole in ("", plan.text):
        return search_words(text=request.text, translation=request.translation, encoder=encoder)
    if request.translation:
        words = search_words(text=request.text, translation=plan.whole, encoder=encoder)
        return replace(words, translation=request.translation)
    return search_words(text=plan.whole, encoder=encoder)


def _clauses(plan: QueryPlan, settings: StageSettings) -> tuple[list[Clause], bool]:
    """Return the clauses that count beside the whole, and whether because somebody weighted one."""
    told = [Clause(each.phrase, each.weight, explicit=True) for each in plan.attributes if each.weight]
    if told or any(each.weight != LIKE_ANY for each in plan.clauses):
        return [*(plan.clauses if len(plan.clauses) > 1 else ()), *told], True
    long = settings.clauses.active and length_share(len(plan.clauses)) > 0
    found = list(plan.clauses) if long else []
    if settings.attributes.active:
        found += [Clause(each.phrase, settings.attributes.weight) for each in plan.attributes]
    return found, False


def _needed(stage: Stage, needed: bool, default: Stage) -> Stage:
    if not needed or stage.active:
        return stage
    return replace(stage, on=True, weight=stage.weight or default.weight)


def _encoded(clauses: Iterable[Clause], encoder: Encoder) -> dict[str, RankClause]:
    """Encode clauses in one batch, by their texts; without those that the grammar found and nobody can translate."""
    wanted: dict[str, tuple[Clause, str]] = {}
    for clause in clauses:
        try:
            wanted.setdefault(clause.text, (clause, search_words(text=clause.text, encoder=encoder).text))
        except InvalidInput:
            if clause.explicit:
                raise
    vectors = parts_encode(texts=[words for _clause, words in wanted.values()], encoder=encoder) if wanted else []
    return {
        clause.text: RankClause(clause.text, vector, clause.weight)
        for (clause, _words), vector in zip(wanted.values(), vectors, strict=True)
    }


def _things(relation: Relation) -> Iterable[str]:
    return (relation.subject, *relation.objects)
