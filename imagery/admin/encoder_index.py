"""What an encoder's page says of the index over its vectors."""

from __future__ import annotations

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from imagery.models import Encoder
from imagery.services.vector_index import IndexState, VectorIndex, vector_index_progress, vector_indexes
from imagery.services.vector_index_upkeep import vector_index_wanted


def index_words(encoder: Encoder) -> list[str]:
    """Return one line for each index there is, or one that says why there is none."""
    indexes = vector_indexes(encoder.pk)
    if indexes:
        return [_line(encoder, index) for index in indexes]
    if vector_index_progress(encoder.pk) is not None:  # Built in place: not seen before it is there.
        return [_building(encoder, encoder.get_index_kind_display())]
    if vector_index_wanted(encoder):
        return [_("none yet: the worker builds it within the hour; until then every vector is compared")]
    return [_("none: every vector is compared")]


def _line(encoder: Encoder, index: VectorIndex) -> str:
    kind, size = str(Encoder.Index(index.kind).label), filesizeformat(index.bytes)
    if index.state == IndexState.READY:
        return _("%(kind)s, in use, %(size)s") % {"kind": kind, "size": size}
    if index.state == IndexState.BROKEN:
        return _("%(kind)s, broken off: the worker builds it again within the hour") % {"kind": kind}
    return _building(encoder, kind)


def _building(encoder: Encoder, kind: str) -> str:
    progress = vector_index_progress(encoder.pk)
    if progress is None or progress.percent is None:
        return _("%(kind)s, being built") % {"kind": kind}
    words = _("%(kind)s, being built: %(percent)d %% of the vectors") % {"kind": kind, "percent": progress.percent}
    if progress.left is None:
        return words
    now = timezone.now()
    return _("%(words)s, about %(time)s left") % {"words": words, "time": timesince(now, now + progress.left)}
