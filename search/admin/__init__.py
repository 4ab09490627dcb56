"""Searching in the administration: the feedback log (read-only, and never a person's words to another curator) and the
judged query sets that rankings are measured on."""

from search.admin.concept import ConceptAdmin
from search.admin.event import EventAdmin
from search.admin.feedback_exclusion import FeedbackExclusionAdmin
from search.admin.impression import ImpressionAdmin
from search.admin.judged_query import JudgedQueryAdmin
from search.admin.judged_set import JudgedSetAdmin
from search.admin.position_propensity import PositionPropensityAdmin
from search.admin.query import QueryAdmin
from search.admin.ranker_trial import RankerTrialAdmin
from search.admin.ranking import RankingAdmin
from search.admin.ranking_run import RankingRunAdmin

__all__ = [
    "ConceptAdmin",
    "EventAdmin",
    "FeedbackExclusionAdmin",
    "ImpressionAdmin",
    "JudgedQueryAdmin",
    "JudgedSetAdmin",
    "PositionPropensityAdmin",
    "QueryAdmin",
    "RankerTrialAdmin",
    "RankingAdmin",
    "RankingRunAdmin",
]
