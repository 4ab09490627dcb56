"""Impressions: a scene that was shown to a person at a rank."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from search.querysets import OwnedQuerySet


class Impression(models.Model):
    """A hit that was shown: which ranking, which scene, at which rank (1 is the first), on which tile."""

    ranking = models.ForeignKey("search.Ranking", on_delete=models.CASCADE, related_name="impressions")
    scene = models.ForeignKey("imagery.Scene", on_delete=models.CASCADE, related_name="+")
    tile = models.ForeignKey("imagery.Tile", on_delete=models.SET_NULL, null=True, related_name="+")
    rank = models.PositiveIntegerField(_("rank"))
    shown_at = models.DateTimeField(_("shown"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("impression")
        verbose_name_plural = _("impressions")
        ordering = ["ranking", "rank"]
        constraints = [models.UniqueConstraint(fields=["ranking", "rank"], name="impression_rank_once")]

    def __str__(self) -> str:
        return f"#{self.rank} {self.scene_id}"
