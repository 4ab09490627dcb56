"""Pictures that people search with: checked, made small, kept for their owner."""

import hashlib
import io
import tempfile
from pathlib import Path
from typing import Final

from django.db import transaction
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _
from PIL import Image

from imagery.readers import fit_within, open_scene
from imagery.readers.formats import FACTS, HEAD_BYTES, sniff
from imagery.rendering import Renderer
from imagery.validation import file_check
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.models import QueryImage
from search.selectors_concepts import images_in_concepts

FIELD: Final = "picture"
MAX_BYTES: Final = 20 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000
"""Of one picture: it is decoded whole in a web process, 4 bytes a pixel."""
SIDE_PIXELS: Final = 768
"""Longest side of what is kept: twice what the largest usual encoder reads."""
MAX_KEPT: Final = 200
"""Pictures of a person beside those in their concepts; those not used for longest go first."""
_FORM_BYTES: Final = 1024 * 1024  # The other fields and the boundaries of a form.
_QUALITY: Final = 90
_NAME_CHARS: Final = 200


def upload_length_check(announced: str | None) -> None:
    """Refuse an upload by its announced length before it is read. Raises InvalidInput (field ``picture``)."""
    length = int(announced) if announced and announced.isascii() and announced.isdigit() else 0
    if length > MAX_BYTES + _FORM_BYTES:
        raise _too_large("")


def image_keep(*, user: User, data: bytes, name: str = "", kind: str = QueryImage.Kind.PICTURE) -> QueryImage:
    """Check a picture file that a person gives as an example, and keep a small copy without its metadata.

    ``name`` is for people; the type is told by the bytes. The same picture again is the same row. ``kind`` is picture
    or sketch. Raises InvalidInput (field ``picture`` or ``kind``): more than 20 MB or 40 megapixels, no image, damaged.
    """
    if kind not in QueryImage.Kind.values:
        raise InvalidInput(_("%(kind)s is neither picture nor sketch.") % {"kind": repr(kind[:40])}, field="kind")
    shown = "".join(char for char in Path(name).name if char.isprintable())[:_NAME_CHARS]
    if len(data) > MAX_BYTES:
        raise _too_large(shown)
    if kind == QueryImage.Kind.SKETCH:
        from search.services.sketches import sketch_keep  # It stores by this file.

        return sketch_keep(user=user, data=data, name=shown)
    try:
        picture = _small(data, shown)
    except InvalidInput as error:
        raise InvalidInput(error.message, code=error.code, field=FIELD) from error
    out = io.BytesIO()
    picture.save(out, format="WEBP", quality=_QUALITY, method=2)
    return query_image_store(
        user=user, kind=QueryImage.Kind.PICTURE, picture=out.getvalue(), size=picture.size, name=shown
    )


def query_image_store(*, user: User, kind: str, picture: bytes, size: tuple[int, int], name: str = "") -> QueryImage:
    """Keep a WebP of ``size`` (width, height) for a person; the same bytes again are the row that is there already.

    Beyond 200 pictures those not used for longest go, unless a concept holds them.
    """
    digest = hashlib.sha256(picture).hexdigest()
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # One at a time, so that the bound holds.
        image = QueryImage.objects.filter(user=user, kind=kind, sha256=digest).defer("picture").first()
        if image is not None:
            image.used_at = timezone.now()
            image.save(update_fields=["used_at"])
            return image
        image = QueryImage(
            user=user, kind=kind, name=name, picture=picture, width=size[0], height=size[1], sha256=digest
        )
        image.full_clean(exclude=["user"])
        image.save()
        _prune(user)
    return image


def _prune(user: User) -> None:
    loose = QueryImage.objects.filter(user=user).exclude(pk__in=images_in_concepts(user))
    surplus = loose.order_by("-used_at", "-created_at").values_list("pk", flat=True)[MAX_KEPT:]
    QueryImage.objects.filter(pk__in=list(surplus)).delete()


def _too_large(name: str) -> InvalidInput:
    told = {"file": name or _("The picture"), "limit": filesizeformat(MAX_BYTES)}
    return InvalidInput(_("%(file)s is too large: it has more than %(limit)s.") % told, code="too_large", field=FIELD)


def _small(data: bytes, name: str) -> Image.Image:
    """Return the picture as RGB, upright, at most 768 pixels long. Raises InvalidInput."""
    told = name or _("The picture")
    format = sniff(data[:HEAD_BYTES])
    with tempfile.TemporaryDirectory(prefix="rsportal-example-") as folder:
        path = Path(folder) / "picture"
        path.write_bytes(data)
        # What is pasted or dragged often has no name, or one without an extension: the bytes decide.
        stem = told if format is None else Path(told).stem + FACTS[format].extensions[0]
        facts = file_check(path, filename=stem)
        if facts.pixels > MAX_PIXELS:
            raise InvalidInput(
                _("%(file)s has too many pixels: %(found).1f megapixels, the limit for an example is %(limit)d.")
                % {"file": told, "found": facts.pixels / 1e6, "limit": MAX_PIXELS // 1_000_000},
                code="too_many_pixels",
            )
        with open_scene({"data": path}, names={"data": told}) as reader:
            size = fit_within((reader.width, reader.height), SIDE_PIXELS)
            return Image.fromarray(Renderer(reader).render(None, size).array)
