"""Encoders in the administration: to look at. ``manage.py encoder`` registers and activates them."""

from django.contrib import admin
from django.db.models import BigIntegerField, Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from imagery.admin.base import ReadOnly
from imagery.models import Embedding, Encoder, Tile


@admin.register(Encoder)
class EncoderAdmin(ReadOnly, admin.ModelAdmin):
    """Encoders with the number of their vectors, of scenes the viewer sees; the vectors are never read here."""

    list_display = ("name", "state", "kind", "dimension", "image_size", "vectors", "activated_at")
    list_filter = ("state", "kind")
    search_fields = ("name", "source")
    fields = (
        "name", "state", "kind", "source", "revision", "checksum", "dimension", "image_size", "languages",
        "calibration", "vectors", "created_at", "activated_at",
    )  # fmt: skip
    readonly_fields = ("vectors",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Encoder]:
        counts = (
            Embedding.objects.filter(encoder_id=OuterRef("pk"), tile__in=Tile.objects.visible_to(request.user))
            .order_by()
            .values("encoder_id")
            .annotate(rows=Count("tile_id"))
            .values("rows")
        )
        rows = super().get_queryset(request)
        return rows.annotate(vector_count=Coalesce(Subquery(counts, output_field=BigIntegerField()), 0))

    @admin.display(description=gettext_lazy("vectors"), ordering=F("vector_count"))
    def vectors(self, encoder: Encoder) -> int:
        return int(getattr(encoder, "vector_count", 0))
