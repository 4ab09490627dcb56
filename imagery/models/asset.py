"""Assets: the files of a scene."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from imagery.querysets import SceneChildQuerySet


class Asset(models.Model):
    """A file of a scene (a STAC Asset).

    ``path`` is relative to the media folder when ``managed`` (our copy, deleted with the scene); otherwise it is an
    absolute path of the operator's archive, which is only ever read, or empty where the file is at ``href``, an
    address that is read by ranges. ``size`` and ``sha256`` are 0 and empty where they are not known.
    """

    class Role(models.TextChoices):
        DATA = "data", _("original data")
        THUMBNAIL = "thumbnail", _("thumbnail")
        OVERVIEW = "overview", _("full view")
        METADATA = "metadata", _("metadata")

    class Fixity(models.TextChoices):
        UNKNOWN = "", _("not checked yet")
        GOOD = "good", _("unchanged")
        CHANGED = "changed", _("changed")
        MISSING = "missing", _("missing")

    scene = models.ForeignKey("imagery.Scene", on_delete=models.CASCADE, related_name="assets")
    key = models.CharField(_("key"), max_length=60, help_text=_("Name within the scene, such as data or B04."))
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    path = models.CharField(_("path"), max_length=1000, blank=True)
    href = models.URLField(_("address"), max_length=2000, blank=True)
    managed = models.BooleanField(_("kept by the portal"), default=True)
    filename = models.CharField(_("file name"), max_length=300)
    media_type = models.CharField(_("media type"), max_length=100)
    size = models.PositiveBigIntegerField(_("size (bytes)"))
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    bands = models.JSONField(_("bands"), default=list, blank=True, help_text=_("STAC bands of this file."))
    verified_at = models.DateTimeField(_("last checked"), null=True, blank=True)
    fixity = models.CharField(_("fixity"), max_length=10, choices=Fixity.choices, default=Fixity.UNKNOWN, blank=True)
    width = models.PositiveIntegerField(_("width (px)"), default=0)
    height = models.PositiveIntegerField(_("height (px)"), default=0)

    objects = SceneChildQuerySet.as_manager()

    class Meta:
        verbose_name = _("asset")
        verbose_name_plural = _("assets")
        ordering = ["scene", "key"]
        constraints = [models.UniqueConstraint(fields=["scene", "key"], name="asset_key_once")]
        indexes = [
            models.Index(fields=["sha256"], name="asset_sha256"),
            models.Index(fields=["verified_at"], condition=models.Q(role="data"), name="asset_to_verify"),
        ]

    def __str__(self) -> str:
        return f"{self.filename} ({self.key})"
