"""Scenes in the administration."""

import pytest
from django.test import Client
from django.urls import reverse

from imagery.models import Collection, Scene
from imagery.models.collection import Visibility
from imagery.services.scenes import scene_update
from rsportal.accounts.models import User
from tests.factories import make_collection, make_event, make_scene, make_user
from tests.staff import make_curator

pytestmark = pytest.mark.django_db

LIST = "admin:imagery_scene_changelist"
CHANGE = "admin:imagery_scene_change"
DELETE = "admin:imagery_scene_delete"


@pytest.fixture
def curator() -> User:
    return make_curator("carla")


@pytest.fixture
def page(client: Client, curator: User) -> Client:
    client.force_login(curator)
    return client


@pytest.fixture
def mine(curator: User) -> Collection:
    return make_collection("mine", owner=curator, title="My bays")


@pytest.fixture
def hidden() -> Scene:
    """A scene of another person's private collection."""
    collection = make_collection("hidden-bays", title="Hidden bays")
    return make_scene(collection, title="Hidden scene", platform="hidden-platform", files=True)


def test_the_list_shows_own_scenes_with_their_pictures(page: Client, mine: Collection) -> None:
    scene = make_scene(mine, title="Harbour", platform="sentinel-2a", files=True)
    bare = make_scene(mine, title="Without picture", status=Scene.Status.PENDING)
    listed = page.get(reverse(LIST)).content.decode()
    assert "Harbour" in listed and "My bays" in listed and "sentinel-2a" in listed
    address = reverse("imagery:thumbnail", args=[scene.pk])
    assert f'src="{address}"' in listed
    assert reverse("imagery:thumbnail", args=[bare.pk]) not in listed
    assert page.get(address).status_code == 200


def test_nothing_of_another_persons_private_scene_shows(page: Client, mine: Collection, hidden: Scene) -> None:
    make_scene(mine, title="Harbour")
    for query in ({}, {"q": "Hidden"}, {"collection__id__exact": str(hidden.collection_id)}, {"status": "ready"}):
        listed = page.get(reverse(LIST), query).content.decode()
        for secret in ("Hidden scene", "Hidden bays", "hidden-platform", str(hidden.pk)):
            assert secret not in listed.replace("?q=Hidden", "")
    for name in ("change", "delete", "history"):
        answer = page.get(reverse(f"admin:imagery_scene_{name}", args=[hidden.pk]), follow=True)
        assert "Hidden scene" not in answer.content.decode()
    page.post(reverse(DELETE, args=[hidden.pk]), {"post": "yes"})
    page.post(reverse(LIST), {"action": "delete_selected", "_selected_action": [hidden.pk], "post": "yes"})
    assert Scene.objects.filter(pk=hidden.pk).exists()


@pytest.mark.parametrize(
    "lookup", ["collection__owner__username__startswith", "collection__title__startswith", "tiles__embeddings"]
)
def test_the_address_bar_reaches_no_other_table(page: Client, mine: Collection, lookup: str) -> None:
    make_scene(mine)
    assert page.get(reverse(LIST), {lookup: "x"}).status_code == 400


def test_metadata_can_be_put_right_and_the_rest_cannot(page: Client, mine: Collection) -> None:
    scene = make_scene(mine, title="Harbor", bbox=(8.0, 53.0, 9.0, 54.0))
    address = reverse(CHANGE, args=[scene.pk])
    shown = page.get(address).content.decode()
    assert scene.content_hash in shown and "8.00000° to 9.00000° longitude" in shown
    form = {
        "title": "Harbour", "datetime_0": "2024-06-01", "datetime_1": "10:30:00", "start_datetime_0": "",
        "start_datetime_1": "", "end_datetime_0": "", "end_datetime_1": "", "platform": "sentinel-2a",
        "instruments": '["msi"]', "gsd": "10", "cloud_cover": "3.5", "content_hash": "0" * 64, "west": "0",
    }  # fmt: skip
    answer = page.post(address, form)
    assert answer.status_code == 302, answer.content.decode()
    changed = Scene.objects.get(pk=scene.pk)
    assert (changed.title, changed.platform, changed.gsd, changed.cloud_cover) == ("Harbour", "sentinel-2a", 10, 3.5)
    assert changed.datetime is not None and changed.datetime.isoformat() == "2024-06-01T10:30:00+00:00"
    assert (changed.content_hash, changed.bbox, changed.footprint) == (scene.content_hash, scene.bbox, scene.footprint)


def acquisition(**fields: str) -> dict[str, str]:
    """Return the form of a scene without anything known, with ``fields`` typed in."""
    moments = {f"{name}_{part}": "" for name in ("datetime", "start_datetime", "end_datetime") for part in "01"}
    return {"title": "Bay", **moments, "platform": "", "instruments": "[]", "gsd": "", "cloud_cover": "", **fields}


@pytest.mark.parametrize(
    "fields",
    [
        {"gsd": "-5"},
        {"cloud_cover": "900"},
        {"instruments": '{"a": 1}'},
        {
            "start_datetime_0": "2021-01-01", "start_datetime_1": "00:00",
            "end_datetime_0": "2020-01-01", "end_datetime_1": "00:00",
        },
    ],
)  # fmt: skip
def test_what_an_upload_may_not_say_cannot_be_typed_either(page: Client, mine: Collection, fields: dict) -> None:
    scene = make_scene(mine, title="Bay")
    answer = page.post(reverse(CHANGE, args=[scene.pk]), acquisition(**fields))
    assert answer.status_code == 200 and "errorlist" in answer.content.decode()
    kept = Scene.objects.get()
    assert (kept.gsd, kept.cloud_cover, kept.instruments, kept.end_datetime) == (
        scene.gsd, scene.cloud_cover, scene.instruments, scene.end_datetime,
    )  # fmt: skip


def test_emptied_boxes_and_what_a_worker_writes_meanwhile_are_kept(page: Client, mine: Collection) -> None:
    scene = make_scene(mine, title="Old", instruments=["msi"], status=Scene.Status.PENDING)
    seen = Scene.objects.get(pk=scene.pk)
    Scene.objects.update(status=Scene.Status.READY)
    assert seen.status == Scene.Status.PENDING  # what somebody with an old page holds
    scene_update(scene=seen, user=mine.owner, title="New")
    assert page.post(reverse(CHANGE, args=[scene.pk]), acquisition(title="Bay", instruments="")).status_code == 302
    kept = Scene.objects.get()
    assert (kept.title, kept.instruments, kept.status) == ("Bay", [], Scene.Status.READY)


def test_a_scene_of_an_open_collection_is_read_only(page: Client) -> None:
    scene = make_scene(make_collection("open", visibility=Visibility.ALL_USERS), title="Theirs")
    assert page.get(reverse(CHANGE, args=[scene.pk])).status_code == 200
    assert page.post(reverse(CHANGE, args=[scene.pk]), {"title": "Mine"}).status_code == 403
    assert page.post(reverse(DELETE, args=[scene.pk]), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [scene.pk], "post": "yes"}
    assert page.post(reverse(LIST), chosen).status_code == 403
    assert Scene.objects.get().title == "Theirs"


def test_deleting_takes_the_files_along(page: Client, mine: Collection, django_capture_on_commit_callbacks) -> None:
    scene = make_scene(mine, title="Harbour", files=True)
    make_event(make_user(), scene)
    asked = page.get(reverse(DELETE, args=[scene.pk])).content.decode()
    assert "Harbour" in asked and "Scene with its files and vectors" in asked
    thumbnail = reverse("imagery:thumbnail", args=[scene.pk])
    assert page.get(thumbnail).status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        assert page.post(reverse(DELETE, args=[scene.pk]), {"post": "yes"}).status_code == 302
    assert not Scene.objects.exists()
    assert page.get(thumbnail).status_code == 404


def test_bulk_delete_tells_of_each(page: Client, mine: Collection, media_folder) -> None:
    scenes = [make_scene(mine, title=f"Harbour {number}") for number in range(3)]
    chosen = {"action": "delete_selected", "_selected_action": [scene.pk for scene in scenes[:2]]}
    assert "Harbour 1" in page.post(reverse(LIST), chosen).content.decode()
    told = page.post(reverse(LIST), chosen | {"post": "yes"}, follow=True).content.decode()
    assert "Harbour 0: deleted" in told and "Harbour 1: deleted" in told
    assert list(Scene.objects.all()) == [scenes[2]]


def test_the_list_costs_the_same_for_two_and_for_many(
    page: Client, mine: Collection, django_assert_max_num_queries
) -> None:
    for _number in range(12):
        make_scene(mine)
    with django_assert_max_num_queries(13):
        page.get(reverse(LIST))


def test_anonymous_and_plain_users_do_not_get_in(client: Client) -> None:
    answer = client.get(reverse(LIST), follow=True)
    assert answer.request["PATH_INFO"] == reverse("login")
    client.force_login(make_user())
    assert client.get(reverse(LIST), follow=True).status_code == 403
