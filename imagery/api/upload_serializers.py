"""How uploads travel."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from imagery.api.links import link
from imagery.models import Upload


class UploadRefusalSerializer(serializers.Serializer):
    """A file of an archive that was not taken."""

    name = serializers.CharField(help_text="Its name in the archive.")
    reason = serializers.CharField()


class UploadOutcomeSerializer(serializers.Serializer):
    """What became of the files of a zip archive."""

    queued = serializers.IntegerField(help_text="Scenes that were accepted.")
    duplicate = serializers.IntegerField(help_text="Scenes that were there already.")
    left_out = serializers.IntegerField(help_text="Files that are no imagery.")
    refused = serializers.IntegerField(help_text="Files that were not taken.")
    refusals = UploadRefusalSerializer(many=True, help_text="The first 50 of them, with the reason.")


class UploadSerializer(serializers.ModelSerializer):
    """An upload; ``collection`` and ``job`` must be loaded."""

    collection = serializers.CharField(source="collection.slug", help_text="Slug of its collection.")
    state = serializers.ChoiceField(
        choices=Upload.State.choices,
        help_text="`receiving`: bytes are missing. `waiting`: other files of its group are missing. `working`: it is "
        "being taken in. `done` and `failed`: see `job`, `outcome` and `reason`.",
    )
    job = serializers.UUIDField(source="job_id", allow_null=True, help_text="The job of its scene.")
    job_state = serializers.CharField(source="job.state", default=None, allow_null=True)
    scene = serializers.UUIDField(source="job.scene_id", default=None, allow_null=True)
    outcome = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()
    job_url = serializers.SerializerMethodField()

    class Meta:
        model = Upload
        fields = [
            "id",
            "batch",
            "group",
            "group_size",
            "collection",
            "filename",
            "length",
            "offset",
            "state",
            "done",
            "total",
            "job",
            "job_state",
            "scene",
            "outcome",
            "reason",
            "created_at",
            "expires_at",
            "finished_at",
            "url",
            "job_url",
        ]
        read_only_fields = fields

    @extend_schema_field(UploadOutcomeSerializer(allow_null=True))
    def get_outcome(self, upload: Upload) -> dict[str, object] | None:
        return upload.outcome or None

    def get_url(self, upload: Upload) -> str:
        return link(self.context["request"], "upload-detail", pk=upload.pk)

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_job_url(self, upload: Upload) -> str | None:
        return link(self.context["request"], "job-detail", pk=upload.job_id) if upload.job_id else None
