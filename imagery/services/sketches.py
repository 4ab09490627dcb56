"""Sketch bridges: learning one from the archive's own pictures, keeping it if it helps, reading drawings with it."""

import json
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders import builtin, sketch
from imagery.encoders.errors import EncoderMismatch
from imagery.encoders.sketch import Bridge
from imagery.evaluation.sketching import Learned
from imagery.models import Encoder, EncoderSketch
from imagery.services.selftest import encoder_ready
from rsportal.errors import Conflict, Unavailable

_KEPT: Final = 4  # bridges of up to 4 MB as float32
SHIPPED: Final = Path(builtin.__file__).with_name("sketch.json")
SHIPPED_NUMBERS: Final = SHIPPED.with_suffix(".bin")

_bridges: dict[str, Bridge] = {}
_lock = threading.Lock()


def drawings_encode(*, encoder: Encoder, drawings: Sequence[Image.Image]) -> NDArray[np.float32]:
    """Return the unit rows (n, dimension) of drawings among the stored vectors of pictures.

    Without a bridge (``bridge_facts`` is empty) a drawing is encoded as a picture is. A cache of the result must be
    told apart by ``bridge_state``. Raises Unavailable: the encoder cannot compute, or the bridge is damaged or was
    changed this moment.
    """
    edges = encoder_ready(encoder=encoder, image=True).encode_images(drawings)
    bridge = encoder_bridge(encoder)
    if bridge is None:
        return edges
    mean = None if encoder.image_mean is None else np.asarray(encoder.image_mean, dtype=np.float32)
    return bridge.apply(edges, image_mean=mean)


def bridge_state(encoder: Encoder) -> str:
    """Return what vectors of drawings depend on beside the encoder's files: the bridge, and when the mean was taken."""
    checksum = str(bridge_facts(encoder).get("checksum", ""))
    return f"{checksum} {encoder.means_at}" if checksum else ""


def bridge_facts(encoder: Encoder) -> dict[str, Any]:
    """Return what is known of the bridge in use: the encoder's own, else that shipped with these weights, else {}."""
    facts: dict[str, Any] = encoder.sketch or shipped_facts(encoder)
    return facts


def shipped_facts(encoder: Encoder) -> dict[str, Any]:
    """Return what is known of the bridge that is shipped for the encoder's weights; {} if there is none."""
    facts = _shipped()
    return facts if encoder.kind == Encoder.Kind.BUILTIN and facts.get("files") == encoder.checksum else {}


def encoder_bridge(encoder: Encoder) -> Bridge | None:
    """Return the bridge in use, read once a process; None if there is none. Raises Unavailable."""
    if not encoder.sketch:
        return shipped_bridge(encoder)
    wanted = str(encoder.sketch["checksum"])
    with _lock:
        if (known := _bridges.get(wanted)) is not None:
            return known
    stored = EncoderSketch.objects.filter(encoder=encoder).first()
    if stored is not None and stored.checksum != wanted:
        raise Unavailable(
            _("The sketch bridge of encoder %(name)s was changed this moment. Try again.") % {"name": encoder.name},
            code="bridge_changed",
        )
    return _unpacked(encoder, bytes(stored.bridge) if stored is not None else b"", wanted)


def shipped_bridge(encoder: Encoder) -> Bridge | None:
    """Return the bridge that is shipped for the encoder's weights; None if there is none. Raises Unavailable."""
    facts = shipped_facts(encoder)
    if not facts:
        return None
    with _lock:
        if (known := _bridges.get(facts["checksum"])) is not None:
            return known
    try:
        content = SHIPPED_NUMBERS.read_bytes()
    except OSError as error:
        raise Unavailable(
            _("The file %(file)s of the built-in encoder cannot be read: restore it from the project.")
            % {"file": SHIPPED_NUMBERS.name},
            code="encoder_unavailable",
        ) from error
    return _unpacked(encoder, content, facts["checksum"])


def bridge_store(*, encoder: Encoder, learned: Learned, learned_from: str) -> Encoder:
    """Make ``learned`` the encoder's bridge, in place of the one before. Raises Conflict if it does not help."""
    if not learned.helps:
        raise Conflict(_("The sketch bridge does not help, so it is not kept."), code="no_gain")
    content = sketch.pack(learned.bridge)
    facts = bridge_described(learned, content=content, learned_from=learned_from, files=encoder.checksum)
    with transaction.atomic():
        row = Encoder.objects.select_for_update().get(pk=encoder.pk)
        EncoderSketch.objects.update_or_create(encoder=row, defaults={"checksum": facts["checksum"], "bridge": content})
        row.sketch = facts
        row.save(update_fields=["sketch"])
    encoder.sketch = facts
    return encoder


def bridge_remove(*, encoder: Encoder) -> bool:
    """Take the encoder's own bridge away (a shipped one stays). Return whether it had one."""
    with transaction.atomic():
        row = Encoder.objects.select_for_update().get(pk=encoder.pk)
        had = bool(row.sketch)
        EncoderSketch.objects.filter(encoder=row).delete()
        row.sketch = {}
        row.save(update_fields=["sketch"])
    encoder.sketch = {}
    return had


def bridge_described(learned: Learned, *, content: bytes, learned_from: str, files: str) -> dict[str, Any]:
    """Return what is kept beside a bridge's numbers."""
    return {
        "checksum": sketch.checksum(content),
        "dimension": learned.bridge.dimension,
        "strength": learned.strength,
        "pictures": learned.pictures,
        "among": learned.among,
        "recall_before": [round(value, 1) for value in learned.before],
        "recall_after": [round(value, 1) for value in learned.after],
        "gain": round(learned.gain.mean, 1),
        "gain_interval": [round(learned.gain.low, 1), round(learned.gain.high, 1)],
        "learned_from": learned_from,
        "files": files,
        "created": timezone.now().isoformat(timespec="seconds"),
    }


def bridge_line(encoder: Encoder) -> str:
    """Return what the bridge in use is worth, for people; empty without one."""
    facts = bridge_facts(encoder)
    if not facts:
        return ""
    return _(
        "%(found).0f of 100 edge maps find their picture among the first 10 of %(among)d (plainly encoded: "
        "%(before).0f); learned from %(pictures)d pictures of %(source)s on %(day)s"
    ) % {
        "found": facts["recall_after"][-1],
        "before": facts["recall_before"][-1],
        "among": facts["among"],
        "pictures": facts["pictures"],
        "source": facts["learned_from"],
        "day": facts["created"][:10],
    }


@cache
def _shipped() -> dict[str, Any]:
    if not SHIPPED.is_file():
        return {}
    facts: dict[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return facts


def _unpacked(encoder: Encoder, content: bytes, wanted: str) -> Bridge:
    try:
        bridge = sketch.unpack(content, dimension=encoder.dimension, expected=wanted)
    except EncoderMismatch as error:
        raise Unavailable(error.message, code=error.code) from error
    with _lock:
        _bridges[wanted] = bridge
        while len(_bridges) > _KEPT:
            _bridges.pop(next(iter(_bridges)))
    return bridge
