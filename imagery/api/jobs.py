"""Ingest jobs."""

from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from imagery.api.job_serializers import JobSerializer
from imagery.api.viewset import CatalogueViewSet, found
from imagery.models import IngestJob
from imagery.selectors import job_get, jobs_list
from imagery.services.ingest import ingest_job_cancel, ingest_job_retry
from rsportal.errors import InvalidInput

_PARAMETERS = [
    OpenApiParameter("batch", UUID, description="Jobs that came together."),
    OpenApiParameter("state", str, enum=[*IngestJob.State.values, "unfinished"], description="Empty: all."),
]


@extend_schema(tags=["jobs"])
@extend_schema_view(
    list=extend_schema(summary="List the jobs you may follow, newest first", parameters=_PARAMETERS),
    retrieve=extend_schema(summary="One job"),
)
class JobViewSet(CatalogueViewSet):
    """What happens to what was uploaded."""

    queryset = IngestJob.objects.none()
    serializer_class = JobSerializer
    lookup_value_converter = "uuid"
    problem_codes = {"retry": ("409",), "cancel": ("409",)}

    def list(self, request: Request) -> Response:
        params = request.query_params
        jobs = jobs_list(self.user, batch=_batch(params.get("batch", "")), state=_state(params.get("state", "")))
        page = self.paginate_queryset(jobs.select_related(None).select_related("collection"))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(self.get_serializer(self._get(pk)).data)

    @extend_schema(summary="Try a failed job again", request=None)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: UUID) -> Response:
        return Response(self.get_serializer(ingest_job_retry(job=self._get(pk), user=self.user)).data)

    @extend_schema(summary="Give up a job that is not over", request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        return Response(self.get_serializer(ingest_job_cancel(job=self._get(pk), user=self.user)).data)

    def _get(self, pk: UUID) -> IngestJob:
        return found(lambda: job_get(self.user, pk))


def _batch(raw: str) -> UUID | None:
    try:
        return UUID(raw) if raw else None
    except ValueError:
        raise InvalidInput(_("batch is not the number of a batch (a UUID)."), field="batch") from None


def _state(raw: str) -> str | None:
    if raw and raw not in [*IngestJob.State.values, "unfinished"]:
        choices = ", ".join([*IngestJob.State.values, "unfinished"])
        raise InvalidInput(_("state is one of %(choices)s.") % {"choices": choices}, field="state")
    return raw or None
