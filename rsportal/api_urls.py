"""Every address of the API, below ``/api/v1/``."""

from django.urls import include, path, re_path

from rsportal.api.docs import DocsView, SchemaView
from rsportal.api.views import MeView, NowhereView, RootView

app_name = "api"
urlpatterns = [
    path("", RootView.as_view(), name="root"),
    path("", include("imagery.api.urls")),
    path("", include("search.api.urls")),
    path("me/", MeView.as_view(), name="me"),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
    re_path(r"^.*$", NowhereView.as_view(), name="nowhere"),
]
