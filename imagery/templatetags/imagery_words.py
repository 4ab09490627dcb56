"""Numbers and formats as people write them."""

from typing import Final

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from imagery.bbox import bbox_text as bbox_as_text
from imagery.duplicates import Duplicate, Kind
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


@register.filter
def why_alike(duplicate: Duplicate) -> str:
    """Return why a scene may be the same as another, in a few words."""
    if duplicate.kind == Kind.BYTES:
        return _("the same file")
    if duplicate.kind == Kind.PIXELS:
        bits = ngettext("%(bits)d of 64 bits differs", "%(bits)d of 64 bits differ", duplicate.distance or 0) % {
            "bits": duplicate.distance or 0
        }
        if duplicate.cosine is None:
            return _("the same picture, by its hash alone (%(bits)s)") % {"bits": bits}
        return _("the same picture (%(bits)s, cosine %(cosine).2f)") % {"bits": bits, "cosine": duplicate.cosine}
    share, days = round(100 * (duplicate.overlap or 0)), round(duplicate.days or 0)
    if days < 0:
        when = ngettext("%(days)d day earlier", "%(days)d days earlier", -days) % {"days": -days}
    else:
        when = ngettext("%(days)d day later", "%(days)d days later", days) % {"days": days}
    return _("the same place, %(when)s (%(share)d %% of the ground)") % {"when": when, "share": share}
