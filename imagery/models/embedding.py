"""Embeddings: the unit vector of a tile under an encoder."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField


class Embedding(models.Model):
    """tile x encoder -> unit vector, and where the encoder gives them the vectors of the tile's quarters.

    The table is partitioned by encoder (LIST), so that vectors of two encoders never mix and retiring one drops its
    partition at once; the vector column is STORAGE PLAIN. Migration 0002 and ``services.encoders`` hold the SQL.
    """

    pk = models.CompositePrimaryKey("encoder_id", "tile_id")
    encoder = models.ForeignKey("imagery.Encoder", on_delete=models.CASCADE, related_name="+")
    tile = models.ForeignKey("imagery.Tile", on_delete=models.CASCADE, related_name="embeddings")
    vector = HalfVectorField()
    regions = models.BinaryField(null=True, editable=False)
    """Four vectors in 8 bits (``imagery.encoders.regions``)."""

    class Meta:
        verbose_name = _("embedding")
        verbose_name_plural = _("embeddings")

    def __str__(self) -> str:
        return f"{self.encoder_id}/{self.tile_id}"
