from search.models.event import Event
from search.models.impression import Impression
from search.models.judged import Grade, JudgedQuery, JudgedSet, RelevanceJudgement, Sharing
from search.models.query import Query
from search.models.query_vector import QueryVector
from search.models.ranking import Ranking
from search.models.ranking_run import RankingRun
from search.models.translated_text import TranslatedText

__all__ = [
    "Event",
    "Grade",
    "Impression",
    "JudgedQuery",
    "JudgedSet",
    "Query",
    "QueryVector",
    "Ranking",
    "RankingRun",
    "RelevanceJudgement",
    "Sharing",
    "TranslatedText",
]
