"""Scenes that may be the same: same bytes, same pixels, same place on another date; and who may know of it."""

import random
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagery.duplicates import Kind, duplicates_of
from imagery.models import Asset, Scene
from imagery.models.collection import Visibility
from imagery.perceptual import FLAT
from tests.factories import axis, make_collection, make_scene, make_user, utc
from tests.imagery.test_perceptual_bands import flipped

pytestmark = pytest.mark.django_db
HASH = 0x0123_4567_89AB_CDEF


def found(scene, user):
    return [(each.scene.title, each.kind) for each in duplicates_of(scene, user)]


@pytest.fixture
def mine(owner):
    return make_collection("mine", owner=owner)


def share_bytes(*scenes):
    Asset.objects.filter(scene__in=scenes, role="data").update(sha256="ab" * 32)


def test_same_bytes_in_another_collection(owner, mine):
    one, two = make_scene(mine, title="one"), make_scene(make_collection(owner=owner), title="two")
    make_scene(mine, title="other")
    share_bytes(one, two)
    assert found(one, owner) == [("two", Kind.BYTES)] and found(two, owner) == [("one", Kind.BYTES)]


def test_files_without_pixels_are_no_duplicates(owner, mine):
    """A world file or a licence text lies beside many scenes."""
    one, two = make_scene(mine), make_scene(make_collection(owner=owner))
    Asset.objects.filter(role="data").update(sha256="ab" * 32, width=0)
    assert found(one, owner) == found(two, owner) == []


@pytest.mark.parametrize(
    ("bits", "vector", "alike"),
    [
        (0, axis(0), True),
        (7, axis(0), True),
        (8, axis(0), False),
        (2, axis(1), False),  # The hashes met by chance: the vectors have nothing in common.
        (7, np.array([0.7, 0.7, 0, 0, 0, 0, 0, 0]), True),
        (7, np.array([0.5, 0.9, 0, 0, 0, 0, 0, 0]), False),
    ],
)
def test_same_pixels_are_near_hashes_that_the_vectors_confirm(owner, mine, bits, vector, alike):
    one = make_scene(mine, title="one", perceptual_hash=HASH, vector=axis(0))
    make_scene(mine, title="two", perceptual_hash=flipped(HASH, list(range(0, 64, 8))[:bits]), vector=vector)
    assert found(one, owner) == ([("two", Kind.PIXELS)] if alike else [])


def test_without_a_vector_only_the_nearest_hashes_are_believed(owner, mine):
    one = make_scene(mine, perceptual_hash=HASH)
    for bits in (3, 4):
        other = make_scene(mine, title=str(bits), perceptual_hash=flipped(HASH, list(range(bits))))
        other.tiles.all().delete()
    (near,) = duplicates_of(one, owner)
    assert (near.scene.title, near.distance, near.cosine) == ("3", 3, None)


@pytest.mark.parametrize("value", [None, FLAT])
def test_pictures_without_contrast_are_no_duplicates_of_each_other(owner, mine, value):
    one = make_scene(mine, perceptual_hash=value)
    make_scene(mine, perceptual_hash=value)
    assert found(one, owner) == []


BOX = (8.0, 53.0, 9.0, 54.0)


@pytest.mark.parametrize(
    ("bbox", "hours", "alike"),
    [
        (BOX, 48, True),
        (BOX, -24 * 365, True),
        (BOX, 1, False),  # The same pass.
        ((8.3, 53.0, 9.3, 54.0), 48, True),
        ((8.6, 53.0, 9.6, 54.0), 48, False),
        ((8.4, 53.4, 8.6, 53.6), 48, False),  # A small picture inside is no other date of it.
        ((0.0, 50.0, 20.0, 60.0), 48, False),
    ],
)
def test_the_same_place_on_another_date(owner, mine, bbox, hours, alike):
    taken = utc(2024, 5, 31, 10)
    one = make_scene(mine, title="one", bbox=BOX, datetime=taken)
    make_scene(mine, title="two", bbox=bbox, datetime=taken + timedelta(hours=hours))
    assert found(one, owner) == ([("two", Kind.PLACE)] if alike else [])


def test_boxes_that_meet_are_not_enough(owner, mine):
    """Two halves of a square along its diagonal have one box, and share nothing."""
    ring = [[8, 53], [9, 53], [9, 54], [8, 53]]
    other = [[8, 53], [9, 54], [8, 54], [8, 53]]
    one = make_scene(mine, bbox=BOX, datetime=utc(2024))
    two = make_scene(mine, bbox=BOX, datetime=utc(2023))
    Scene.objects.filter(pk=one.pk).update(footprint={"type": "Polygon", "coordinates": [ring]})
    Scene.objects.filter(pk=two.pk).update(footprint={"type": "Polygon", "coordinates": [other]})
    one.refresh_from_db()
    assert found(one, owner) == []


def test_the_same_place_across_the_antimeridian(owner, mine):
    halves = [
        [[[179, 0], [180, 0], [180, 1], [179, 1], [179, 0]]],
        [[[-180, 0], [-179, 0], [-179, 1], [-180, 1], [-180, 0]]],
    ]
    for year in (2023, 2024):
        scene = make_scene(mine, title=str(year), bbox=(179.0, 0.0, -179.0, 1.0), datetime=utc(year))
        Scene.objects.filter(pk=scene.pk).update(footprint={"type": "MultiPolygon", "coordinates": halves})
    (near,) = duplicates_of(Scene.objects.get(title="2023"), owner)
    assert near.scene.title == "2024" and near.overlap == pytest.approx(1) and near.days == pytest.approx(365)


def test_the_strongest_reason_counts_and_a_scene_comes_once(owner, mine):
    one = make_scene(mine, bbox=BOX, datetime=utc(2024), perceptual_hash=HASH)
    two = make_scene(make_collection(owner=owner), title="two", bbox=BOX, datetime=utc(2023), perceptual_hash=HASH)
    share_bytes(one, two)
    assert found(one, owner) == [("two", Kind.BYTES)]


def test_unfinished_scenes_do_not_show(owner, mine):
    one = make_scene(mine, perceptual_hash=HASH)
    make_scene(mine, perceptual_hash=HASH, status="pending")
    assert found(one, owner) == []


def test_the_number_of_questions_does_not_grow(owner, mine, django_assert_max_num_queries):
    scenes = [make_scene(mine, perceptual_hash=HASH, bbox=BOX, datetime=utc(2000 + number)) for number in range(10)]
    with django_assert_max_num_queries(9):
        assert len(duplicates_of(scenes[0], owner)) == 9


@given(seed=st.integers(0, 10_000))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nobody_learns_of_scenes_they_may_not_see(db, seed):
    Scene.objects.all().delete()  # Those of the example before.
    rng = random.Random(seed)
    people = [make_user() for _ in range(3)]
    scenes = []
    for _ in range(4):
        collection = make_collection(
            owner=rng.choice(people),
            visibility=rng.choice(Visibility.values),
            viewers=rng.sample(people, rng.randint(0, 2)),
        )
        scenes.append(make_scene(collection, perceptual_hash=HASH, bbox=BOX, datetime=utc(2000 + rng.randint(0, 20))))
    share_bytes(*rng.sample(scenes, 2))
    for person in [*people, make_user(is_active=False)]:
        seen = set(Scene.objects.visible_to(person).filter(pk__in=[s.pk for s in scenes]).values_list("pk", flat=True))
        for scene in scenes:
            others = {each.scene.pk for each in duplicates_of(scene, person)}
            assert others == (seen - {scene.pk} if scene.pk in seen else set())
