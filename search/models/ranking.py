"""Rankings: the ordered answer to a query, from which every page is cut."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from search.querysets import OwnedQuerySet


class Ranking(models.Model):
    """What a query was answered with, best first: parallel arrays of scene ids, tile ids and scores.

    Pages are slices of these arrays, so that paging neither repeats nor drops a hit. ``scores`` are what the
    ranker ordered by (on the scale of the cosine), ``similarities`` the plain cosines, -1 to 1; ``reasons`` are told by
    ``search.ranking.explain``. ``cut_to`` and ``dropped_ranks`` keep
    the slices where they were when scenes vanish between two pages (``search.ranking.paging``). ``cache_key`` names
    everything the answer depends on (``search.answer_key``; "" if it must not be used again); an answer that was
    taken over from another ranking keeps its ``computed_at``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    query = models.ForeignKey("search.Query", on_delete=models.CASCADE, related_name="rankings")
    encoder = models.ForeignKey("imagery.Encoder", on_delete=models.CASCADE, related_name="+")
    ranker = models.CharField(_("ranker version"), max_length=60)
    scene_ids = ArrayField(models.UUIDField())
    tile_ids = ArrayField(models.BigIntegerField())
    scores = ArrayField(models.FloatField())
    similarities = ArrayField(models.FloatField(), default=list, blank=True)
    reasons = models.JSONField(_("why each hit is there"), default=list, blank=True)
    searched = models.PositiveIntegerField(_("scenes searched"))
    estimated = models.BooleanField(_("scenes searched is an estimate"), default=False)
    route = models.CharField(_("how candidates were found"), max_length=20, blank=True)
    cache_key = models.CharField(max_length=64, blank=True)
    computed_at = models.DateTimeField(_("computed"), default=timezone.now)
    cut_to = models.PositiveIntegerField(_("shown up to rank"), default=0)
    dropped_ranks = ArrayField(
        models.IntegerField(),
        default=list,
        blank=True,
        help_text=_("Ranks left out of the pages: the scene was gone or no longer visible when they were cut."),
    )
    swapped_ranks = ArrayField(
        models.IntegerField(),
        default=list,
        blank=True,
        help_text=_("Ranks whose hit was exchanged with the next one, to learn how much position matters."),
    )
    swap_share = models.FloatField(
        _("chance of a swap"),
        default=0.0,
        help_text=_("With which each pair of neighbours was exchanged; 0: not a part of the experiment."),
    )
    trial = models.ForeignKey("search.RankerTrial", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    teams = ArrayField(
        models.SmallIntegerField(),
        default=list,
        blank=True,
        help_text=_("In a trial, by rank: 1 the hit was drafted by A, 2 by B, 0 by neither."),
    )
    took_ms = models.JSONField(_("time taken (ms)"), default=dict)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("ranking")
        verbose_name_plural = _("rankings")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["cache_key", "-computed_at"], condition=~models.Q(cache_key=""), name="ranking_cached")
        ]

    def __str__(self) -> str:
        return f"{self.query} ({self.ranker})"
