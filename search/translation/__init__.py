"""Translation of queries for encoders that do not read their language: the public door."""

from search.translation.chinese import Reading, translate_by_glossary
from search.translation.scripts import languages_read, reads_chinese
from search.translation.words import NOT_UNDERSTOOD, SearchWords, search_words, translation_is_own

__all__ = [
    "NOT_UNDERSTOOD",
    "Reading",
    "SearchWords",
    "languages_read",
    "reads_chinese",
    "search_words",
    "translate_by_glossary",
    "translation_is_own",
]
