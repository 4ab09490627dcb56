"""Uploads on their way in: files that arrive in pieces and may be gone on with (tus)."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Upload(models.Model):
    """A resumable upload of one file; ``offset`` of ``length`` bytes have arrived and are safe on the disk.

    Uploads of one user, ``batch`` and ``group`` are the files of one scene: they are taken in together when all
    ``group_size`` are complete. ``job`` is what became of a finished one (of a zip archive: ``outcome``, with counts
    and what was refused); ``expires_at`` is when an unfinished one and its bytes are removed. ``heartbeat_at`` is the
    last sign of life of the process that takes it in, ``done``/``total`` count the files of an archive.
    """

    class State(models.TextChoices):
        RECEIVING = "receiving", _("arriving")
        WAITING = "waiting", _("waiting for the other files")
        WORKING = "working", _("being taken in")
        DONE = "done", _("taken in")
        FAILED = "failed", _("refused")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    collection = models.ForeignKey("imagery.Collection", on_delete=models.CASCADE, related_name="uploads")
    batch = models.UUIDField(_("batch"), default=uuid.uuid4)
    filename = models.CharField(_("file name"), max_length=300)
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    length = models.PositiveBigIntegerField(_("length (bytes)"))
    offset = models.PositiveBigIntegerField(_("arrived (bytes)"), default=0)
    job = models.ForeignKey(
        "imagery.IngestJob", on_delete=models.SET_NULL, null=True, blank=True, related_name="uploads"
    )
    group = models.CharField(_("group"), max_length=300, blank=True)
    group_size = models.PositiveSmallIntegerField(_("files of the group"), default=1)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    done = models.PositiveIntegerField(_("files done"), default=0)
    total = models.PositiveIntegerField(_("files in all"), default=0)
    outcome = models.JSONField(_("outcome"), default=dict, blank=True)
    reason = models.TextField(_("reason of failure"), blank=True)
    created_at = models.DateTimeField(_("begun"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), db_index=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["user", "finished_at"], name="upload_of_user")]

    def __str__(self) -> str:
        return self.filename

    @property
    def complete(self) -> bool:
        """Whether all bytes have arrived."""
        return self.offset >= self.length

    @property
    def state(self) -> State:
        """What happens with it now."""
        if self.finished_at is not None:
            return self.State.FAILED if self.reason else self.State.DONE
        if not self.complete:
            return self.State.RECEIVING
        return self.State.WAITING if self.group_size > 1 and self.heartbeat_at is None else self.State.WORKING
