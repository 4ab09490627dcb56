"""What a page says of sketches."""

from django import template
from django.utils.translation import gettext as _

from imagery.models import Encoder
from search import sketch

register = template.Library()


@register.simple_tag
def sketch_remark(encoder: Encoder | None) -> str:
    """Return what a person should know who searches with a sketch; "" while there is no encoder."""
    return sketch.sketch_remark(encoder) if encoder is not None else ""


@register.simple_tag
def sketch_note(encoder: Encoder | None) -> str:
    """Return what stands on the chip of a sketch behind its kind: "" if the encoder reads sketches."""
    if encoder is None or sketch.sketch_bridged(encoder):
        return ""
    return _(", compared as a picture: the encoder has not learned sketches")
