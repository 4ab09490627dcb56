"""Project-wide tables."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class WorkerHeartbeat(models.Model):
    """The last sign of life of a cluster of worker processes on one machine."""

    cluster = models.CharField(_("cluster"), max_length=40)
    host = models.CharField(_("machine"), max_length=255)
    pid = models.PositiveIntegerField(_("process id"))
    beat_at = models.DateTimeField(_("last sign of life"))
    waiting = models.PositiveIntegerField(_("tasks waiting in the cluster"), default=0)

    class Meta:
        verbose_name = _("worker heartbeat")
        verbose_name_plural = _("worker heartbeats")
        ordering = ["cluster", "host"]
        constraints = [models.UniqueConstraint(fields=["cluster", "host"], name="heartbeat_per_cluster_and_host")]

    def __str__(self) -> str:
        return f"{self.cluster} @ {self.host}"
