from search.models.concept import Concept, ConceptExample
from search.models.event import Event
from search.models.impression import Impression
from search.models.judged import Grade, JudgedQuery, JudgedSet, RelevanceJudgement, Sharing
from search.models.learning import FeedbackExclusion, LearningChoice, PositionPropensity
from search.models.query import Query
from search.models.query_image import ExampleVector, QueryImage
from search.models.query_vector import QueryVector
from search.models.ranking import Ranking
from search.models.ranking_run import RankingRun
from search.models.translated_text import TranslatedText
from search.models.trial import RankerTrial
from search.models.vote import EventCount, Vote

__all__ = [
    "Concept",
    "ConceptExample",
    "Event",
    "EventCount",
    "ExampleVector",
    "FeedbackExclusion",
    "Grade",
    "Impression",
    "JudgedQuery",
    "JudgedSet",
    "LearningChoice",
    "PositionPropensity",
    "Query",
    "QueryImage",
    "QueryVector",
    "RankerTrial",
    "Ranking",
    "RankingRun",
    "RelevanceJudgement",
    "Sharing",
    "TranslatedText",
    "Vote",
]
