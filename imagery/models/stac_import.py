"""Imports of STAC items: what was asked for and how far it is, so that one that stopped goes on."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class StacImport(models.Model):
    """One ``stac_import`` of a source with its options; ``cursor`` is where it goes on (a page's address, a line)."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("finished")
        STOPPED = "stopped", _("stopped")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey("imagery.Collection", on_delete=models.CASCADE, related_name="stac_imports")
    source = models.CharField(_("source"), max_length=2000)
    options = models.JSONField(_("options"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.RUNNING)
    cursor = models.JSONField(_("where it goes on"), default=dict, blank=True)
    done = models.PositiveIntegerField(_("items seen"), default=0)
    added = models.PositiveIntegerField(_("added"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    reason = models.TextField(_("reason of failure"), blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(_("begun"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed at"), auto_now=True)

    class Meta:
        verbose_name = _("STAC import")
        verbose_name_plural = _("STAC imports")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.source
