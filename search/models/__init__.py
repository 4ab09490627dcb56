from search.models.event import Event
from search.models.impression import Impression
from search.models.query import Query
from search.models.query_vector import QueryVector
from search.models.ranking import Ranking
from search.models.translated_text import TranslatedText

__all__ = ["Event", "Impression", "Query", "QueryVector", "Ranking", "TranslatedText"]
