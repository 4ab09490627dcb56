"""Query images: pictures that a person searched with, kept so that the search can be opened again."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField

from search.querysets import OwnedQuerySet


class QueryImage(models.Model):
    """A picture (or a sketch) that somebody gave as an example, made small; its owner's alone.

    ``picture`` is a re-encoded WebP without the metadata of the file that was given, ``width`` x ``height`` pixels;
    ``sha256`` that of its bytes. It goes with its owner's history.
    """

    class Kind(models.TextChoices):
        PICTURE = "picture", _("picture")
        SKETCH = "sketch", _("sketch")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="query_images", verbose_name=_("user")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.PICTURE)
    name = models.CharField(_("name"), max_length=200, blank=True)
    picture = models.BinaryField(editable=False)
    width = models.PositiveIntegerField(_("width (px)"))
    height = models.PositiveIntegerField(_("height (px)"))
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(_("given"), auto_now_add=True)
    used_at = models.DateTimeField(_("last used"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("query image")
        verbose_name_plural = _("query images")
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["user", "kind", "sha256"], name="query_image_once")]

    def __str__(self) -> str:
        return self.name or str(self.pk)


class ExampleVector(models.Model):
    """The unit vector of a query image, or of a box on a scene, under an encoder.

    One of ``image`` and ``scene`` is set; with ``scene``, ``window`` is [x, y, width, height] in its pixels. ``recipe``
    stands for all else that decides the vector (files, rules).
    """

    encoder = models.ForeignKey("imagery.Encoder", on_delete=models.CASCADE, related_name="+")
    recipe = models.CharField(max_length=64)
    image = models.ForeignKey(QueryImage, on_delete=models.CASCADE, null=True, related_name="vectors")
    scene = models.ForeignKey("imagery.Scene", on_delete=models.CASCADE, null=True, related_name="+")
    window = models.JSONField(null=True)
    vector = HalfVectorField()
    used_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["encoder", "recipe", "image"], name="example_vector_image_once"),
            models.UniqueConstraint(fields=["encoder", "recipe", "scene", "window"], name="example_vector_window_once"),
            models.CheckConstraint(
                condition=models.Q(image__isnull=False, scene__isnull=True, window__isnull=True)
                | models.Q(image__isnull=True, scene__isnull=False, window__isnull=False),
                name="example_vector_of_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.encoder_id} {self.image_id or self.scene_id}"
