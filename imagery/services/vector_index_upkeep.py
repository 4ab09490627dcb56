"""When an index over vectors is made: looked at by the worker every hour, so that nobody has to think of it."""

from __future__ import annotations

import logging

from django.conf import settings

from imagery.models import Encoder
from imagery.models.encoder import HEAVY_FIELDS
from imagery.selectors_encoders import vectors_stored
from imagery.services.vector_index import MAX_DIMENSION, IndexState, vector_indexes
from imagery.services.vector_index_build import vector_index_build, vector_index_drop
from rsportal.errors import RsportalError

_SEARCHED = (Encoder.State.ACTIVE, Encoder.State.READY)
"""While an encoder is being filled its index would only slow the fill down."""
_log = logging.getLogger(__name__)


def vector_indexes_ensure() -> list[str]:
    """Build the indexes that are wanted and missing, drop what was broken off; return the names of their encoders.

    One encoder's failure is logged and leaves the others alone.
    """
    done = []
    rows = Encoder.objects.exclude(state=Encoder.State.RETIRED).defer(*HEAVY_FIELDS)
    for encoder in sorted(rows, key=lambda row: (row.state != Encoder.State.ACTIVE, row.pk)):
        try:
            if vector_index_wanted(encoder):
                vector_index_build(encoder=encoder)
            elif any(index.state == IndexState.BROKEN for index in vector_indexes(encoder.pk)):
                vector_index_drop(encoder=encoder, keep_off=False)
            else:
                continue
            done.append(encoder.name)
        except RsportalError as error:
            _log.warning("index of %s: %s", encoder.name, error.message)
    return done


def vector_index_wanted(encoder: Encoder) -> bool:
    """Return whether the encoder should get an index now: it is in use, is to have one, and has many vectors.

    An index that was broken off is wanted again at half that size: somebody asked for it.
    """
    kind = encoder.index_kind
    if encoder.state not in _SEARCHED or kind not in MAX_DIMENSION:
        return False
    if encoder.dimension > MAX_DIMENSION[Encoder.Index(kind)]:
        return False
    mine = [index for index in vector_indexes(encoder.pk) if index.kind == kind]
    if any(index.state != IndexState.BROKEN for index in mine):
        return False
    stored = vectors_stored([encoder]).get(encoder.pk)
    least = settings.VECTOR_INDEX_ROWS // 2 if mine else settings.VECTOR_INDEX_ROWS
    return stored is not None and stored.vectors >= max(1, least)
