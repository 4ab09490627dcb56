"""Scenes, and ingest by upload."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from imagery.api.filters import SCENE_PARAMETERS, scene_filters_parse
from imagery.api.job_serializers import JobSerializer
from imagery.api.links import link
from imagery.api.scene_serializers import SceneSerializer, SceneUploadSerializer
from imagery.api.uploads import upload_size_check, uploaded_path
from imagery.api.viewset import CatalogueViewSet, collection_given, found
from imagery.models import IngestJob, Scene
from imagery.selectors import collections_editable, scene_get, scenes_list
from imagery.services.ingest import SourceFile, source_ingest
from imagery.services.properties import scene_fields
from imagery.services.scenes import scene_delete
from rsportal.api.problems import problem_response
from rsportal.errors import InvalidInput


def _check_properties(properties: dict[str, Any] | None) -> None:
    """Raise InvalidInput naming the property, before anything is done with the file."""
    try:
        scene_fields(properties)
    except InvalidInput as error:
        field = "properties" if error.field in (None, "properties") else f"properties.{error.field}"
        raise InvalidInput(error.message, code=error.code, field=field) from None


@extend_schema(tags=["scenes"])
@extend_schema_view(
    list=extend_schema(summary="List the scenes you may see, newest first", parameters=SCENE_PARAMETERS),
    retrieve=extend_schema(summary="One scene"),
    create=extend_schema(
        summary="Upload a file",
        description="Queues the file and answers with its job; follow the job until it is `finished`. A file whose "
        "bytes the collection already holds is not ingested twice: the answer is 200 with the job linking "
        "to the known scene. A file that is no readable image is refused with the reason.",
        request={"multipart/form-data": SceneUploadSerializer},
        responses={
            202: OpenApiResponse(JobSerializer, description="Queued."),
            200: OpenApiResponse(JobSerializer, description="The collection holds these bytes already."),
        },
    ),
    destroy=extend_schema(
        summary="Delete a scene",
        description="Removes the scene and the portal's files; files of an operator's archive are left alone.",
        responses={204: None},
    ),
)
class SceneViewSet(CatalogueViewSet):
    """Acquisitions and pictures."""

    queryset = Scene.objects.none()
    serializer_class = SceneSerializer
    lookup_value_converter = "uuid"
    parser_classes = [MultiPartParser]

    @property
    def throttle_scope(self) -> str | None:
        """Uploads have a rate of their own."""
        return "upload" if getattr(self, "action", None) == "create" else None

    def list(self, request: Request) -> Response:
        filters = scene_filters_parse(request.query_params)
        scenes = scenes_list(
            self.user,
            collections=filters.collections,
            start=filters.start,
            end=filters.end,
            bbox=filters.bbox,
            intersects=filters.intersects,
            status=filters.status,
            platform=filters.platform,
            text=filters.text,
        )
        page = self.paginate_queryset(scenes.defer(None).defer("placeholder").prefetch_related("assets"))
        assert page is not None
        return self.get_paginated_response(self._represent(*page))

    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(self._represent(found(lambda: scene_get(self.user, pk)))[0])

    def create(self, request: Request) -> Response:
        upload_size_check(request)
        form = SceneUploadSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        values = form.validated_data
        upload = values["file"]
        _check_properties(values.get("properties"))
        with uploaded_path(upload) as path:
            job = source_ingest(
                files=[SourceFile(path=path, filename=upload.name)],
                collection=collection_given(self.user, values["collection"]),
                user=self.user,
                batch=values.get("batch"),
                title=values["title"],
                properties=values.get("properties"),
            )
        address = link(request, "job-detail", pk=job.pk)
        if job.state == IngestJob.State.FAILED:
            return problem_response(
                status=400,
                code="refused",
                detail=job.reason,
                instance=request.path,
                errors=[{"field": "file", "code": "refused", "detail": job.reason}],
                job=address,
            )
        known = job.state == IngestJob.State.DUPLICATE
        body = JobSerializer(job, context={"request": request}).data
        code = status.HTTP_200_OK if known else status.HTTP_202_ACCEPTED
        return Response(body, status=code, headers={"Location": body["links"]["scene"] if known else address})

    def destroy(self, request: Request, pk: UUID) -> Response:
        scene_delete(scene=found(lambda: scene_get(self.user, pk)), user=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _represent(self, *scenes: Scene) -> Sequence[dict[str, Any]]:
        slugs = {scene.collection.slug for scene in scenes}
        editable = set(collections_editable(self.user).filter(slug__in=slugs).values_list("pk", flat=True))
        context = {"request": self.request, "editable": editable}
        return list(SceneSerializer(scenes, many=True, context=context).data)
