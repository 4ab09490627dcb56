"""Archive folders: places of the operator's archive that are looked through again and again, and only ever read."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from imagery.querysets import ArchiveFileQuerySet, ArchiveFolderQuerySet


class ArchiveFolder(models.Model):
    """A folder registered with a collection; each scan reports what is new, changed, moved or missing in it."""

    collection = models.ForeignKey(
        "imagery.Collection", on_delete=models.CASCADE, related_name="folders", verbose_name=_("collection")
    )
    path = models.CharField(_("path"), max_length=1000, help_text=_("An absolute path on the server."))
    recursive = models.BooleanField(_("with the folders below"), default=True)
    every_hours = models.PositiveIntegerField(
        _("scan every (hours)"), default=24, help_text=_("0: only when somebody asks for it.")
    )
    active = models.BooleanField(_("active"), default=True)
    scanned_at = models.DateTimeField(_("last scan"), null=True, blank=True)
    scanning_since = models.DateTimeField(_("scan running since"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    report = models.JSONField(_("report of the last scan"), default=dict, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(_("registered"), auto_now_add=True)

    objects = ArchiveFolderQuerySet.as_manager()

    class Meta:
        verbose_name = _("archive folder")
        verbose_name_plural = _("archive folders")
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["collection", "path"], name="archive_folder_once")]

    def __str__(self) -> str:
        return self.path


class ArchiveFile(models.Model):
    """A file seen in an archive folder: what tells without reading it whether it is still the same."""

    class State(models.TextChoices):
        PRESENT = "present", _("there")
        CHANGED = "changed", _("changed since it was taken in")
        MISSING = "missing", _("missing")
        REFUSED = "refused", _("refused")

    folder = models.ForeignKey(ArchiveFolder, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(_("path in the folder"), max_length=1000)
    size = models.PositiveBigIntegerField(_("size (bytes)"))
    modified_ns = models.BigIntegerField(_("modified (ns)"), help_text=_("As the file system tells it."))
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PRESENT)
    reason = models.TextField(_("reason"), blank=True)
    scene = models.ForeignKey(
        "imagery.Scene", on_delete=models.SET_NULL, null=True, blank=True, related_name="archive_files"
    )
    job = models.ForeignKey("imagery.IngestJob", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    seen_at = models.DateTimeField(_("last seen"))

    objects = ArchiveFileQuerySet.as_manager()

    class Meta:
        verbose_name = _("archive file")
        verbose_name_plural = _("archive files")
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["folder", "path"], name="archive_file_once")]
        indexes = [
            models.Index(fields=["folder", "state"], name="archive_file_state"),
            models.Index(fields=["size"], name="archive_file_size"),  # Files that were moved are looked for by it.
        ]

    def __str__(self) -> str:
        return self.path
