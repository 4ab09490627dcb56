"""Searching and its feedback log: the public door for pages, API and commands."""

from search.query import SearchRequest, search_request_parse
from search.ranking import Band
from search.services.events import event_impression, event_record, event_withdraw
from search.services.history import history_erase
from search.services.learning import learning_choose
from search.services.pages import MAX_PAGE_SIZE, PAGE_SIZE, Hit, SearchPage, ranking_page
from search.services.query_images import image_keep
from search.services.runs import search_run

__all__ = [
    "MAX_PAGE_SIZE",
    "PAGE_SIZE",
    "Band",
    "Hit",
    "SearchPage",
    "SearchRequest",
    "event_impression",
    "event_record",
    "event_withdraw",
    "history_erase",
    "image_keep",
    "learning_choose",
    "ranking_page",
    "search_request_parse",
    "search_run",
]
