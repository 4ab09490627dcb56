"""What a band recipe would make of a scene, drawn from its files, before anything is encoded by it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from PIL import Image

from imagery.models import Asset
from imagery.readers import fit_within
from imagery.rendering import Renderer, scene_drawn
from imagery.rendering_recipe import BandRecipe
from imagery.storage import asset_location
from rsportal.errors import RsportalError

PREVIEW_SIDE_PIXELS: Final = 512
MEDIA_TYPE: Final = "image/webp"
_QUALITY: Final = 85


def preview_refusal(*, assets: Sequence[Asset], recipe: BandRecipe) -> str:
    """Return why a scene cannot be drawn by ``recipe``, empty when it can; only headers are read."""
    try:
        with _opened(assets, recipe):
            return ""
    except RsportalError as error:
        return error.message


def preview_picture(*, assets: Sequence[Asset], recipe: BandRecipe) -> bytes:
    """Return the scene of these files by ``recipe`` as WebP, its longest side at most 512 pixels.

    It is what the encoder would see of the whole scene, only smaller. Raises AssetMissing, MismatchedBands and
    UnreadableImage.
    """
    with _opened(assets, recipe) as renderer:
        reader = renderer.reader
        data = renderer.render(None, fit_within((reader.width, reader.height), PREVIEW_SIDE_PIXELS))
    out = io.BytesIO()
    Image.fromarray(data.array).save(out, format="WEBP", quality=_QUALITY, method=2)
    return out.getvalue()


@contextmanager
def _opened(assets: Sequence[Asset], recipe: BandRecipe) -> Iterator[Renderer]:
    files = {asset.key: asset_location(asset) for asset in assets}
    names = {asset.key: asset.filename for asset in assets}
    with scene_drawn(files, names=names, recipe=recipe) as renderer:
        yield renderer
