"""How ingest jobs travel."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from imagery.api.links import link
from imagery.models import IngestJob


class JobLinksSerializer(serializers.Serializer):
    """Where to go from a job."""

    self = serializers.URLField()
    scene = serializers.URLField(allow_null=True, help_text="The scene it made, or the one that is there already.")
    retry = serializers.URLField(allow_null=True, help_text="POST here to try again; null when that is no use.")
    cancel = serializers.URLField(allow_null=True, help_text="POST here to give up; null when it is over.")


class JobSerializer(serializers.ModelSerializer):
    """An ingest job; ``collection`` must be loaded."""

    collection = serializers.CharField(source="collection.slug", help_text="Slug of its collection.")
    scene = serializers.UUIDField(source="scene_id", allow_null=True)
    percent = serializers.IntegerField(help_text="Share of tiles encoded; 100 only when ready.")
    finished = serializers.BooleanField(help_text="Whether nothing more happens unless someone retries it.")
    links = serializers.SerializerMethodField()

    class Meta:
        model = IngestJob
        fields = [
            "id",
            "batch",
            "collection",
            "scene",
            "source_name",
            "state",
            "attempts",
            "done",
            "total",
            "percent",
            "finished",
            "reason",
            "retryable",
            "created_at",
            "started_at",
            "heartbeat_at",
            "finished_at",
            "links",
        ]
        read_only_fields = fields

    @extend_schema_field(JobLinksSerializer)
    def get_links(self, job: IngestJob) -> dict[str, str | None]:
        request = self.context["request"]
        return {
            "self": link(request, "job-detail", pk=job.pk),
            "scene": link(request, "scene-detail", pk=job.scene_id) if job.scene_id else None,
            "retry": link(request, "job-retry", pk=job.pk) if job.retryable else None,
            "cancel": None if job.finished else link(request, "job-cancel", pk=job.pk),
        }
