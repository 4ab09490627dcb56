"""Encoders: a model version with its preprocessing, dimension and state."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Encoder(models.Model):
    """A model version that turns images and texts into vectors of one space. Exactly one is active."""

    class Kind(models.TextChoices):
        BUILTIN = "builtin", _("built in")
        TRANSFORMERS = "transformers", _("SigLIP/CLIP checkpoint (transformers)")

    class State(models.TextChoices):
        NEW = "new", _("new")
        FILLING = "filling", _("being filled")
        ACTIVE = "active", _("active")
        RETIRED = "retired", _("retired")

    name = models.SlugField(_("name"), max_length=60, unique=True)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    source = models.CharField(
        _("source"), max_length=500, help_text=_("Hub id or local folder of the checkpoint; for built-in, its name.")
    )
    revision = models.CharField(_("revision"), max_length=100, blank=True)
    checksum = models.CharField(_("checksum of the files"), max_length=64, blank=True)
    dimension = models.PositiveIntegerField(_("dimension"))
    image_size = models.PositiveIntegerField(_("image size (px)"))
    languages = models.JSONField(_("query languages"), default=list)
    calibration = models.JSONField(_("score calibration"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.NEW)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    activated_at = models.DateTimeField(_("activated"), null=True, blank=True)

    class Meta:
        verbose_name = _("encoder")
        verbose_name_plural = _("encoders")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=Q(state="active"), name="encoder_one_active"),
        ]

    def __str__(self) -> str:
        return self.name
