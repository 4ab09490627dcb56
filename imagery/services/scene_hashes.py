"""Hashes for scenes that were added before there were any: read from the kept full view, not from the original."""

from __future__ import annotations

import logging
import time
from typing import Final

import numpy as np
from PIL import Image

from imagery.models import Asset, Scene
from imagery.perceptual import perceptual_hash
from imagery.storage import AssetMissing, asset_open

_TOGETHER: Final = 100
_log = logging.getLogger(__name__)


def scene_hashes_fill(*, most: int | None = None, seconds: float | None = None) -> tuple[int, bool]:
    """Give READY scenes without a hash theirs; return how many got one, and whether the time or number was over.

    Scenes whose full view cannot be read are left without, and logged.
    """
    until = None if seconds is None else time.monotonic() + seconds
    done, last = 0, None
    while True:
        waiting = Asset.objects.filter(
            role=Asset.Role.OVERVIEW, scene__perceptual_hash=None, scene__status=Scene.Status.READY
        )
        rows = list((waiting.filter(scene__gt=last) if last else waiting).order_by("scene")[:_TOGETHER])
        if not rows:
            return done, False
        for asset in rows:
            if (most is not None and done >= most) or (until is not None and time.monotonic() > until):
                return done, True
            done += _fill(asset)
        last = rows[-1].scene_id


def _fill(asset: Asset) -> int:
    try:
        with asset_open(asset) as file, Image.open(file) as picture:
            value = perceptual_hash(np.asarray(picture.convert("RGB")))
    except (AssetMissing, OSError) as error:
        _log.warning("scene %s gets no hash: %s", asset.scene_id, error)
        return 0
    return Scene.objects.filter(pk=asset.scene_id, perceptual_hash=None).update(perceptual_hash=value)
