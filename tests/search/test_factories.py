"""The rows every other test builds on."""

import pytest
from django.db import IntegrityError, connection, transaction

from imagery.models import Embedding, Encoder
from imagery.services.partitions import partition_create, partition_name
from tests import factories

pytestmark = pytest.mark.django_db


def _storage(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attstorage FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'vector'", [table]
        )
        return cursor.fetchone()[0]


def test_scene_has_tiles_and_unit_vectors_in_the_partition():
    encoder = factories.make_encoder()
    scene = factories.make_scene(windows={(0, 0, 32, 32): [0, 3, 4, 0, 0, 0, 0, 0]}, files=True)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {partition_name(encoder.pk)}")
        assert cursor.fetchone()[0] == 2
    vectors = Embedding.objects.filter(tile__scene=scene).order_by("tile__level").values_list("vector", flat=True)
    assert vectors[0][0] == 1.0
    assert vectors[1][1:3] == pytest.approx([0.6, 0.8], abs=1e-3)
    assert scene.assets.count() == 3


def test_partition_stores_vectors_plain_and_only_of_the_dimension():
    encoder = factories.make_encoder(dimension=4)
    scene = factories.make_scene(encoder=encoder)
    assert _storage(partition_name(encoder.pk)) == "p"
    with pytest.raises(IntegrityError, match="dimension"), transaction.atomic():
        factories.add_tile(scene, encoder, [1, 0, 0, 0, 0], window=(0, 0, 8, 8), level=1)


def test_partition_create_is_idempotent():
    encoder = factories.make_encoder()
    factories.make_scene(encoder=encoder)
    assert partition_create(encoder) == partition_name(encoder.pk)
    assert Embedding.objects.count() == 1


def test_deleting_a_scene_takes_its_vectors():
    scene = factories.make_scene(windows={(0, 0, 8, 8): factories.axis(1)})
    scene.delete()
    assert Embedding.objects.count() == 0


def test_making_an_active_encoder_retires_the_one_before():
    factories.make_encoder()
    newer = factories.make_encoder()
    assert Encoder.objects.get(state=Encoder.State.ACTIVE) == newer
