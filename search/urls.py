"""Addresses of search and of the feedback log."""

from django.urls import path

from search import views, views_history

app_name = "search"
urlpatterns = [
    path("", views.home, name="home"),
    path("progress/", views.progress, name="progress"),
    path("open/<str:token>/", views.open_hit, name="open"),
    path("events/", views.event, name="event"),
    path("history/", views_history.history, name="history"),
    path("history/export.json", views_history.history_export, name="history_export"),
    path("history/erase/", views_history.history_erase, name="history_erase"),
]
