"""Another archive, real COGs in it, and the command that imports."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from imagery.models import Collection
from imagery.stac import http
from tests.stac_server import StacServer, stac_server

Import = Callable[..., dict[str, Any]]


@pytest.fixture
def archive(settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[StacServer]:
    """A STAC server that the settings allow, and little patience with it."""
    monkeypatch.setattr(http, "_BACKOFF_SECONDS", 0.02)
    with stac_server() as server:
        settings.REMOTE_HOSTS, settings.REMOTE_PRIVATE = ["127.0.0.1:*"], True
        settings.REMOTE_TIMEOUT_SECONDS, settings.REMOTE_TRIES = 10, 3
        yield server


@pytest.fixture(scope="session")
def cogs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of real COGs: ``large.tif`` (3 bands, about 3 MB, with overviews), B02 to B04 (one band each)."""
    folder = tmp_path_factory.mktemp("cogs")
    noise = np.random.default_rng(1)
    write_cog(folder / "large.tif", noise.integers(1, 255, (3, 1024, 1024), dtype=np.uint8))
    for number, name in enumerate(("B02", "B03", "B04")):
        write_cog(folder / f"{name}.tif", noise.integers(1, 3000, (1, 256, 256), dtype=np.uint16) + 100 * number)
    return folder


def write_cog(path: Path, samples: "np.ndarray[Any, Any]", *, west: float = 500_000.0) -> Path:
    """Write (bands, h, w) samples as a cloud-optimized GeoTIFF in UTM 32 north, 10 m."""
    import rasterio
    from affine import Affine

    count, height, width = samples.shape
    with rasterio.open(
        path, "w", driver="COG", count=count, height=height, width=width, dtype=samples.dtype, crs="EPSG:32632",
        transform=Affine(10, 0, west, 0, -10, 5_600_000), compress="deflate", blocksize=256,
    ) as out:  # fmt: skip
        out.write(samples)
    return path


@pytest.fixture
def bring_in(collection: Collection, capsys: pytest.CaptureFixture[str]) -> Import:
    """Run ``manage.py stac_import ... --json`` and return its report; ``fails``: it must end with an error."""

    def run(source: object, *options: str, fails: str = "") -> dict[str, Any]:
        capsys.readouterr()
        arguments = [str(source)] if source else []
        command = ["stac_import", *arguments, "--collection", collection.slug, "--json", "--no-wait", *options]
        if fails:
            with pytest.raises(CommandError, match=fails):
                call_command(*command)
        else:
            call_command(*command)
        out = capsys.readouterr().out
        return json.loads(out) if out else {}

    return run


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    """Return how many items were added, changed, unchanged, refused, and scenes queued."""
    return tuple(report[name] for name in ("added", "changed", "unchanged", "refused", "queued"))
