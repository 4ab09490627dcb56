"""Times and reasons as people say them."""

from collections.abc import Mapping
from typing import Final

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from search.facets import rounded
from search.reasons import reason_lines

register = template.Library()

_MS_PER_SECOND: Final = 1_000


@register.filter
def duration(milliseconds: float | None) -> str:
    """Return a length of time: ``0.4 ms``, ``42 ms``, ``6.4 s``."""
    if milliseconds is None:
        return "?"
    if milliseconds >= _MS_PER_SECOND:
        return _("%s s") % number_format(round(milliseconds / _MS_PER_SECOND, 1), 1)
    digits = 0 if milliseconds >= 10 else 1
    return _("%s ms") % number_format(round(milliseconds, digits), digits)


@register.filter
def reasons(reason: object, scene: object = None) -> list[str]:
    """Return why a hit is where it is, in sentences; ``scene`` is the id of its scene."""
    return reason_lines(reason, scene_id=scene) if isinstance(reason, Mapping) else []


@register.filter
def about(count: int) -> int:
    """Return an estimate with the digits that mean something: three."""
    return rounded(count)
