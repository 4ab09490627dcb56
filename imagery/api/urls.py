"""Addresses of the catalogue's endpoints."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from imagery.api.assets import AssetView
from imagery.api.collections import CollectionViewSet
from imagery.api.duplicates import DuplicatesView
from imagery.api.jobs import JobViewSet
from imagery.api.scene_numbers import SceneInfoView, ScenePreviewView, SceneStatisticsView
from imagery.api.scenes import SceneViewSet
from imagery.api.stac import StacCatalogView, StacCollectionView, StacItemView
from imagery.api.tiles import DeepZoomView, MapTileView, TileJSONView
from imagery.api.windows import SceneWindowsView
from imagery.tus_views import UploadsView, UploadView

router = SimpleRouter(use_regex_path=False)
router.register("collections", CollectionViewSet, basename="collection")
router.register("scenes", SceneViewSet, basename="scene")
router.register("jobs", JobViewSet, basename="job")

urlpatterns = [
    *router.urls,
    path("uploads/", UploadsView.as_view(), name="upload-list"),
    path("uploads/<uuid:pk>/", UploadView.as_view(), name="upload-detail"),
    path("scenes/<uuid:pk>/assets/<str:key>/", AssetView.as_view(), name="scene-asset"),
    path("scenes/<uuid:pk>/tiles/<int:z>/<int:x>/<int:y>.webp", MapTileView.as_view(), name="scene-map-tile"),
    path("scenes/<uuid:pk>/info/", SceneInfoView.as_view(), name="scene-info"),
    path("scenes/<uuid:pk>/statistics/", SceneStatisticsView.as_view(), name="scene-statistics"),
    path("scenes/<uuid:pk>/preview/", ScenePreviewView.as_view(), name="scene-preview"),
    path("scenes/<uuid:pk>/tilejson.json", TileJSONView.as_view(), name="scene-tilejson"),
    path("scenes/<uuid:pk>/deepzoom/<int:level>/<int:x>_<int:y>.webp", DeepZoomView.as_view(), name="scene-deepzoom"),
    path("scenes/<uuid:pk>/windows/", SceneWindowsView.as_view(), name="scene-windows"),
    path("scenes/<uuid:pk>/duplicates/", DuplicatesView.as_view(), name="scene-duplicates"),
    path("scenes/<uuid:pk>/stac", StacItemView.as_view(), name="scene-stac"),
    path("collections/<slug:slug>/stac", StacCollectionView.as_view(), name="collection-stac"),
    path("stac", StacCatalogView.as_view(), name="stac"),
]
