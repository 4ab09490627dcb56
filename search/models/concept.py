"""Concepts: what somebody taught the portal to look for, under a name."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from search.querysets_concepts import ConceptExampleQuerySet, ConceptQuerySet


class Concept(models.Model):
    """A reusable query: words and examples with weights. It has no vector of its own.

    What is looked for is put together anew for each person who uses it, from the examples that they may see; so a
    shared concept tells nobody anything of a scene that is hidden from them, and a change of the encoder needs no
    migration. With ``collection`` it is shared with all who may see that collection.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="concepts", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=80)
    description = models.TextField(_("description"), blank=True, max_length=1_000)
    text = models.TextField(_("text"), blank=True)
    collection = models.ForeignKey(
        "imagery.Collection",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="concepts",
        verbose_name=_("shared with those who see"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = ConceptQuerySet.as_manager()

    class Meta:
        verbose_name = _("concept")
        verbose_name_plural = _("concepts")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="concept_name_once")]

    def __str__(self) -> str:
        return self.name


class ConceptExample(models.Model):
    """An example of a concept: a scene, a box on one, or a picture; ``weight`` below 0 is "not like this"."""

    concept = models.ForeignKey(Concept, on_delete=models.CASCADE, related_name="examples")
    scene = models.ForeignKey("imagery.Scene", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    window = models.JSONField(null=True, blank=True)
    image = models.ForeignKey("search.QueryImage", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    weight = models.FloatField(_("weight"), default=1.0)

    objects = ConceptExampleQuerySet.as_manager()

    class Meta:
        verbose_name = _("example")
        verbose_name_plural = _("examples")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scene__isnull=False, image__isnull=True)
                | models.Q(scene__isnull=True, window__isnull=True, image__isnull=False),
                name="concept_example_of_one",
            )
        ]

    def __str__(self) -> str:
        return f"{self.concept_id} {self.scene_id or self.image_id} {self.weight:g}"
