"""Query vectors: the persistent cache of encoded query texts."""

from django.db import models
from pgvector.django import HalfVectorField


class QueryVector(models.Model):
    """The unit vector of a query text under an encoder, shared by everybody who asks the same.

    It holds no person's data; the text is what was encoded (normalised), found by its SHA-256.
    """

    encoder = models.ForeignKey("imagery.Encoder", on_delete=models.CASCADE, related_name="+")
    text = models.TextField()
    text_sha256 = models.CharField(max_length=64)
    vector = HalfVectorField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["encoder", "text_sha256"], name="query_vector_once")]

    def __str__(self) -> str:
        return self.text
