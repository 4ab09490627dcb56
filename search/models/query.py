"""Queries: what a person looked for."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from pgvector.django import HalfVectorField

from search.querysets import OwnedQuerySet


class Query(models.Model):
    """One search by one person: words, filters, and the vector they were encoded to.

    ``translation`` is what was searched for in place of ``text``, if it was translated; ``untranslated`` are words that
    were left out because nobody knew them; ``translated`` keeps a translation by the model. ``filters`` holds only
    filters that were set: ``{"collections": [slug], "start": date, "end": date}``. ``examples`` are the scenes, boxes,
    pictures and concepts that were given beside the words (``search.examples_given``). ``asked`` is the unit vector of
    all of it together under the encoder ``asked_under``: by it, later queries know that they are similar.
    ``without_history`` says that the person wanted it ranked without what the portal has learnt.
    """

    class Channel(models.TextChoices):
        WEB = "web", _("web page")
        API = "api", _("API")
        COMMAND = "command", _("command line")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="queries", verbose_name=_("user")
    )
    text = models.TextField(_("text"), blank=True)
    translation = models.TextField(_("translation"), blank=True)
    untranslated = ArrayField(models.TextField(), default=list, blank=True, verbose_name=_("words not understood"))
    translated = models.ForeignKey("search.TranslatedText", on_delete=models.SET_NULL, null=True, related_name="+")
    filters = models.JSONField(_("filters"), default=dict, blank=True)
    parsed = models.JSONField(_("how it was understood"), default=dict, blank=True)
    vector = models.ForeignKey("search.QueryVector", on_delete=models.SET_NULL, null=True, related_name="+")
    examples = models.JSONField(_("examples"), default=list, blank=True)
    asked = HalfVectorField(null=True, blank=True, editable=False)
    asked_under = models.ForeignKey(
        "imagery.Encoder", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    without_history = models.BooleanField(_("without history"), default=False)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices, default=Channel.WEB)
    created_at = models.DateTimeField(_("asked"), auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("query")
        verbose_name_plural = _("queries")
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["user", "-created_at"], name="query_user_newest")]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """The text, or how many examples were given in its place."""
        count = len(self.examples)
        return self.text or ngettext("%(count)d example", "%(count)d examples", count) % {"count": count}

    @property
    def pieces(self) -> list[str]:
        """What a text longer than the encoder reads at once was split into; [] if it was read at once."""
        return list(self.vector.parts) if self.vector is not None else []
