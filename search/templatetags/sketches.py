"""What a page says of sketches."""

from collections.abc import Iterable

from django import template

from imagery.models import Encoder
from search import sketch
from search.example_chips import ExampleChip
from search.examples_given import ExampleKind

register = template.Library()


@register.simple_tag
def sketch_remark(encoder: Encoder | None) -> str:
    """Return what a person should know who searches with a sketch; "" while there is no encoder."""
    return sketch.sketch_remark(encoder) if encoder is not None else ""


@register.simple_tag
def sketch_note(encoder: Encoder | None, chips: Iterable[ExampleChip]) -> str:
    """Return what to know of a query with a sketch among these examples where the encoder does not read sketches."""
    if encoder is None or sketch.sketch_bridged(encoder) or all(chip.kind != ExampleKind.SKETCH for chip in chips):
        return ""
    return sketch.sketch_remark(encoder)
