"""Scenes that came as a description only: said on their page, in lists and over the API; found by no search."""

import pytest

from imagery.models import Scene
from imagery.services.scenes import scene_delete
from tests.factories import make_collection, make_scene, make_user

pytestmark = pytest.mark.django_db
WHY = "http://127.0.0.1/a.tif answers with 404 Not Found."


@pytest.fixture
def described(owner, collection):
    return make_scene(
        collection, title="Only words", status=Scene.Status.METADATA, bbox=(1, 2, 3, 4), stac_id="only-words",
        stac={"no_pixels": WHY, "fingerprint": "0" * 64},
    )  # fmt: skip


def test_its_page_says_so(client, owner, described):
    client.force_login(owner)
    page = client.get(f"/scenes/{described.pk}/").content.decode()
    assert "no pixels reachable" in page and WHY in page
    client.force_login(make_user())
    assert client.get(f"/scenes/{described.pk}/").status_code == 404


def test_the_list_of_its_collection_has_it_without_a_picture(client, owner, collection, described):
    make_scene(collection, title="Seen", files=True)
    client.force_login(owner)
    page = client.get(f"/collections/{collection.slug}/").content.decode()
    assert "Only words" in page and page.count("no pixels reachable") == 1
    assert f"/scenes/{described.pk}/thumbnail" not in page


def test_the_api_says_so(client, owner, described):
    client.force_login(owner)
    body = client.get(f"/api/v1/scenes/{described.pk}/").json()
    assert (body["status"], body["no_pixels"]) == ("metadata", WHY)
    assert [each["id"] for each in client.get("/api/v1/scenes/?status=metadata").json()["results"]] == [
        str(described.pk)
    ]
    seen = make_scene(described.collection)
    assert client.get(f"/api/v1/scenes/{seen.pk}/").json()["no_pixels"] == ""


def test_searches_do_not_find_it(described):
    assert not Scene.objects.findable().filter(pk=described.pk).exists()


def test_it_can_be_deleted_and_its_collection_be_another(owner, described):
    scene_delete(scene=described, user=owner)
    assert not Scene.objects.exists()
    other = make_collection()
    make_scene(other, status=Scene.Status.METADATA, stac_id="only-words")
    assert Scene.objects.get().stac_id == "only-words"


def test_an_original_at_another_archive_is_fetched_there(client, owner, collection):
    scene = make_scene(collection)
    href = "https://data.example.org/a.tif"
    scene.assets.update(href=href, path="", managed=False, sha256="")
    client.force_login(owner)
    answer = client.get(f"/scenes/{scene.pk}/files/data")
    assert (answer.status_code, answer.headers["Location"]) == (302, href)
    assert "file:checksum" not in client.get(f"/api/v1/scenes/{scene.pk}/").json()["assets"]["data"]
    client.force_login(make_user())
    assert client.get(f"/scenes/{scene.pk}/files/data").status_code == 404
