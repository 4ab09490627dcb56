"""Concepts of the person who looks at a page."""

from collections.abc import Mapping
from typing import Any

from django import template

from search.models import Concept, Query

register = template.Library()


@register.simple_tag(takes_context=True)
def own_concepts(context: Mapping[str, Any], query: Query | None = None) -> list[Concept]:
    """Return the person's own concepts, to which examples can be added: first those in the query, then by name."""
    used = {example["id"] for example in query.examples} if query is not None else set()
    rows = Concept.objects.editable_by(context["request"].user).only("name").order_by("name")
    return sorted(rows, key=lambda concept: str(concept.pk) not in used)
