"""The feedback log in the administration: read-only, and never a person's words to another curator."""

from search.admin.event import EventAdmin
from search.admin.impression import ImpressionAdmin
from search.admin.query import QueryAdmin
from search.admin.ranking import RankingAdmin

__all__ = ["EventAdmin", "ImpressionAdmin", "QueryAdmin", "RankingAdmin"]
