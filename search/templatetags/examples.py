"""Addresses of searches with one more example."""

from django import template
from django.urls import reverse

from search.examples_given import MAX_EXAMPLES
from search.forms import SearchForm

register = template.Library()


@register.simple_tag
def more_like(form: SearchForm | None, like: str) -> str:
    """Return the address of the same search (of a new one, if there is none) with this example (``scene:ID``) in it.

    "" if it is one of its examples already, or there are as many as a search may have.
    """
    form = form or SearchForm()
    known = {given.partition("*")[0] for given in form.like}
    if like in known or len(known) >= MAX_EXAMPLES:
        return ""
    return f"{reverse('search:home')}?{form.examples_querystring([*form.like, like])}"
