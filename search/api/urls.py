"""Addresses of the search endpoints."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from search.api.concepts import ConceptViewSet
from search.api.events import EventsView
from search.api.examples import ExamplesView
from search.api.history import HistoryView
from search.api.learning import LearningView
from search.api.views import SearchView

router = SimpleRouter(use_regex_path=False)
router.register("concepts", ConceptViewSet, basename="concept")

urlpatterns = [
    *router.urls,
    path("search/", SearchView.as_view(), name="search"),
    path("examples/", ExamplesView.as_view(), name="examples"),
    path("events/", EventsView.as_view(), name="events"),
    path("me/history/", HistoryView.as_view(), name="history"),
    path("me/learning/", LearningView.as_view(), name="learning"),
]
