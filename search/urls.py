"""Addresses of search and of the feedback log."""

from django.urls import path

from search import views, views_concepts, views_examples, views_history, views_part, views_place

app_name = "search"
urlpatterns = [
    path("", views.home, name="home"),
    path("progress/", views.progress, name="progress"),
    path("open/<str:token>/", views.open_hit, name="open"),
    path("events/", views.event, name="event"),
    path("examples/", views_examples.examples, name="examples"),
    path("examples/<uuid:image_id>.webp", views_examples.picture, name="example_picture"),
    path("area/", views_place.area, name="area"),
    path("part/<uuid:scene_id>/", views_part.part, name="part"),
    path("history/", views_history.history, name="history"),
    path("history/export.json", views_history.history_export, name="history_export"),
    path("history/erase/", views_history.history_erase, name="history_erase"),
    path("history/learning/", views_history.learning, name="learning"),
    path("concepts/", views_concepts.concepts, name="concepts"),
    path("concepts/new/", views_concepts.concept_new, name="concept_new"),
    path("concepts/<uuid:concept_id>/", views_concepts.concept, name="concept"),
    path("concepts/<uuid:concept_id>/sharing/", views_concepts.concept_sharing, name="concept_sharing"),
    path("concepts/<uuid:concept_id>/delete/", views_concepts.concept_delete_confirm, name="concept_delete"),
    path("concepts/<uuid:concept_id>/pictures/<uuid:image_id>.webp", views_concepts.picture, name="concept_picture"),
]
