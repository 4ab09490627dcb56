"""Ranking runs: a configuration measured on a judged set, kept so that rankings can be compared over time."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from search.querysets_judged import RankingRunQuerySet


class RankingRun(models.Model):
    """Scores of one configuration, query by query, as the person who ran it sees the archive.

    ``versions``: what was measured (ranker, encoder's name and checksum, adapter, stage settings). ``scores``: by the
    query's key ``{measure: number or null}`` (``search.judged.measures``). ``summary``: means with their intervals and
    the points of the curves (``search.judged.summary``). ``collection`` is what the run was bound to, if anything.
    """

    judged_set = models.ForeignKey(
        "search.JudgedSet", on_delete=models.CASCADE, related_name="runs", verbose_name=_("judged query set")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("run by"),
    )
    collection = models.ForeignKey(
        "imagery.Collection",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("collection"),
    )
    configuration = models.CharField(_("configuration"), max_length=500)
    encoder = models.ForeignKey(
        "imagery.Encoder", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("encoder")
    )
    versions = models.JSONField(_("versions"), default=dict, blank=True)
    scores = models.JSONField(_("scores by query"), default=dict, blank=True)
    summary = models.JSONField(_("means and curves"), default=dict, blank=True)
    searched = models.PositiveIntegerField(_("scenes searched"), default=0)
    seconds = models.FloatField(_("time (s)"), default=0.0)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)

    objects = RankingRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("ranking run")
        verbose_name_plural = _("ranking runs")
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["judged_set", "-created_at"], name="ranking_run_newest")]

    def __str__(self) -> str:
        return f"{self.configuration} ({self.created_at:%Y-%m-%d %H:%M})" if self.created_at else self.configuration
