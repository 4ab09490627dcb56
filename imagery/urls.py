"""Addresses of the catalogue's pages."""

from django.urls import path

from imagery import views_collections, views_files, views_jobs, views_scenes, views_stac, views_tiles, views_upload
from imagery.tus_views import PageUploadsView, PageUploadView

app_name = "imagery"
urlpatterns = [
    path("scenes/<uuid:scene_id>/", views_scenes.scene, name="scene"),
    path("scenes/<uuid:scene_id>/delete/", views_scenes.scene_delete_confirm, name="scene_delete"),
    path("scenes/<uuid:scene_id>/thumbnail.webp", views_files.thumbnail, name="thumbnail"),
    path("scenes/<uuid:scene_id>/overview.webp", views_files.overview, name="overview"),
    path("scenes/<uuid:scene_id>/tiles/<int:z>/<int:x>/<int:y>.webp", views_tiles.map_tile, name="map_tile"),
    path("scenes/<uuid:scene_id>/tilejson.json", views_tiles.tile_description, name="tilejson"),
    path("scenes/<uuid:scene_id>/deepzoom/<int:level>/<int:x>_<int:y>.webp", views_tiles.deepzoom, name="deepzoom"),
    path("scenes/<uuid:scene_id>/places.json", views_tiles.places, name="places"),
    path("scenes/<uuid:scene_id>/files/<str:key>", views_files.original, name="original"),
    path("scenes/<uuid:scene_id>/stac.json", views_stac.item, name="scene_stac"),
    path("collections/<slug:slug>/stac.json", views_stac.collection, name="collection_stac"),
    path("stac.json", views_stac.catalog, name="stac_catalog"),
    path("upload/", views_upload.upload, name="upload"),
    path("upload/plan/", views_upload.upload_plan, name="upload_plan"),
    path("upload/<uuid:upload_id>/remove/", views_upload.upload_remove, name="upload_remove"),
    path("uploads/tus/", PageUploadsView.as_view(), name="tus"),
    path("uploads/tus/<uuid:pk>/", PageUploadView.as_view(), name="tus_upload"),
    path("jobs/", views_jobs.jobs, name="jobs"),
    path("jobs/<uuid:job_id>/row/", views_jobs.job_row, name="job_row"),
    path("jobs/<uuid:job_id>/retry/", views_jobs.job_retry, name="job_retry"),
    path("jobs/<uuid:job_id>/cancel/", views_jobs.job_cancel, name="job_cancel"),
    path("collections/", views_collections.collections, name="collections"),
    path("collections/new/", views_collections.collection_new, name="collection_create"),
    path("collections/<slug:slug>/", views_collections.collection, name="collection"),
    path("collections/<slug:slug>/edit/", views_collections.collection_edit, name="collection_edit"),
    path("collections/<slug:slug>/delete/", views_collections.collection_delete_confirm, name="collection_delete"),
    path("collections/<slug:slug>/members/", views_collections.member_set, name="member_set"),
    path(
        "collections/<slug:slug>/members/<int:member_id>/remove/", views_collections.member_remove, name="member_remove"
    ),
]
