"""From the words of a query to its vector, through two caches: this process's memory and the database.

A short phrase goes through the encoder's prompts, a text that is too long for the encoder is split, and the encoder's
adapter corrects the result (``imagery.encoders.texts``, ``imagery.services.adapters``).
"""

import hashlib
import json
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from imagery.encoders.adapter import fingerprint
from imagery.encoders.errors import EncoderMismatch, EncoderUnavailable, UnsupportedLanguage
from imagery.encoders.language import refuse_unreadable
from imagery.encoders.texts import RULE_VERSION, TextVector, text_vectors
from imagery.models import Encoder
from imagery.services.adapters import texts_adapt
from imagery.services.encoders import encoder_active
from imagery.services.selftest import encoder_ready
from rsportal.errors import InvalidInput, Unavailable
from search.models import QueryVector, TranslatedText

_CACHED_VECTORS: Final = 2_048  # 4 kB each at 1,024 numbers: 8 MB a process

_USED_HOURS: Final = 1

_Key = tuple[int, str, str]
_vectors: OrderedDict[_Key, TextVector] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True)
class EncodedQuery:
    """The unit ``vector`` (dimension,) float32 of a query, and the row that keeps it.

    ``row.parts`` are the pieces the text was split into; [] if it was read at once.
    """

    vector: NDArray[np.float32]
    row: QueryVector


def query_text_normalise(text: str) -> str:
    """Return the text as it is encoded and cached: NFKC, single spaces; the case is kept."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def query_recipe(encoder: Encoder) -> str:
    """Return what tells vectors of one text apart (SHA-256): the encoder's files, prompts, adapter, and the rules."""
    parts = [RULE_VERSION, encoder.checksum, encoder.prompts, fingerprint(encoder.adapter)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def query_encode(*, text: str, encoder: Encoder) -> EncodedQuery:
    """Return the vector of a query text; asking again costs one small query and no model.

    The vector is rounded to half precision as it is stored, so that the first answer and every later one are
    the same. Raises InvalidInput (field ``text``) for a language the encoder does not read, Unavailable when its
    files are missing or its self-test fails.
    """
    normalised = query_text_normalise(text)
    _check_language(normalised, encoder)  # Without the model, so that the refusal is quick.
    digest, recipe = hashlib.sha256(normalised.encode()).hexdigest(), query_recipe(encoder)
    key = (encoder.pk, recipe, digest)
    kept = _recall(key)
    rows = QueryVector.objects.filter(encoder=encoder, recipe=recipe, text_sha256=digest)
    row = (rows.defer("vector") if kept is not None else rows).first()
    if kept is None:
        kept = _half(TextVector(row.vector, tuple(row.parts)) if row is not None else _encode([normalised], encoder)[0])
        _remember(key, kept)
    if row is None:
        defaults = {"text": normalised, "parts": list(kept.parts), "vector": kept.vector.tolist()}
        row, _made = QueryVector.objects.get_or_create(
            encoder=encoder, recipe=recipe, text_sha256=digest, defaults=defaults
        )
    else:
        text_used(row)
    return EncodedQuery(vector=kept.vector, row=row)


def parts_encode(*, texts: Sequence[str], encoder: Encoder) -> list[NDArray[np.float32]]:
    """Return the unit vectors (dimension,) of parts of a query, those that are not known yet in one pass of the model.

    They are looked up among the queries that were asked, but kept in this process's memory only: nothing of a person's
    words stays in the database but the queries that their history shows and erases. Raises as ``query_encode`` does.
    """
    recipe = query_recipe(encoder)
    normalised = [query_text_normalise(text) for text in texts]
    keys = [(encoder.pk, recipe, hashlib.sha256(text.encode()).hexdigest()) for text in normalised]
    known = {key: kept for key in keys if (kept := _recall(key)) is not None}
    missing = list({key: text for key, text in zip(keys, normalised, strict=True) if key not in known}.items())
    for _key, text in missing:
        _check_language(text, encoder)
    if missing:
        rows = QueryVector.objects.filter(
            encoder=encoder, recipe=recipe, text_sha256__in=[key[2] for key, _ in missing]
        )
        for row in rows:
            key = (encoder.pk, recipe, row.text_sha256)
            known[key] = _half(TextVector(row.vector, tuple(row.parts)))
            _remember(key, known[key])
        missing = [(key, text) for key, text in missing if key not in known]
    if missing:
        made = _encode([text for _key, text in missing], encoder)
        for (key, _text), vector in zip(missing, made, strict=True):
            known[key] = _half(vector)
            _remember(key, known[key])
    return [known[key].vector for key in keys]


def text_used(row: QueryVector | TranslatedText) -> None:
    """Note that a kept text was used; written once an hour at most."""
    now = timezone.now()
    if now - row.used_at > timedelta(hours=_USED_HOURS):
        type(row).objects.filter(pk=row.pk).update(used_at=now)


def text_tower_warm() -> None:
    """Load the active encoder's text tower if it is the light, built-in one.

    A large model is loaded by the first query that needs it, so that an idle web process stays small and never
    imports torch.
    """
    encoder = encoder_active()
    if encoder.kind == Encoder.Kind.BUILTIN:
        _encode(["satellite image"], encoder)


def query_vectors_forget() -> None:
    """Empty this process's memory of query vectors."""
    with _lock:
        _vectors.clear()


def _check_language(text: str, encoder: Encoder) -> None:
    try:
        refuse_unreadable(text, tokens=(), unknown=None, languages=encoder.languages, encoder=encoder.name)
    except UnsupportedLanguage as error:
        raise InvalidInput(error.message, code=error.code, field="text") from error


def _encode(texts: Sequence[str], encoder: Encoder) -> list[TextVector]:
    try:
        encoded = text_vectors(encoder_ready(encoder=encoder, text=True), texts, prompts=encoder.prompts)
        vectors = texts_adapt(encoder=encoder, vectors=np.stack([each.vector for each in encoded]))
    except UnsupportedLanguage as error:
        raise InvalidInput(error.message, code=error.code, field="text") from error
    except (EncoderUnavailable, EncoderMismatch) as error:
        raise Unavailable(error.message, code=error.code) from error
    if not (np.isfinite(vectors).all() and vectors.any(axis=1).all()):
        raise InvalidInput(
            _("The encoder %(name)s finds nothing it knows in this query. Use other words.") % {"name": encoder.name},
            field="text",
        )
    return [TextVector(vector, each.parts) for vector, each in zip(vectors, encoded, strict=True)]


def _half(encoded: TextVector) -> TextVector:
    rounded = np.asarray(encoded.vector, dtype=np.float16).astype(np.float32)
    rounded.flags.writeable = False
    return TextVector(rounded, encoded.parts)


def _recall(key: _Key) -> TextVector | None:
    with _lock:
        vector = _vectors.get(key)
        if vector is not None:
            _vectors.move_to_end(key)
        return vector


def _remember(key: _Key, vector: TextVector) -> None:
    with _lock:
        _vectors[key] = vector
        _vectors.move_to_end(key)
        while len(_vectors) > _CACHED_VECTORS:
            _vectors.popitem(last=False)
