"""System checks of searching."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from imagery.encoders.hub import is_offline
from rsportal.errors import Unavailable


@register
def translation_model(**_kwargs: Any) -> list[CheckMessage]:
    """The translation model, if one is set, must be there; a hub id that may still be fetched is not asked for."""
    from imagery.encoders.checkpoint import is_local
    from search.translation.marian import MarianTranslator

    if not settings.TRANSLATOR or not (is_local(settings.TRANSLATOR) or is_offline()):
        return []
    try:
        MarianTranslator(settings.TRANSLATOR).folder()
    except Unavailable as error:
        hint = "Until then Chinese words that the glossary does not know are left out of searches and named."
        return [Warning(error.message, hint=hint, id="search.W001")]
    return []


@register
def cross_encoder_model(**_kwargs: Any) -> list[CheckMessage]:
    """The image-text matching model, if one is set, must be there."""
    from search.second_look import cross_encoder_problem

    if not (problem := cross_encoder_problem()):
        return []
    hint = "Until then searches keep the order of the other stages, and say so. Empty: no second look."
    return [Warning(problem, hint=hint, id="search.W002")]
