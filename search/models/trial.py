"""Ranker trials: a second way to rank, compared live on the searches of a share of the users."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class RankerTrial(models.Model):
    """The active encoder's ranking (A) against other stage settings (B), interleaved (team draft).

    ``ranking`` is B's, as in ``Encoder.ranking``; ``share`` (0 to 1) of the users take part, always the same ones
    (a hash of the trial and the user). At most one trial runs.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        RUNNING = "running", _("running")
        ENDED = "ended", _("ended")

    name = models.CharField(_("name"), max_length=80, unique=True)
    ranking = models.JSONField(_("stage settings of B"), default=dict, blank=True)
    share = models.FloatField(
        _("share of users"), default=0.2, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)]
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.DRAFT)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("ranker trial")
        verbose_name_plural = _("ranker trials")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=models.Q(state="running"), name="ranker_trial_one_running"
            )
        ]

    def __str__(self) -> str:
        return self.name
