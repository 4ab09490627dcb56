"""A window of a scene as the encoder would see it as a tile: read from the original, drawn as in an ingest."""

from django.utils.translation import gettext as _
from PIL import Image

from imagery.models import Asset, Scene
from imagery.readers import Window
from imagery.rendering import scene_drawn
from imagery.storage import asset_location
from imagery.sweep import window_drawn
from imagery.tiling import TileWindow
from rsportal.errors import InvalidInput


def window_picture(*, scene: Scene, window: Window, image_size: int) -> Image.Image:
    """Return the window (x, y, width, height; inside the scene) as 8-bit RGB, its shorter side at ``image_size``.

    It is never enlarged. Raises AssetMissing when a file of the scene is gone, UnreadableImage when it is broken, and
    InvalidInput when the file is smaller than when it was added.
    """
    assets = list(Asset.objects.filter(scene=scene, role=Asset.Role.DATA))
    files = {asset.key: asset_location(asset) for asset in assets}
    x, y, width, height = window
    names = {asset.key: asset.filename for asset in assets}
    with scene_drawn(files, names=names, stretch=scene.stretch) as renderer:
        reader = renderer.reader
        if x + width > reader.width or y + height > reader.height:
            raise InvalidInput(
                _("The file now has %(width)d x %(height)d pixels, fewer than when it was added. Add it again.")
                % {"width": reader.width, "height": reader.height},
                code="file_changed",
            )
        return window_drawn(renderer, TileWindow(level=1, y=y, x=x, width=width, height=height), image_size)
