"""Ingest jobs: what happens to one source, with attempts, progress and reason of failure."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from imagery.querysets import JobQuerySet


class IngestJob(models.Model):
    """The way of one source (a file, or the files of one scene) from arrival to READY.

    ``done``/``total`` count encoded tiles; ``heartbeat_at`` tells a running job from a dead one.
    A refused source leaves a FAILED job with its ``reason`` and no scene.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        READY = "ready", _("ready")
        DUPLICATE = "duplicate", _("already there")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch = models.UUIDField(_("batch"), default=uuid.uuid4, db_index=True, help_text=_("Sources that came together."))
    collection = models.ForeignKey("imagery.Collection", on_delete=models.CASCADE, related_name="jobs")
    scene = models.ForeignKey("imagery.Scene", on_delete=models.SET_NULL, null=True, blank=True, related_name="jobs")
    source_name = models.CharField(_("source"), max_length=300)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    got_on_at = models.PositiveSmallIntegerField(
        _("last attempt that got on"), default=0, db_default=0, help_text=_("0: none stored anything yet.")
    )
    done = models.PositiveIntegerField(_("tiles done"), default=0)
    total = models.PositiveIntegerField(_("tiles in all"), default=0)
    again = models.BooleanField(
        _("once more"),
        default=False,
        db_default=False,
        help_text=_("It encodes a scene that was ready before, with its collection's present recipe and windows."),
    )
    reason = models.TextField(_("reason of failure"), blank=True)
    retryable = models.BooleanField(_("can be retried"), default=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(_("queued"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("ingest job")
        verbose_name_plural = _("ingest jobs")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="job_newest"),
            models.Index(fields=["state", "heartbeat_at"], name="job_stale"),
            models.Index(fields=["created_at"], condition=models.Q(state="queued", again=False), name="job_new_waits"),
            models.Index(fields=["collection", "-created_at"], condition=models.Q(again=True), name="job_again"),
        ]

    def __str__(self) -> str:
        return f"{self.source_name}: {self.get_state_display()}"

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen unless someone retries it."""
        return self.state not in {self.State.QUEUED, self.State.RUNNING}

    @property
    def percent(self) -> int:
        """Share of tiles encoded, 0 to 100; 100 only when READY."""
        if self.state == self.State.READY:
            return 100
        return min(99, 100 * self.done // self.total) if self.total else 0
