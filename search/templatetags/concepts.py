"""Concepts of the person who looks at a page."""

from collections.abc import Mapping
from typing import Any, Final

from django import template

from search.examples_given import MAX_EXAMPLES, ExampleKind
from search.forms import SearchForm
from search.models import Concept, Query

register = template.Library()
MOST_OFFERED: Final = 200


@register.simple_tag(takes_context=True)
def own_concepts(context: Mapping[str, Any], query: Query | None = None) -> list[Concept]:
    """Return the person's own concepts, to which examples can be added: first those in the query, then by name."""
    used = {example["id"] for example in query.examples} if query is not None else set()
    rows = Concept.objects.editable_by(context["request"].user).only("name").order_by("name")
    return sorted(rows, key=lambda concept: str(concept.pk) not in used)


@register.simple_tag(takes_context=True)
def usable_concepts(context: Mapping[str, Any], form: SearchForm) -> list[Concept]:
    """Return the concepts this person may search with, by name, but those in the search already; none if it is full."""
    used = {given.partition("*")[0] for given in form.like}
    if len(used) >= MAX_EXAMPLES:
        return []
    rows = Concept.objects.visible_to(context["request"].user).only("name").order_by("name", "pk")[:MOST_OFFERED]
    return [concept for concept in rows if f"{ExampleKind.CONCEPT}:{concept.pk}" not in used]
