"""Query understanding: from the words of a query to a plan of clauses, negations, relations and attributes."""

from search.understanding.chips import (
    ClauseGiven,
    chips_of,
    clauses_parse,
    plan_check,
    plan_of,
    plan_text,
    relation_read,
    relation_text,
)
from search.understanding.parse import query_language, query_plan
from search.understanding.plan import (
    MAX_CLAUSES,
    Attribute,
    AttributeKind,
    Chip,
    ChipKind,
    Clause,
    QueryPlan,
    Relation,
    RelationKind,
)

__all__ = [
    "MAX_CLAUSES",
    "Attribute",
    "AttributeKind",
    "Chip",
    "ChipKind",
    "Clause",
    "ClauseGiven",
    "QueryPlan",
    "Relation",
    "RelationKind",
    "chips_of",
    "clauses_parse",
    "plan_check",
    "plan_of",
    "plan_text",
    "query_language",
    "query_plan",
    "relation_read",
    "relation_text",
]
