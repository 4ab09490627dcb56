"""The gate before 8-bit weights: an archive's own pictures and queries must be found the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db.models import TextField, Value
from django.db.models.functions import MD5, Cast, Concat
from django.utils.translation import gettext as _

from imagery.encoders.runtime import gate
from imagery.encoders.runtime.child import plan_as_json, run_apart, spec_as_json
from imagery.encoders.runtime.known import TEXTS
from imagery.encoders.runtime.plan import Plan, Precision, Runtime
from imagery.models import Asset, Encoder, Scene
from imagery.services.encoder_files import encoder_spec
from imagery.storage import AssetMissing, asset_path
from rsportal.errors import RsportalError, Unavailable

_SALT: Final = "8-bit gate"
"""Decides which scenes are drawn, the same ones each time."""


def eight_bit_gate(*, encoder: Encoder, images: int = 200, queries: int = 50) -> dict[str, Any]:
    """Compare the ten nearest between float32 and 8-bit weights, on at most ``images`` scenes of the archive.

    Every scene's overview is a query for the others; up to ``queries`` texts are queries too: titles of scenes, and
    ours. Encodes everything twice in a process of its own: minutes for a large model. Returns ``overlap`` and
    ``best_kept`` (shares 0..1), ``images``, ``queries``, ``threshold``, ``passed`` and ``reason``. Raises Unavailable
    when the encoder cannot be run.
    """
    pictures, titles = _sample(images)
    outcome: dict[str, Any] = {
        "images": len(pictures),
        "threshold": {"overlap": gate.LEAST_OVERLAP, "best_kept": gate.LEAST_BEST_KEPT},
        "passed": False,
    }
    if len(pictures) < gate.FEWEST_PICTURES:
        reason = _("the archive has %(count)d pictures to compare on, and %(least)d are needed") % {
            "count": len(pictures),
            "least": gate.FEWEST_PICTURES,
        }
        return {**outcome, "overlap": 0.0, "best_kept": 0.0, "queries": 0, "reason": reason}
    common: dict[str, Any] = {
        "threads": settings.ENCODER_THREADS,
        "checksum": encoder.checksum,
        "folder": Path(settings.ENCODER_DIR),
    }
    request = {
        "do": "compare",
        "spec": spec_as_json(encoder_spec(encoder)),
        "reference": plan_as_json(Plan(runtime=Runtime.OPENVINO, precision=Precision.FLOAT32, **common)),
        "plan": plan_as_json(Plan(runtime=Runtime.OPENVINO, precision=Precision.INT8, **common)),
        "pictures": [str(path) for path in pictures],
        "texts": [*TEXTS, *titles][:queries],
    }
    try:
        found = run_apart(request)
    except RsportalError as error:
        raise Unavailable(error.message, code=error.code) from error
    passed = found["overlap"] >= gate.LEAST_OVERLAP and found["best_kept"] >= gate.LEAST_BEST_KEPT
    reason = _(
        "%(overlap).3f of the ten nearest are the same (%(least).2f are needed), and %(kept).3f of the best matches "
        "stay among them (%(most).2f)"
    ) % {
        "overlap": found["overlap"],
        "least": gate.LEAST_OVERLAP,
        "kept": found["best_kept"],
        "most": gate.LEAST_BEST_KEPT,
    }
    return {**outcome, **found, "passed": passed, "reason": reason}


def _sample(count: int) -> tuple[list[Path], list[str]]:
    """Overviews of READY scenes, drawn by a hash of their id, and the distinct titles of those scenes."""
    draw = MD5(Concat(Cast("scene_id", TextField()), Value(_SALT)))
    overviews = Asset.objects.filter(role=Asset.Role.OVERVIEW, scene__status=Scene.Status.READY)
    assets = overviews.order_by(draw).select_related("scene")[:count]
    pictures, titles = [], dict[str, None]()
    for asset in assets:
        try:
            pictures.append(asset_path(asset))
        except AssetMissing:
            continue
        titles[asset.scene.title] = None
    return pictures, [title for title in titles if title]
