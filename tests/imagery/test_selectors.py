"""Reads of the catalogue that pages and the API share."""

from datetime import date

import pytest

from imagery.models import CollectionMember, Scene
from imagery.models.collection import Visibility
from imagery.selectors import (
    collection_editable,
    collection_extent,
    collections_list,
    coverage_cells,
    scenes_list,
)
from imagery.templatetags.imagery_words import format_name, significant
from tests.factories import make_collection, make_scene, make_user, utc

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def collection(owner):
    return make_collection("bay", owner=owner)


def test_counts_hold_only_scenes_that_can_be_searched(owner, collection):
    make_scene(collection)
    make_scene(collection, status=Scene.Status.PENDING)
    make_scene(collection, status=Scene.Status.FAILED)
    assert collections_list(owner).get().scene_count == 1  # type: ignore[attr-defined]


def test_extent_covers_every_georeferenced_scene(owner, collection):
    make_scene(collection)
    assert collection_extent(owner, collection) is None
    make_scene(collection, bbox=(10, 50, 11, 51))
    make_scene(collection, bbox=(-5, 40, -4, 41))
    assert collection_extent(owner, collection) == (-5, 40, 11, 51)


def test_extent_across_the_antimeridian_spans_the_world(owner, collection):
    make_scene(collection, bbox=(10, 50, 11, 51))
    make_scene(collection, bbox=(179, -18, -179, -17))
    assert collection_extent(owner, collection) == (-180, -18, 180, 51)


def test_coverage_gathers_scenes_by_place_and_keeps_others_out(owner, collection):
    make_scene(make_collection("hidden"), bbox=(100, 10, 101, 11))
    for _ in range(2):
        make_scene(collection, bbox=(10, 50, 11, 51))
    make_scene(collection, bbox=(179.5, -18, -179.9, -17))  # its centre lies just west of the antimeridian
    cells = coverage_cells(owner)
    assert list(cells) == [collection.pk]
    assert {(cell.lon, cell.lat): cell.scenes for cell in cells[collection.pk]} == {(10, 50): 2, (178, -18): 1}


def test_plain_days_include_their_last_moment(owner, collection):
    late = make_scene(collection, datetime=utc(2024, 5, 6, 23))
    make_scene(collection, datetime=utc(2024, 5, 7))
    make_scene(collection)
    assert list(scenes_list(owner, start=date(2024, 5, 6), end=date(2024, 5, 6))) == [late]


def test_scenes_list_filters_by_collection_place_and_status(owner, collection):
    here = make_scene(collection, bbox=(10, 50, 11, 51))
    make_scene(collection, bbox=(20, 50, 21, 51))
    make_scene(make_collection("other", owner=owner), bbox=(10, 50, 11, 51))
    make_scene(collection, bbox=(10, 50, 11, 51), status=Scene.Status.FAILED)
    found = scenes_list(owner, collections=["bay"], bbox=(9, 49, 10.5, 50.5), status=Scene.Status.READY)
    assert list(found) == [here]


def test_an_editor_loses_the_right_when_the_collection_turns_private(collection):
    editor = make_user()
    CollectionMember.objects.create(collection=collection, user=editor, role=CollectionMember.Role.EDITOR)
    assert not collection_editable(editor, collection)
    collection.visibility = Visibility.MEMBERS
    collection.save()
    assert collection_editable(editor, collection)


@pytest.mark.parametrize(("value", "words"), [(0.5, "0.5"), (10.0, "10"), (0.472286, "0.472"), (12345.0, "12300")])
def test_numbers_are_rounded_without_padding(value, words):
    assert significant(value) == words


def test_formats_have_everyday_names():
    assert format_name("image/tiff; application=geotiff") == "GeoTIFF"
    assert format_name("image/x-other") == "image/x-other"
