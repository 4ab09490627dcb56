"""Events: what a person did with a hit that was shown to them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from search.querysets import OwnedQuerySet


class Event(models.Model):
    """A click, like, dislike or download on an impression. Repeating it changes nothing.

    A like withdraws a dislike of the same impression and the other way round (``services.feedback``).
    """

    class Kind(models.TextChoices):
        CLICK = "click", _("opened")
        LIKE = "like", _("liked")
        DISLIKE = "dislike", _("disliked")
        DOWNLOAD = "download", _("downloaded")

    impression = models.ForeignKey("search.Impression", on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    created_at = models.DateTimeField(_("at"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["impression", "kind"], name="event_once")]
        indexes = [models.Index(fields=["-created_at"], name="event_newest")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.impression}"
