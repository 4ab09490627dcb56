"""Numbers and formats as people write them."""

from typing import Final

from django import template

from imagery.bbox import bbox_text as bbox_as_text
from imagery.querysets import BBox

register = template.Library()

_FORMATS: Final = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WebP",
    "image/tiff": "TIFF",
    "image/jp2": "JPEG 2000",
}


@register.filter
def significant(value: float, digits: int = 3) -> str:
    """Return ``value`` rounded to ``digits`` significant digits without padding: 0.5, 10, 0.472, 12300."""
    return f"{float(f'{value:.{digits}g}'):.10g}"


@register.filter
def bbox_text(bbox: BBox) -> str:
    """Return (west, south, east, north) as the filter ``bbox`` takes it."""
    return bbox_as_text(bbox)


@register.filter
def format_name(media_type: str) -> str:
    """Return the everyday name of a media type: ``image/tiff; application=geotiff`` is GeoTIFF."""
    if "application=geotiff" in media_type:
        return "GeoTIFF"
    return _FORMATS.get(media_type, media_type)
