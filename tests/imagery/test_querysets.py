"""The verbs of the catalogue's queries, against plain Python rules."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagery.models import Collection, Scene
from imagery.models.collection import Visibility
from tests.factories import make_collection, make_scene, make_user

pytestmark = pytest.mark.django_db

_ON_GRID = st.integers(-18, 18).map(lambda tens: tens * 10.0)
_BOXES = st.tuples(_ON_GRID, st.integers(-9, 9), _ON_GRID, st.integers(0, 9)).map(
    lambda parts: (parts[0], parts[1] * 10.0, parts[2], min(90.0, (parts[1] + parts[3]) * 10.0))
)


def _spans(west: float, east: float) -> list[tuple[float, float]]:
    """The degrees of longitude a box covers, cut at the antimeridian."""
    return [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    if one[1] > other[3] or other[1] > one[3]:
        return False
    return any(max(a[0], b[0]) <= min(a[1], b[1]) for a in _spans(one[0], one[2]) for b in _spans(other[0], other[2]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(boxes=st.lists(_BOXES, min_size=1, max_size=4), asked=_BOXES)
def test_boxes_meet_across_the_antimeridian_too(boxes, asked):
    collection = make_collection(f"c{Collection.objects.count()}")
    scenes = {}
    for west, south, east, north in boxes:
        scene = make_scene(collection)
        Scene.objects.filter(pk=scene.pk).update(west=west, south=south, east=east, north=north)
        scenes[scene.pk] = (west, south, east, north)
    found = set(Scene.objects.filter(collection=collection).in_bbox(asked).values_list("pk", flat=True))
    assert found == {pk for pk, box in scenes.items() if _meet(box, asked)}


def test_an_editor_of_a_collection_made_private_can_neither_see_nor_change_it():
    editor = make_user()
    collection = make_collection("bay", visibility=Visibility.MEMBERS, editors=[editor])
    assert Collection.objects.editable_by(editor).filter(pk=collection.pk).exists()
    Collection.objects.filter(pk=collection.pk).update(visibility=Visibility.PRIVATE)
    assert not Collection.objects.visible_to(editor).filter(pk=collection.pk).exists()
    assert not Collection.objects.editable_by(editor).filter(pk=collection.pk).exists()
    assert Collection.objects.editable_by(collection.owner).filter(pk=collection.pk).exists()
