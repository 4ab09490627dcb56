"""A fill of a large scene that is cut off again and again."""

from contextlib import suppress

import pytest

from imagery.leases import MAX_ATTEMPTS
from imagery.models import Embedding, Encoder, EncoderFill, Tile
from imagery.services import fill_run
from imagery.services.encode import embeddings_store
from imagery.services.encoders import encoder_register
from imagery.services.fill import encoder_fill, fill_plan
from imagery.services.fill_run import fills_drain
from imagery.storage import asset_path
from imagery.tiling import tile_windows
from tests import factories, images
from tests.checkpoints import clip_checkpoint

pytestmark = pytest.mark.django_db
State = EncoderFill.State


@pytest.fixture
def clip(db, tmp_path) -> Encoder:
    return encoder_register(name="clip", kind="transformers", source=str(clip_checkpoint(tmp_path / "model")))


def test_it_outlives_restarts_between_which_it_gets_on(clip, collection, monkeypatch):
    factories.make_encoder()
    scene = factories.make_scene(collection, files=True, width=1500, height=1100)
    images.draw(asset_path(scene.assets.get(role="data")), width=1500, height=1100)
    Tile.objects.filter(scene=scene).delete()
    Tile.objects.bulk_create(
        Tile(scene=scene, level=w.level, x=w.x, y=w.y, width=w.width, height=w.height) for w in tile_windows(1500, 1100)
    )
    fill_plan(encoder_fill(encoder=clip).pk)
    store, calls = embeddings_store, []

    def dies_in_every_second_batch(**arguments):
        calls.append(len(arguments["tile_ids"]))
        if len(calls) % 2 == 0:
            raise RuntimeError("the power went")
        store(**arguments)

    monkeypatch.setattr(fill_run, "embeddings_store", dies_in_every_second_batch)
    attempts = 0
    while EncoderFill.objects.get(encoder=clip).state == State.RUNNING:
        attempts += 1
        assert attempts < 20
        with suppress(RuntimeError):
            fills_drain()
    fill = EncoderFill.objects.get(encoder=clip)
    assert (fill.state, fill.done, fill.failed, fill.total) == (State.DONE, 1, 0, 1) and attempts > MAX_ATTEMPTS
    assert Embedding.objects.filter(encoder=clip).count() == Tile.objects.filter(scene=scene).count() == 61
