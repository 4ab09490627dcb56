"""Prompts: sentences around a short phrase, as the captions were on which most encoders were trained. Pure functions.

The vector of a phrase is the mean of its vectors in several prompts (Radford et al. 2021, "Learning Transferable
Visual Models From Natural Language Supervision", 3.1.4). On 11 real CLIP models the four English prompts below lift the
mean average precision of 19 classes from 74.5 to 79.0; whole sentences gain nothing and are left as they are.
"""

import re
from collections.abc import Sequence
from typing import Final

from django.utils.translation import gettext

from rsportal.errors import InvalidInput

from .base import EncoderKind

PLACE: Final = "{}"
ENGLISH: Final = (
    "a remote sensing image of {}",
    "a satellite image of {}",
    "a satellite photo of {}",
    "an aerial image of {}",
)
CHINESE: Final = ("{}的遥感影像", "{}的卫星图像", "{}的卫星照片", "{}的航拍图像")

MOST_PROMPTS: Final = 16
MOST_CHARS: Final = 100
_MOST_WORDS: Final = 5
_MOST_HAN: Final = 8
_HAN: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN: Final = re.compile(r"[A-Za-z]")
_OTHER_LETTERS: Final = re.compile(r"[^\W\d_A-Za-z\u00c0-\u024f\u3400-\u9fff\uf900-\ufaff]")
_PUNCTUATION: Final = re.compile(r"[.,;:!?\"“”()\[\]，。；：！？、（）]")
# Words that make a sentence of it, or name the picture itself, so that a prompt would say it twice.
_NO_PHRASE: Final = re.compile(
    r"\b(is|are|was|were|be|has|have|there|this|that|which|images?|photos?|photographs?|pictures?|scenes?|views?|aerial"
    r"|satellite|remote sensing)\b",
    re.IGNORECASE,
)
_NO_PHRASE_CHINESE: Final = re.compile(r"图像|图片|影像|照片|卫星|航拍|遥感|是|有")


def default_prompts(*, kind: EncoderKind | str, languages: Sequence[str]) -> list[str]:
    """What an encoder begins with: the English four for a checkpoint, Chinese ones too if it reads Chinese.

    The built-in encoder begins with none: its captions never began like that, and its class phrases lose 6 to 9 points
    of mean average precision with them (RSICD val; docs/models/README.md has the measure).
    """
    if EncoderKind(kind) is EncoderKind.BUILTIN:
        return []
    return [*ENGLISH, *(CHINESE if "zh" in languages else ())]


def prompts_check(prompts: Sequence[str]) -> list[str]:
    """The prompts, trimmed and without repetitions. Raises InvalidInput (field ``prompts``)."""
    found = list(dict.fromkeys(prompt.strip() for prompt in prompts if prompt.strip()))
    if len(found) > MOST_PROMPTS:
        raise InvalidInput(
            gettext("There are %(count)d prompts; %(most)d is the most.") % {"count": len(found), "most": MOST_PROMPTS},
            field="prompts",
        )
    for prompt in found:
        if prompt.count(PLACE) != 1 or prompt == PLACE or len(prompt) > MOST_CHARS:
            raise InvalidInput(
                gettext(
                    "“%(prompt)s” is no prompt: write a phrase of at most %(most)d characters with {} once, where the "
                    "words of the query go."
                )
                % {"prompt": prompt[:MOST_CHARS], "most": MOST_CHARS},
                field="prompts",
            )
    return found


def is_phrase(text: str) -> bool:
    """Whether a text is a short phrase ("storage tanks", "密集住宅区") and no sentence.

    A phrase has at most 5 words, or 8 Chinese characters, no punctuation, no word that makes it a sentence (is, are,
    there, 有 ...) and does not name the picture itself (image, satellite, 影像 ...); it is in Latin or Chinese letters.
    """
    if _PUNCTUATION.search(text) or _OTHER_LETTERS.search(text):
        return False
    if han := len(_HAN.findall(text)):
        return han <= _MOST_HAN and not _NO_PHRASE_CHINESE.search(text)
    return bool(_LATIN.search(text)) and len(text.split()) <= _MOST_WORDS and not _NO_PHRASE.search(text)


def prompted(text: str, prompts: Sequence[str]) -> list[str]:
    """The texts whose mean stands for a phrase, in the prompts of its own script; [text] for everything else."""
    if not is_phrase(text):
        return [text]
    chinese = bool(_HAN.search(text))
    fitting = [prompt for prompt in prompts if bool(_HAN.search(prompt)) == chinese]
    return [prompt.replace(PLACE, text) for prompt in fitting] or [text]
