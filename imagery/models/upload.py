"""Uploads on their way in: files that arrive in pieces and may be gone on with (tus)."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Upload(models.Model):
    """A resumable upload of one file; ``offset`` of ``length`` bytes have arrived and are safe on the disk.

    ``job`` is what became of a finished one; ``expires_at`` is when an unfinished one and its bytes are removed.
    """

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
