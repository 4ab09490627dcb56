"""Votes: what people did with scenes, kept so that others' similar queries can find it; and how much they did a day."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import BitField

SKETCH_BITS = 512


class Vote(models.Model):
    """An event as others' rankings find it (``search.feedback.everybody``); it goes when its event goes.

    ``sketch`` tells on which side of ``SKETCH_BITS`` fixed hyperplanes ``Query.asked`` lies: queries whose sketches
    share most bits are similar (``search.feedback.sketches``).
    """

    event = models.OneToOneField("search.Event", on_delete=models.CASCADE, primary_key=True, related_name="vote")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    scene = models.ForeignKey("imagery.Scene", on_delete=models.CASCADE, related_name="+")
    query = models.ForeignKey("search.Query", on_delete=models.CASCADE, related_name="+")
    encoder = models.ForeignKey("imagery.Encoder", on_delete=models.CASCADE, related_name="+")
    sketch = BitField(length=SKETCH_BITS)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("vote")
        verbose_name_plural = _("votes")

    def __str__(self) -> str:
        return str(self.event_id)


class EventCount(models.Model):
    """How many events a person told on a day, and how many were refused because they came too fast.

    ``minute`` is the one that is counted now, ``in_minute`` how many came in it: all web processes count here.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    day = models.DateField(_("day"), db_index=True)
    told = models.PositiveIntegerField(_("told"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    minute = models.DateTimeField()
    in_minute = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("events of a day")
        verbose_name_plural = _("events of days")
        constraints = [models.UniqueConstraint(fields=["user", "day"], name="event_count_once")]

    def __str__(self) -> str:
        return f"{self.day}: {self.told}"
