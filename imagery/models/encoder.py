"""Encoders: a model version with its preprocessing, dimension and state."""

from typing import Final

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

HEAVY_FIELDS: Final = ("probe", "text_mean", "image_mean")
"""Fields of tens of kilobytes; defer them where encoders are listed or locked."""


class Encoder(models.Model):
    """A model version that turns images and texts into vectors of one space. Exactly one is active."""

    class Kind(models.TextChoices):
        BUILTIN = "builtin", _("built in")
        TRANSFORMERS = "transformers", _("SigLIP/CLIP checkpoint (transformers)")

    class State(models.TextChoices):
        """Who changes it: ``imagery.services.fill`` and ``imagery.services.switch``; docs/decisions/0004 draws it.

        Every new scene is encoded for the active encoder first, and then for those FILLING or READY.
        """

        NEW = "new", _("new")
        FILLING = "filling", _("being filled")
        READY = "ready", _("ready")
        ACTIVE = "active", _("active")
        RETIRED = "retired", _("retired")

    class Index(models.TextChoices):
        """What finds the nearest vectors when too many rows are left to compare each."""

        HNSW = "hnsw", _("graph of the vectors (HNSW)")
        BINARY = "binary", _("graph of their signs, re-ranked (smaller, for archives beyond 5 million tiles)")
        NONE = "none", _("none: every vector is compared")

    name = models.SlugField(_("name"), max_length=60, unique=True)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    source = models.CharField(
        _("source"), max_length=500, help_text=_("Hub id or local folder of the checkpoint; for built-in, its name.")
    )
    revision = models.CharField(_("revision"), max_length=100, blank=True)
    resolved_revision = models.CharField(
        _("commit"), max_length=100, blank=True, help_text=_("What the revision meant when this was registered.")
    )
    checksum = models.CharField(_("checksum of the files"), max_length=64, blank=True)
    dimension = models.PositiveIntegerField(_("dimension"))
    image_size = models.PositiveIntegerField(_("image size (px)"))
    languages = models.JSONField(_("query languages"), default=list)
    calibration = models.JSONField(_("score calibration"), default=dict, blank=True)
    probe = models.JSONField(_("known vectors for the self-test"), default=dict, blank=True)
    runtime = models.JSONField(_("runtime and precision"), default=dict, blank=True)
    prompts = models.JSONField(_("prompts"), default=list, blank=True)
    text_mean = models.JSONField(_("mean of text vectors"), null=True, blank=True)
    image_mean = models.JSONField(_("mean of image vectors"), null=True, blank=True)
    means_at = models.DateTimeField(_("means computed"), null=True, blank=True)
    means_of = models.JSONField(_("what the means were made of"), default=dict, blank=True)
    adapter = models.JSONField(_("linear adapter"), default=dict, blank=True)
    sketch = models.JSONField(_("sketch bridge"), default=dict, blank=True)
    index_kind = models.CharField(_("index"), max_length=10, choices=Index.choices, default=Index.HNSW)
    ranking = models.JSONField(
        _("ranking stages"), default=dict, blank=True, help_text=_("Only what differs from the defaults of its kind.")
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.NEW)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    activated_at = models.DateTimeField(_("activated"), null=True, blank=True)
    previous = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("replaced"),
        help_text=_("The encoder that was active before this one; a rollback goes back to it."),
    )

    class Meta:
        verbose_name = _("encoder")
        verbose_name_plural = _("encoders")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=Q(state="active"), name="encoder_one_active"),
        ]

    def __str__(self) -> str:
        return self.name
