"""Numbers as people write them."""

from django import template

register = template.Library()


@register.filter
def significant(value: float, digits: int = 3) -> str:
    """Return ``value`` rounded to ``digits`` significant digits without padding: 0.5, 10, 0.472, 12300."""
    return f"{float(f'{value:.{digits}g}'):.10g}"
