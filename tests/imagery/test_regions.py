"""Ingest and fill keep the vectors of a tile's quarters, if the encoder's stage wants them."""

import numpy as np
import pytest

from imagery.models import Embedding, Encoder
from imagery.services.encoders import encoder_register
from imagery.services.fill import encoder_fill
from imagery.services.fill_run import fills_drain
from imagery.services.ingest import SourceFile, ingest_jobs_drain, source_ingest
from imagery.services.regions import regions_of
from tests import images

ON = {"regions": {"on": True}}


def _tiles(encoder: Encoder) -> list[int]:
    return list(Embedding.objects.filter(encoder=encoder).order_by("tile_id").values_list("tile_id", flat=True))


@pytest.fixture
def pictures(tmp_path, collection, owner):
    for seed in range(2):
        path = images.draw(tmp_path / "in" / f"picture{seed}.png", width=450, height=300, seed=seed)
        source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=owner)


def test_quarters_are_stored_where_they_are_wanted_and_only_there(encoder, checkpoint, pictures):
    Encoder.objects.filter(pk=encoder.pk).update(ranking=ON)
    ingest_jobs_drain()
    tiles = _tiles(encoder)
    assert len(tiles) > 2
    ingested = regions_of(encoder=encoder, tile_ids=tiles)
    assert sorted(ingested) == tiles

    other = encoder_register(name="again", kind=Encoder.Kind.TRANSFORMERS, source=str(checkpoint))
    without = encoder_register(name="without", kind=Encoder.Kind.TRANSFORMERS, source=str(checkpoint))
    Encoder.objects.filter(pk=other.pk).update(ranking=ON)
    other.refresh_from_db()
    for row in (other, without):
        encoder_fill(encoder=row)
        fills_drain()
        assert _tiles(row) == tiles
    filled = regions_of(encoder=other, tile_ids=tiles)
    for tile in tiles:
        assert np.einsum("cd,cd->c", filled[tile], ingested[tile]).min() > 0.999
    assert regions_of(encoder=without, tile_ids=tiles) == {}
