"""Addresses of the catalogue's endpoints."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from imagery.api.assets import AssetView
from imagery.api.collections import CollectionViewSet
from imagery.api.jobs import JobViewSet
from imagery.api.scenes import SceneViewSet

router = SimpleRouter(use_regex_path=False)
router.register("collections", CollectionViewSet, basename="collection")
router.register("scenes", SceneViewSet, basename="scene")
router.register("jobs", JobViewSet, basename="job")

urlpatterns = [
    *router.urls,
    path("scenes/<uuid:pk>/assets/<str:key>/", AssetView.as_view(), name="scene-asset"),
]
