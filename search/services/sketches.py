"""Sketches that people search with: checked, cleaned, kept for their owner."""

import io
from typing import Final

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from imagery.encoders.drawings import drawing_clean
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.models import QueryImage
from search.services.query_images import FIELD, MAX_BYTES, query_image_store
from search.sketch import drawing_open

_NAME_CHARS: Final = 200


def sketch_keep(*, user: User, data: bytes, name: str = "") -> QueryImage:
    """Check a drawing that a person gives as an example, and keep its lines: dark on white, at most 448 pixels long.

    ``data`` is a PNG, JPEG or WebP file, from the canvas or a photograph of paper. The same drawing again is the same
    row. Raises InvalidInput (field ``picture``): more than 20 MB or 40 megapixels, no image, damaged, nothing drawn,
    or no drawing at all.
    """
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            _("The drawing is too large: it has %(found)s, the limit is %(limit)s.")
            % {"found": filesizeformat(len(data)), "limit": filesizeformat(MAX_BYTES)},
            code="too_large",
            field=FIELD,
        )
    drawing = drawing_clean(drawing_open(data))
    out = io.BytesIO()
    drawing.save(out, format="WEBP", lossless=True, method=2)
    kind = QueryImage.Kind.SKETCH
    return query_image_store(
        user=user, kind=kind, picture=out.getvalue(), size=drawing.size, name=name[:_NAME_CHARS] or _("Sketch")
    )
