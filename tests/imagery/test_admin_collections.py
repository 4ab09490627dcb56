"""Collections and members in the administration."""

import pytest
from django.test import Client
from django.urls import reverse

from imagery.models import Collection, CollectionMember
from imagery.models.collection import Visibility
from rsportal.accounts.models import User
from tests.factories import make_collection, make_scene, make_user
from tests.staff import make_curator

pytestmark = pytest.mark.django_db

LIST = "admin:imagery_collection_changelist"
CHANGE = "admin:imagery_collection_change"
_TEXTS = {"description": "", "license": "CC-BY-4.0", "license_url": "", "attribution": "", "visibility": "members"}


def members_form(*rows: dict[str, str], initial: int = 0) -> dict[str, str]:
    """Return the posted fields of the members' table."""
    form = {"memberships-TOTAL_FORMS": str(len(rows)), "memberships-INITIAL_FORMS": str(initial)}
    for number, row in enumerate(rows):
        form |= {f"memberships-{number}-{name}": value for name, value in row.items()}
    return form


@pytest.fixture
def curator() -> User:
    return make_curator("carla")


@pytest.fixture
def page(client: Client, curator: User) -> Client:
    client.force_login(curator)
    return client


def test_a_curator_makes_a_collection_with_a_member(page: Client, curator: User) -> None:
    friend = make_user("Friend")
    data = {"title": "Ports of 2024", "slug": ""} | _TEXTS | members_form({"username": "friend", "role": "editor"})
    answer = page.post(reverse("admin:imagery_collection_add"), data)
    assert answer.status_code == 302
    made = Collection.objects.get()
    assert (made.slug, made.owner, made.visibility) == ("ports-of-2024", curator, Visibility.MEMBERS)
    assert list(made.memberships.values_list("user", "role")) == [(friend.pk, "editor")]


def test_a_change_goes_through_and_the_address_stays(page: Client, curator: User) -> None:
    old, gone = make_user("old"), make_user("gone")
    collection = make_collection("bays", owner=curator, viewers=[old, gone])
    rows = {row.user_id: row for row in collection.memberships.all()}
    data = {"title": "Bays", "slug": "hijacked"} | _TEXTS
    data |= members_form(
        {"id": str(rows[gone.pk].pk), "collection": str(collection.pk), "role": "viewer", "DELETE": "on"},
        {"id": str(rows[old.pk].pk), "collection": str(collection.pk), "role": "editor"},
        initial=2,
    )
    answer = page.post(reverse(CHANGE, args=[collection.pk]), data)
    assert answer.status_code == 302
    collection.refresh_from_db()
    assert (collection.slug, collection.title, collection.license) == ("bays", "Bays", "CC-BY-4.0")
    assert list(collection.memberships.values_list("user", "role")) == [(old.pk, "editor")]


def test_an_unknown_name_is_told_beside_its_field(page: Client, curator: User) -> None:
    collection = make_collection("bays", owner=curator)
    data = {"title": "Bays"} | _TEXTS | members_form({"username": "nobody", "role": "viewer"})
    answer = page.post(reverse(CHANGE, args=[collection.pk]), data)
    assert "Nobody here is called “nobody”" in answer.content.decode()
    assert not CollectionMember.objects.exists()


def test_a_services_refusal_is_told_and_nothing_is_kept(page: Client, curator: User) -> None:
    collection = make_collection("bays", owner=curator, title="Bays")
    data = {"title": "Changed"} | _TEXTS | members_form({"username": "carla", "role": "viewer"})
    answer = page.post(reverse(CHANGE, args=[collection.pk]), data, follow=True)
    assert "carla owns the collection" in answer.content.decode()
    collection.refresh_from_db()
    assert collection.title == "Bays"


def test_another_persons_private_collection_does_not_exist_here(page: Client) -> None:
    other = make_collection("secret-plans", title="Secret plans")
    make_collection("open-plans", title="Open plans", visibility=Visibility.ALL_USERS)
    listed = page.get(reverse(LIST)).content.decode()
    assert "Open plans" in listed
    assert "Secret plans" not in listed and "secret-plans" not in listed
    assert "Secret plans" not in page.get(reverse(LIST), {"q": "secret"}).content.decode()
    for name in ("change", "delete", "history"):
        answer = page.get(reverse(f"admin:imagery_collection_{name}", args=[other.pk]), follow=True)
        assert "Secret plans" not in answer.content.decode()
    data = {"title": "Taken"} | _TEXTS | members_form({"username": "carla", "role": "editor"})
    page.post(reverse(CHANGE, args=[other.pk]), data)
    page.post(reverse("admin:imagery_collection_delete", args=[other.pk]), {"post": "yes"})
    other.refresh_from_db()
    assert other.title == "Secret plans" and not other.memberships.exists()


def test_a_collection_seen_but_not_owned_is_read_only_and_hides_its_members(page: Client, curator: User) -> None:
    collection = make_collection(
        "shared", title="Shared", visibility=Visibility.MEMBERS, viewers=[make_user("hidden_member")], editors=[curator]
    )
    address = reverse(CHANGE, args=[collection.pk])
    shown = page.get(address)
    assert shown.status_code == 200 and "hidden_member" not in shown.content.decode()
    assert page.post(address, {"title": "Mine now"} | _TEXTS | members_form()).status_code == 403
    collection.refresh_from_db()
    assert collection.title == "Shared"


def test_only_an_empty_collection_can_be_deleted(page: Client, curator: User) -> None:
    full, empty = make_collection("full", owner=curator), make_collection("empty", owner=curator)
    make_scene(full)
    for collection in (full, empty):
        page.post(reverse("admin:imagery_collection_delete", args=[collection.pk]), {"post": "yes"})
    assert list(Collection.objects.all()) == [full]


def test_bulk_delete_spares_what_is_not_ones_own(page: Client, curator: User) -> None:
    mine = make_collection("mine", owner=curator)
    other = make_collection("other", visibility=Visibility.ALL_USERS)
    chosen = {"action": "delete_selected", "_selected_action": [mine.pk, other.pk], "post": "yes"}
    assert page.post(reverse(LIST), chosen).status_code == 403
    assert Collection.objects.count() == 2
    chosen["_selected_action"] = [mine.pk]
    assert page.post(reverse(LIST), chosen).status_code == 302
    assert list(Collection.objects.all()) == [other]


def test_the_list_costs_the_same_for_two_and_for_many(
    page: Client, curator: User, django_assert_max_num_queries
) -> None:
    for _number in range(12):
        make_scene(make_collection(owner=curator, viewers=[make_user()]))
    with django_assert_max_num_queries(12):
        page.get(reverse(LIST))


def test_a_superuser_sees_and_changes_everything(client: Client) -> None:
    collection = make_collection("secret-plans", title="Secret plans")
    client.force_login(make_user("root", superuser=True))
    assert "Secret plans" in client.get(reverse(LIST)).content.decode()
    data = {"title": "Known plans"} | _TEXTS | members_form()
    client.post(reverse(CHANGE, args=[collection.pk]), data)
    collection.refresh_from_db()
    assert collection.title == "Known plans"


def test_how_scenes_are_cut_is_set_and_a_rule_that_cannot_be_followed_is_told(page: Client, curator: User) -> None:
    collection = make_collection("bays", owner=curator)
    address = reverse(CHANGE, args=[collection.pk])
    data = {"title": "Bays"} | _TEXTS | members_form()
    rule = {"tile_overlap": "0.4", "tile_gsd_min": "5", "tile_gsd_max": "80", "tile_most": "9000"}
    assert page.post(address, data | rule).status_code == 302
    assert page.post(address, data | {"tile_gsd_min": "5", "tile_gsd_max": "80"}).status_code == 302
    collection.refresh_from_db()
    assert [getattr(collection, name) for name in rule] == [0.4, 5, 80, 9000]
    answer = page.post(address, data | rule | {"tile_gsd_max": "4"})
    assert "The coarsest sampling of windows (4 m) is finer than the finest (5 m)" in answer.content.decode()
    assert "0.6 is outside" in page.post(address, data | rule | {"tile_overlap": "0.6"}).content.decode()
