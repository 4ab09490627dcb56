"""Fills: bringing an encoder's vectors up to date beside whatever is searched meanwhile."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class EncoderFill(models.Model):
    """How far an encoder is with the scenes it has no vectors of; counted in scenes.

    ``total`` = ``done`` + ``failed`` + those that wait. ``planned_at`` is null until the waiting scenes are written
    down as FillItem rows. ``rate`` (scenes/s) is measured between (``measured_at``, ``measured_done``) and now.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("cancelled")

    encoder = models.OneToOneField(
        "imagery.Encoder", on_delete=models.CASCADE, related_name="fill", verbose_name=_("encoder")
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.RUNNING)
    reason = models.TextField(_("reason of the pause"), blank=True)
    total = models.PositiveBigIntegerField(_("scenes in all"), default=0)
    done = models.PositiveBigIntegerField(_("scenes done"), default=0)
    failed = models.PositiveBigIntegerField(_("scenes failed"), default=0)
    rate = models.FloatField(_("scenes per second"), null=True, blank=True)
    planned_at = models.DateTimeField(_("planned"), null=True, blank=True)
    measured_at = models.DateTimeField(null=True, blank=True, editable=False)
    measured_done = models.PositiveBigIntegerField(default=0, editable=False)
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    updated_at = models.DateTimeField(_("last progress"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("encoder fill")
        verbose_name_plural = _("encoder fills")

    def __str__(self) -> str:
        return f"{self.encoder}: {self.get_state_display()}"

    @property
    def remaining(self) -> int:
        """Scenes that wait."""
        return max(0, self.total - self.done - self.failed)

    @property
    def percent(self) -> int:
        """Share of scenes done, 0 to 100; 100 only when every scene has its vectors."""
        return 100 * self.done // self.total if self.total else int(self.state == self.State.DONE) * 100


class FillItem(models.Model):
    """A scene that waits for an encoder's vectors, or could not be read. It goes when the vectors are there.

    A worker owns it while the row says RUNNING with the attempt number of its claim.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        FAILED = "failed", _("failed")

    fill = models.ForeignKey(EncoderFill, on_delete=models.CASCADE, related_name="items", verbose_name=_("fill"))
    scene = models.ForeignKey(  # Migration 0003 makes the constraint, so that the database deletes with the scene.
        "imagery.Scene", on_delete=models.DO_NOTHING, db_constraint=False, related_name="+", verbose_name=_("scene")
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    got_on_at = models.PositiveSmallIntegerField(
        _("last attempt that got on"), default=0, db_default=0, help_text=_("0: none stored anything yet.")
    )
    reason = models.TextField(_("reason of failure"), blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)

    class Meta:
        verbose_name = _("scene to encode")
        verbose_name_plural = _("scenes to encode")
        constraints = [models.UniqueConstraint(fields=["fill", "scene"], name="fill_item_once")]
        indexes = [models.Index(fields=["fill", "state", "id"], name="fill_item_next")]

    def __str__(self) -> str:
        return f"{self.scene_id}: {self.get_state_display()}"
