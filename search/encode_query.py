"""From the words of a query to its vector, through two caches: this process's memory and the database.

A text beyond the encoder's ``max_text_length`` is cut by the encoder; splitting it into clauses and combining
their vectors belongs here when composed queries arrive.
"""

import hashlib
import threading
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from imagery.encoders.errors import EncoderMismatch, EncoderUnavailable, UnsupportedLanguage
from imagery.encoders.language import refuse_unreadable
from imagery.models import Encoder
from imagery.services.encoders import encoder_active, encoder_instance
from rsportal.errors import InvalidInput, Unavailable
from search.models import QueryVector

_CACHED_VECTORS: Final = 2_048  # 4 kB each at 1,024 numbers: 8 MB a process

_Key = tuple[int, str, str]
_vectors: OrderedDict[_Key, NDArray[np.float32]] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class EncodedQuery:
    """The unit ``vector`` (dimension,) float32 of a query, and the row that keeps it."""

    vector: NDArray[np.float32]
    row: QueryVector


def query_text_normalise(text: str) -> str:
    """Return the text as it is encoded and cached: NFKC, single spaces; the case is kept."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def query_encode(*, text: str, encoder: Encoder) -> EncodedQuery:
    """Return the vector of a query text; asking again costs one small query and no model.

    The vector is rounded to half precision as it is stored, so that the first answer and every later one are
    the same. Raises InvalidInput (field ``text``) for a language the encoder does not read, Unavailable when its
    files are missing.
    """
    normalised = query_text_normalise(text)
    _check_language(normalised, encoder)  # Without the model, so that the refusal is quick.
    digest = hashlib.sha256(normalised.encode()).hexdigest()
    key = (encoder.pk, encoder.checksum, digest)
    kept = _recall(key)
    rows = QueryVector.objects.filter(encoder=encoder, text_sha256=digest)
    row = (rows.defer("vector") if kept is not None else rows).first()
    if kept is None:
        kept = _half(row.vector) if row is not None else _half(_encode(normalised, encoder))
        _remember(key, kept)
    if row is None:
        defaults = {"text": normalised, "vector": kept.tolist()}
        row, _made = QueryVector.objects.get_or_create(encoder=encoder, text_sha256=digest, defaults=defaults)
    return EncodedQuery(vector=kept, row=row)


def text_tower_warm() -> None:
    """Load the active encoder's text tower if it is the light, built-in one.

    A large model is loaded by the first query that needs it, so that an idle web process stays small and never
    imports torch.
    """
    encoder = encoder_active()
    if encoder.kind == Encoder.Kind.BUILTIN:
        _encode("satellite image", encoder)


def query_vectors_forget() -> None:
    """Empty this process's memory of query vectors."""
    with _lock:
        _vectors.clear()


def _check_language(text: str, encoder: Encoder) -> None:
    try:
        refuse_unreadable(text, tokens=(), unknown=None, languages=encoder.languages, encoder=encoder.name)
    except UnsupportedLanguage as error:
        raise InvalidInput(error.message, code=error.code, field="text") from error


def _encode(text: str, encoder: Encoder) -> NDArray[np.float32]:
    try:
        vector = encoder_instance(encoder).encode_texts([text])[0]
    except UnsupportedLanguage as error:
        raise InvalidInput(error.message, code=error.code, field="text") from error
    except (EncoderUnavailable, EncoderMismatch) as error:
        raise Unavailable(error.message, code=error.code) from error
    if not np.isfinite(vector).all() or not vector.any():
        raise InvalidInput(
            _("The encoder %(name)s finds nothing it knows in this query. Use other words.") % {"name": encoder.name},
            field="text",
        )
    return vector


def _half(vector: NDArray[np.float32] | list[float]) -> NDArray[np.float32]:
    rounded = np.asarray(vector, dtype=np.float16).astype(np.float32)
    rounded.flags.writeable = False
    return rounded


def _recall(key: _Key) -> NDArray[np.float32] | None:
    with _lock:
        vector = _vectors.get(key)
        if vector is not None:
            _vectors.move_to_end(key)
        return vector


def _remember(key: _Key, vector: NDArray[np.float32]) -> None:
    with _lock:
        _vectors[key] = vector
        _vectors.move_to_end(key)
        while len(_vectors) > _CACHED_VECTORS:
            _vectors.popitem(last=False)
