"""What the portal may learn from whom, and what it estimated about positions."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from search.querysets_exclusions import FeedbackExclusionQuerySet


class LearningChoice(models.Model):
    """What a person lets the portal learn from their clicks; without a row, both."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="learning_choice", verbose_name=_("user")
    )
    for_me = models.BooleanField(_("my history improves my own results"), default=True)
    for_all = models.BooleanField(_("my history improves everybody's results"), default=True)

    class Meta:
        verbose_name = _("choice about learning")
        verbose_name_plural = _("choices about learning")

    def __str__(self) -> str:
        return str(self.user)


class FeedbackExclusion(models.Model):
    """A person whose feedback, or a scene feedback on which, does not count for others: set by an administrator."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="feedback_exclusion",
        verbose_name=_("user"),
    )
    scene = models.OneToOneField(
        "imagery.Scene",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="feedback_exclusion",
        verbose_name=_("scene"),
    )
    reason = models.TextField(_("reason"), blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("excluded by"),
    )
    created_at = models.DateTimeField(_("excluded"), auto_now_add=True)

    objects = FeedbackExclusionQuerySet.as_manager()

    class Meta:
        verbose_name = _("excluded feedback")
        verbose_name_plural = _("excluded feedback")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user__isnull=False, scene__isnull=True)
                | models.Q(user__isnull=True, scene__isnull=False),
                name="feedback_exclusion_of_one",
            )
        ]

    def __str__(self) -> str:
        return str(self.user or self.scene)


class PositionPropensity(models.Model):
    """How likely a hit at a rank is looked at, beside one at rank 1, estimated from swaps of neighbours.

    ``low`` and ``high`` bound it with 95 % confidence; ``shows`` is how often the hits at this rank and at the one
    before were shown exchanged (rank 1: those at ranks 1 and 2).
    """

    rank = models.PositiveIntegerField(_("rank"), unique=True)
    propensity = models.FloatField(_("propensity"))
    low = models.FloatField(_("low"))
    high = models.FloatField(_("high"))
    shows = models.PositiveIntegerField(_("showings"))
    computed_at = models.DateTimeField(_("estimated"), auto_now_add=True)

    class Meta:
        verbose_name = _("position propensity")
        verbose_name_plural = _("position propensities")
        ordering = ["rank"]

    def __str__(self) -> str:
        return f"#{self.rank}: {self.propensity:.2f}"
