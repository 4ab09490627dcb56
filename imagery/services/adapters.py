"""Adapters: learning one for an encoder from captions, keeping it if it helps, using it, taking it away."""

import threading
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from imagery.encoders import adapter
from imagery.encoders.errors import EncoderMismatch
from imagery.evaluation.adapting import Learned
from imagery.models import Encoder, EncoderAdapter
from imagery.services.encoders import encoder_instance
from rsportal.errors import Conflict, Unavailable

_KEPT: Final = 4  # matrices of up to 4 MB as float32

_matrices: dict[str, NDArray[np.float32]] = {}
_lock = threading.Lock()


def adapted_texts_encode(*, encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the unit rows (n, dimension) of texts under the encoder, its adapter included.

    Raises what the encoder raises, and Unavailable when the adapter is damaged or was changed this moment.
    """
    return texts_adapt(encoder=encoder, vectors=encoder_instance(encoder).encode_texts(texts))


def texts_adapt(*, encoder: Encoder, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the encoder's own text rows (n, dimension) as its adapter corrects them; unchanged without one.

    A cache of the result must be told apart by ``imagery.encoders.adapter.fingerprint(encoder.adapter)``.
    """
    if not encoder.adapter:
        return vectors
    try:
        return adapter.apply(vectors, _matrix(encoder))
    except EncoderMismatch as error:
        raise Unavailable(error.message, code=error.code) from error


def adapter_store(*, encoder: Encoder, learned: Learned, trained_on: str) -> Encoder:
    """Make ``learned`` the encoder's adapter, in place of the one before. Raises Conflict if it does not help."""
    if not learned.helps:
        raise Conflict(_("The adapter does not help, so it is not kept."), code="no_gain")
    content = adapter.pack(learned.matrix)
    facts: dict[str, Any] = {
        "checksum": adapter.checksum(content),
        "dimension": encoder.dimension,
        "share": learned.recipe.share,
        "pull": learned.recipe.pull,
        "pictures": learned.pictures,
        "captions": learned.captions,
        "mr_before": round(learned.before, 2),
        "mr_after": round(learned.after, 2),
        "gain": round(learned.gain.mean, 2),
        "gain_interval": [round(learned.gain.low, 2), round(learned.gain.high, 2)],
        "calibration": learned.calibration(encoder.calibration),
        "trained_on": trained_on,
        "files": encoder.checksum,
        "created": timezone.now().isoformat(timespec="seconds"),
    }
    with transaction.atomic():
        row = Encoder.objects.select_for_update().get(pk=encoder.pk)
        EncoderAdapter.objects.update_or_create(
            encoder=row, defaults={"checksum": facts["checksum"], "matrix": content}
        )
        _exchange(row, facts)
    encoder.adapter = facts
    return encoder


def adapter_remove(*, encoder: Encoder) -> bool:
    """Take the encoder's adapter away: its texts are encoded as before. Return whether it had one."""
    with transaction.atomic():
        row = Encoder.objects.select_for_update().get(pk=encoder.pk)
        had = bool(row.adapter)
        EncoderAdapter.objects.filter(encoder=row).delete()
        _exchange(row, {})
    encoder.adapter = {}
    return had


def adapter_line(encoder: Encoder) -> str:
    """Return what the encoder's adapter is worth, for people; empty without one."""
    facts = encoder.adapter
    if not facts:
        return ""
    low, high = facts["gain_interval"]
    return _("mR %(before).1f → %(after).1f (gain %(low)+.1f to %(high)+.1f), learned from %(source)s on %(day)s") % {
        "before": facts["mr_before"],
        "after": facts["mr_after"],
        "low": low,
        "high": high,
        "source": facts["trained_on"],
        "day": facts["created"][:10],
    }


def _exchange(row: Encoder, facts: dict[str, Any]) -> None:
    """Store another adapter's facts; the mean of text vectors, made with the one before, goes."""
    row.adapter = facts
    row.text_mean = None
    row.save(update_fields=["adapter", "text_mean"])


def calibration_in_use(encoder: Encoder) -> dict[str, float]:
    """Return what turns the encoder's cosines into probabilities, with its adapter if it has one; perhaps empty."""
    found: dict[str, float] = encoder.adapter.get("calibration", {}) if encoder.adapter else encoder.calibration
    return found


def _matrix(encoder: Encoder) -> NDArray[np.float32]:
    """The matrix the row speaks of, read once a process."""
    wanted = adapter.fingerprint(encoder.adapter)
    with _lock:
        if (known := _matrices.get(wanted)) is not None:
            return known
    stored = EncoderAdapter.objects.filter(encoder=encoder).first()
    if stored is not None and stored.checksum != wanted:
        raise Unavailable(
            _("The adapter of encoder %(name)s was changed this moment. Try again.") % {"name": encoder.name},
            code="adapter_changed",
        )
    content = bytes(stored.matrix) if stored is not None else b""
    matrix = adapter.unpack(content, dimension=encoder.dimension, expected=wanted)
    with _lock:
        _matrices[wanted] = matrix
        while len(_matrices) > _KEPT:
            _matrices.pop(next(iter(_matrices)))
    return matrix
