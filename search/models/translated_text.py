"""Translated texts: the persistent cache of what the translation model was asked."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone


class TranslatedText(models.Model):
    """The English of a query text by one state of glossary and model, shared by everybody who asks the same.

    ``translator`` is the checksum of both; ``untranslated`` are words that neither knows. Texts that the glossary
    reads alone are not kept: reading them again takes a millisecond.
    """

    translator = models.CharField(max_length=64)
    text = models.TextField()
    text_sha256 = models.CharField(max_length=64)
    english = models.TextField(blank=True)
    untranslated = ArrayField(models.TextField(), default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["translator", "text_sha256"], name="translated_text_once")]

    def __str__(self) -> str:
        return self.text
