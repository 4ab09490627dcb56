"""Concepts of the person who looks at a page."""

from collections.abc import Mapping
from typing import Any

from django import template

from search.models import Concept

register = template.Library()


@register.simple_tag(takes_context=True)
def own_concepts(context: Mapping[str, Any]) -> list[Concept]:
    """Return the person's own concepts by name: those that examples can be added to."""
    return list(Concept.objects.editable_by(context["request"].user).only("name").order_by("name"))
