"""Addresses of the search endpoints."""

from django.urls import path

from search.api.events import EventsView
from search.api.history import HistoryView
from search.api.views import SearchView

urlpatterns = [
    path("search/", SearchView.as_view(), name="search"),
    path("events/", EventsView.as_view(), name="events"),
    path("me/history/", HistoryView.as_view(), name="history"),
]
