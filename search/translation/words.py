"""The step before encoding: which words are searched for, in a language that the encoder reads."""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Final

import structlog
from django.conf import settings
from django.utils.translation import gettext as _

from imagery.models import Encoder
from rsportal.errors import InvalidInput, Unavailable
from search.encode_query import text_used
from search.models import Query, TranslatedText
from search.translation.chinese import Reading, translate_by_glossary
from search.translation.glossary import glossary
from search.translation.lexer import HAN
from search.translation.marian import MarianTranslator
from search.translation.scripts import foreign_script, languages_read, reads_chinese, reads_script, script_name

# The model translates whole texts of which the glossary knows less than this share of the characters: it then reads
# words in their context. Above it, only the unknown words, so that the terms of the field stay those of the glossary.
_LEAST_COVERAGE: Final = 0.5
_LONGEST_ENGLISH: Final = 1_000  # characters
# Part of every key of the cache: raise it when the grammar reads the same glossary differently.
_GRAMMAR: Final = "1"

NOT_UNDERSTOOD: Final = "not_understood"
"""The code of the refusal of a text of which no word is known."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SearchWords:
    """What is encoded for a query. ``translation`` is empty when that is the query itself.

    ``untranslated`` are the words left out because nobody knows them; ``row`` keeps a translation by the model.
    """

    text: str
    translation: str = ""
    untranslated: tuple[str, ...] = ()
    row: TranslatedText | None = None


def search_words(*, text: str, encoder: Encoder, translation: str = "") -> SearchWords:
    """Return the words to encode for a query text under this encoder.

    A ``translation`` that a person gives is taken as it is. Else Chinese is translated when the encoder does not read
    it. Raises InvalidInput (field ``text`` or ``translation``) for a writing that the encoder does not read, and when
    nothing of a Chinese text is understood.
    """
    if translation:
        if HAN.search(translation) and not reads_chinese(encoder.languages):
            raise InvalidInput(
                _("Write the translation in English: the encoder %(name)s does not read Chinese.")
                % {"name": encoder.name},
                code="unsupported_language",
                field="translation",
            )
        return SearchWords(text=translation, translation=translation)
    if script := foreign_script(text):
        _refuse_foreign(script, encoder)
        return SearchWords(text=text)
    if reads_chinese(encoder.languages) or not HAN.search(text):
        return SearchWords(text=text)
    reading = translate_by_glossary(text)
    row = None
    if reading.untranslated and (translator := marian(settings.TRANSLATOR)) is not None:
        reading, row = _with_model(text, reading, translator)
    if not reading.english:
        raise InvalidInput(
            _("Not understood: %(words)s. Use other words, or write the query in English.")
            % {"words": "、".join(reading.untranslated) or text[:40]},
            code=NOT_UNDERSTOOD,
            field="text",
        )
    return SearchWords(reading.english, reading.english, reading.untranslated, row)


def translation_is_own(query: Query) -> bool:
    """Return whether a stored query was searched for in a person's own wording, not in a translation made here."""
    made_here = query.translated_id is not None or query.translation == translate_by_glossary(query.text).english
    return bool(query.translation) and not made_here


@cache
def marian(source: str) -> MarianTranslator | None:
    """Return this process's translation model for the setting; None when none is set."""
    return MarianTranslator(source) if source else None


def _refuse_foreign(script: str, encoder: Encoder) -> None:
    if not reads_script(script, encoder.languages):
        raise InvalidInput(
            _("This looks like %(language)s or a language written like it. Searches are understood in: %(known)s.")
            % {"language": script_name(script), "known": languages_read(encoder.languages)},
            code="unsupported_language",
            field="text",
        )


def _with_model(text: str, reading: Reading, translator: MarianTranslator) -> tuple[Reading, TranslatedText | None]:
    """Return a better reading and the row that keeps it; the same one when the model fails (which is logged)."""
    try:
        key = hashlib.sha256(f"{_GRAMMAR} {glossary().checksum} {translator.checksum()}".encode()).hexdigest()
        digest = hashlib.sha256(text.encode()).hexdigest()
        row = TranslatedText.objects.filter(translator=key, text_sha256=digest).first()
        if row is None:
            better = _ask(text, reading, translator)
            row, _made = TranslatedText.objects.get_or_create(
                translator=key,
                text_sha256=digest,
                defaults={"text": text, "english": better.english, "untranslated": list(better.untranslated)},
            )
        else:
            text_used(row)
    except Unavailable as error:
        # The words stay unknown, and the person is told which: a model that is an extra must not stop the search.
        _log.error("translator_unavailable", reason=error.message)
        return reading, None
    return Reading(row.english, tuple(row.untranslated), reading.coverage), row


def _ask(text: str, reading: Reading, translator: MarianTranslator) -> Reading:
    if reading.coverage < _LEAST_COVERAGE:
        english = translator.translate([text])[0][:_LONGEST_ENGLISH]
        if english and not HAN.search(english):
            return Reading(english, (), 1.0)
        return reading
    made = dict(zip(reading.untranslated, translator.translate(reading.untranslated), strict=True))
    known = {word: english for word, english in made.items() if english and not HAN.search(english)}
    return translate_by_glossary(text, known=known)
