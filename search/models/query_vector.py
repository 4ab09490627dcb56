"""Query vectors: the persistent cache of encoded query texts."""

from django.db import models
from django.utils import timezone
from pgvector.django import HalfVectorField


class QueryVector(models.Model):
    """The unit vector of a query text under an encoder, shared by everybody who asks the same.

    It holds no person's data; the text is what was encoded (normalised), found by its SHA-256. ``recipe`` stands
    for everything else that decides the vector (files, prompts, rules: ``search.encode_query.query_recipe``), so that
    a change of these never serves an old vector. ``parts`` are the pieces of a text too long to be read at once.
    ``used_at`` is right within the hour; what was not used for longest goes first (``search.services.caches``).
    """

    encoder = models.ForeignKey("imagery.Encoder", on_delete=models.CASCADE, related_name="+")
    recipe = models.CharField(max_length=64, blank=True)
    text = models.TextField()
    text_sha256 = models.CharField(max_length=64)
    parts = models.JSONField(default=list, blank=True)
    vector = HalfVectorField()
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["encoder", "recipe", "text_sha256"], name="query_vector_once")]

    def __str__(self) -> str:
        return self.text
