"""Which writing a text is in, and what to call the languages of an encoder."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final

from django.conf.locale import LANG_INFO
from django.utils.translation import get_language, get_language_info, pgettext
from django.utils.translation import gettext as _

_LARGEST_FOREIGN_SHARE: Final = 0.3  # As for unknown tokens (imagery.encoders.language).
_CHINESE: Final = "zh"
# Beginning of a character's Unicode name -> (languages commonly written so, an encoder knowing one may be asked).
_SCRIPTS: Final[dict[str, tuple[str, ...]]] = {
    "HIRAGANA": ("ja",),
    "KATAKANA": ("ja",),
    "HANGUL": ("ko",),
    "CYRILLIC": ("ru", "uk", "bg", "sr"),
    "ARABIC": ("ar", "fa", "ur"),
    "HEBREW": ("he",),
    "GREEK": ("el",),
    "THAI": ("th",),
    "DEVANAGARI": ("hi", "mr", "ne"),
}


def reads_chinese(languages: Sequence[str]) -> bool:
    """Return whether an encoder with these languages (BCP-47) reads Chinese itself."""
    return any(tag.partition("-")[0].lower() == _CHINESE for tag in languages)


def foreign_script(text: str) -> str:
    """Return the Unicode name of the script, other than Latin and Chinese, that more than 30 % of the letters are in.

    Empty if there is none. Any kana makes Chinese characters beside them Japanese.
    """
    letters = [unicodedata.name(char, "").partition(" ")[0] for char in text if char.isalpha()]
    letters = [name for name in letters if name]
    counts = Counter(name for name in letters if name in _SCRIPTS)
    if kana := counts["HIRAGANA"] + counts["KATAKANA"]:
        counts["HIRAGANA"] = kana + sum(name == "CJK" for name in letters)
        counts["KATAKANA"] = 0
    name, most = max(counts.items(), key=lambda item: item[1], default=("", 0))
    return name if most > _LARGEST_FOREIGN_SHARE * len(letters) else ""


def reads_script(script: str, languages: Sequence[str]) -> bool:
    """Return whether one of the languages is written in the script."""
    return any(tag.partition("-")[0].lower() in _SCRIPTS[script] for tag in languages)


def script_name(script: str) -> str:
    """Return what a reader calls the script: its main language, in the language of the page."""
    return language_name(_SCRIPTS[script][0])


def language_name(tag: str) -> str:
    """Return the name of a BCP-47 language in the language of the page; the tag itself if it is not known."""
    base = tag.partition("-")[0].lower()
    if base == _CHINESE:
        return pgettext("language", "Chinese")
    if base == "en":
        return pgettext("language", "English")
    return str(get_language_info(base)["name_translated"]) if base in LANG_INFO else tag


def languages_read(languages: Sequence[str]) -> str:
    """Return what people may search in with an encoder of these languages, as words for the page.

    ``English, Chinese (translated)``: Chinese is translated for an encoder that does not read it.
    """
    names = [language_name(tag) for tag in languages]
    if not reads_chinese(languages):
        names.append(_("Chinese (translated to English)"))
    return ("、" if (get_language() or "").startswith(_CHINESE) else ", ").join(names)
