"""What a page says of sketches."""

from django import template

from imagery.models import Encoder
from search import sketch

register = template.Library()


@register.simple_tag
def sketch_remark(encoder: Encoder | None) -> str:
    """Return what a person should know who searches with a sketch; "" while there is no encoder."""
    return sketch.sketch_remark(encoder) if encoder is not None else ""
