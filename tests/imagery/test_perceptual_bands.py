"""Hashes near another one are found by the index, all of them."""

import random

import pytest
from django.db import connection

from imagery.models import Scene
from imagery.perceptual_bands import MAX_DISTANCE, distance_to, near_hash
from tests.factories import make_collection

pytestmark = pytest.mark.django_db


def scenes_with(hashes):
    collection = make_collection()
    Scene.objects.bulk_create(
        Scene(collection=collection, title=str(n), content_hash=f"{n:064x}", perceptual_hash=value)
        for n, value in enumerate(hashes)
    )


def flipped(value: int, bits: list[int]) -> int:
    """Return the signed 64-bit number with these bits turned over."""
    turned = (value & (2**64 - 1)) ^ sum(1 << bit for bit in bits)
    return turned - 2**64 if turned >= 2**63 else turned


@pytest.mark.parametrize("asked", [0x1234_5678_9ABC_DEF0, -0x1234_5678_9ABC_DEF0, 0, -1, 2**63 - 1, -(2**63)])
def test_every_hash_within_reach_is_found_with_its_distance(asked):
    rng = random.Random(7)
    near = {n: [flipped(asked, rng.sample(range(64), n)) for _ in range(30)] for n in range(MAX_DISTANCE + 1)}
    far = [flipped(asked, rng.sample(range(64), n)) for n in range(MAX_DISTANCE + 1, 64) for _ in range(3)]
    scenes_with([each for group in near.values() for each in group] + far)
    found = Scene.objects.filter(near_hash(asked)).annotate(distance=distance_to(asked))
    close = [scene.distance for scene in found if scene.distance <= MAX_DISTANCE]
    assert sorted(close) == sorted(n for n, group in near.items() for _ in group)


def test_the_indexes_answer():
    rng = random.Random(7)
    scenes_with([None, *(rng.randrange(-(2**63), 2**63) for _ in range(3000))])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE imagery_scene")
    plan = Scene.objects.filter(near_hash(-5)).order_by().explain()
    assert all(f"scene_hash_band_{band}" in plan for band in range(4)), plan
