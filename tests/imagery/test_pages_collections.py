"""Collections: the list, one collection, making, changing, sharing and deleting it."""

import pytest
from django.urls import reverse

from imagery.models import Collection, CollectionMember
from imagery.models.collection import Visibility
from tests.factories import make_collection, make_scene, make_user
from tests.pages import client_of, count_queries, page

pytestmark = pytest.mark.django_db
LIST = "/collections/"
FIELDS = {"description": "", "license": "", "license_url": "", "attribution": "", "visibility": "private"}


@pytest.fixture
def owner():
    return make_user("ana")


def test_the_list_shows_only_what_may_be_seen_with_counts(owner):
    mine = make_collection("mine", owner=owner, license="CC0-1.0")
    make_collection("secret-of-another")
    for _ in range(3):
        make_scene(mine, bbox=(10, 50, 11, 51))
    html = page(client_of(owner), LIST)
    assert "Mine" in html and "3 scenes" in html and "CC0-1.0" in html
    assert 'class="map__spot"' in html
    assert "Secret of another" not in html


def test_a_newcomer_is_told_what_to_do():
    html = page(client_of(make_user()), LIST)
    assert "No collection yet" in html
    assert reverse("imagery:collection_create") in html


def test_statements_do_not_grow_with_collections_or_scenes(owner):
    client = client_of(owner)
    make_scene(make_collection(owner=owner), bbox=(0, 0, 1, 1))
    few = count_queries(client, LIST)
    for _ in range(5):
        make_scene(make_collection(owner=owner), bbox=(0, 0, 1, 1))
    assert count_queries(client, LIST) == few


def test_statements_of_one_collection_do_not_grow_with_its_scenes_and_members(owner):
    collection = make_collection("bay", owner=owner, viewers=[make_user()])
    make_scene(collection)
    client = client_of(owner)
    few = count_queries(client, LIST + "bay/")
    for _ in range(6):
        make_scene(collection)
        CollectionMember.objects.create(collection=collection, user=make_user())
    assert count_queries(client, LIST + "bay/") == few


def test_creating_makes_the_address_from_the_title(owner):
    client = client_of(owner)
    response = client.post(LIST + "new/", {**FIELDS, "title": "Baltic Sea 2024", "license": "CC-BY-4.0"}, follow=True)
    assert response.redirect_chain[-1][0] == LIST + "baltic-sea-2024/"
    assert "was created" in response.content.decode()
    made = Collection.objects.get()
    assert (made.owner, made.license, made.visibility) == (owner, "CC-BY-4.0", "private")


@pytest.mark.parametrize(("title", "expected"), [("Baltic Sea", "baltic-sea-2"), ("new", "new-2"), ("青藏高原", None)])
def test_addresses_are_free_and_never_those_of_other_pages(owner, title, expected):
    make_collection("baltic-sea")
    client_of(owner).post(LIST + "new/", {**FIELDS, "title": title})
    made = Collection.objects.get(title=title)
    assert made.slug == expected if expected else made.slug.startswith("collection-")


def test_a_title_is_needed_and_a_link_must_be_one(owner):
    html = client_of(owner).post(LIST + "new/", {**FIELDS, "title": " ", "license_url": "nowhere"})
    assert html.status_code == 400
    assert html.content.decode().count('class="field__error"') == 2
    assert not Collection.objects.exists()


def test_editing_changes_words_but_not_the_address(owner):
    make_collection("bay", owner=owner)
    client = client_of(owner)
    assert 'value="Bay"' in page(client, LIST + "bay/edit/")
    client.post(LIST + "bay/edit/", {**FIELDS, "title": "Wide bay", "visibility": "all_users"})
    changed = Collection.objects.get()
    assert (changed.slug, changed.title, changed.visibility) == ("bay", "Wide bay", "all_users")


def test_only_the_owner_changes_a_collection():
    editor = make_user()
    make_collection("bay", visibility=Visibility.MEMBERS, editors=[editor])
    client = client_of(editor)
    for way in ("edit/", "delete/"):
        assert client.get(LIST + "bay/" + way).status_code == 403
        assert client.post(LIST + "bay/" + way, {**FIELDS, "title": "Mine now"}).status_code == 403
    assert client.post(LIST + "bay/members/", {"username": editor.username, "role": "editor"}).status_code == 403
    assert Collection.objects.get().title == "Bay"


def test_members_are_added_changed_and_removed(owner):
    guest = make_user("Li")
    make_collection("bay", owner=owner, visibility=Visibility.MEMBERS)
    client = client_of(owner)
    client.post(LIST + "bay/members/", {"username": "li", "role": "viewer"})
    assert "Bay" in page(client_of(guest), LIST + "bay/")
    client.post(LIST + "bay/members/", {"username": "Li", "role": "editor"})
    assert CollectionMember.objects.get().role == "editor"
    assert "may add and delete scenes" in page(client, LIST + "bay/")
    client.post(f"{LIST}bay/members/{guest.pk}/remove/")
    page(client_of(guest), LIST + "bay/", status=404)


@pytest.mark.parametrize(("name", "words"), [("nobody", "Nobody here is called"), ("ana", "owns the collection")])
def test_wrong_member_names_are_explained_beside_the_field(owner, name, words):
    make_collection("bay", owner=owner)
    response = client_of(owner).post(LIST + "bay/members/", {"username": name, "role": "viewer"})
    assert response.status_code == 400
    assert words in response.content.decode()
    assert 'aria-invalid="true"' in response.content.decode()


def test_viewers_do_not_see_who_the_members_are():
    viewer = make_user("viewer-vera")
    other = make_user("editor-emil")
    make_collection("bay", visibility=Visibility.MEMBERS, viewers=[viewer], editors=[other])
    assert "editor-emil" not in page(client_of(viewer), LIST + "bay/")
    assert "viewer-vera" in page(client_of(other), LIST + "bay/")


def test_only_an_empty_collection_is_deleted(owner):
    collection = make_collection("bay", owner=owner)
    scene = make_scene(collection)
    client = client_of(owner)
    assert "not empty" in page(client, LIST + "bay/delete/")
    assert client.post(LIST + "bay/delete/").status_code == 409
    scene.delete()
    assert "Delete this collection?" in page(client, LIST + "bay/delete/")
    client.post(LIST + "bay/delete/")
    assert not Collection.objects.exists()


def test_scenes_are_paged(owner):
    collection = make_collection("bay", owner=owner)
    for _ in range(50):
        make_scene(collection)
    html = page(client_of(owner), LIST + "bay/")
    assert html.count('class="thumb"') == 48
    assert "page=2" in html
    assert page(client_of(owner), LIST + "bay/?page=2").count('class="thumb"') == 2
