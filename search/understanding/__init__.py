"""Query understanding: from the words of a query to a plan of clauses, negations, relations and attributes."""

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
    "QueryPlan",
    "Relation",
    "RelationKind",
    "query_language",
    "query_plan",
]
