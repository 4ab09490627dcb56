"""Events: what a person did with a hit that was shown to them."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from search.querysets import OwnedQuerySet


class Event(models.Model):
    """A click, like, dislike, download or dwell on an impression. Repeating it changes nothing.

    A like withdraws a dislike of the same impression and the other way round (``services.events``).
    ``user`` is who asked (that of the impression's query), kept here so that what somebody did is found without their
    searches. ``seconds`` is how long the scene was looked at (dwell only).
    """

    class Kind(models.TextChoices):
        CLICK = "click", _("opened")
        LIKE = "like", _("liked")
        DISLIKE = "dislike", _("disliked")
        DOWNLOAD = "download", _("downloaded")
        DWELL = "dwell", _("looked at")

    impression = models.ForeignKey("search.Impression", on_delete=models.CASCADE, related_name="events")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("user")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    seconds = models.PositiveIntegerField(_("seconds"), null=True, blank=True)
    created_at = models.DateTimeField(_("at"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["impression", "kind"], name="event_once")]
        indexes = [
            models.Index(fields=["-created_at"], name="event_newest"),
            models.Index(fields=["user", "-created_at"], name="event_user_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.impression}"
