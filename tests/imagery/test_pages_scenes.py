"""The page of one scene, in every state it can be in."""

import re

import pytest
from django.urls import reverse

from imagery.models import Scene
from imagery.models.collection import Visibility
from search.models import Event
from search.services.pages import ranking_page
from tests.factories import make_collection, make_ranking, make_scene, make_user, utc
from tests.pages import client_of, count_queries, found, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_user("ana")


def address(scene, query=""):
    return reverse("imagery:scene", args=[scene.pk]) + query


def shown_hit(user, scene):
    return ranking_page(user=user, ranking=make_ranking(user, [scene], text="a harbour")).hits[0]


def test_georeferenced_scene_shows_its_metadata_and_map(owner):
    collection = make_collection(
        owner=owner, license="CC-BY-4.0", license_url="https://example.org/by", attribution="ESA"
    )
    scene = make_scene(
        collection,
        files=True,
        bbox=(10.0, 50.0, 10.5, 50.25),
        datetime=utc(2023, 7, 4, 10),
        gsd=10.0,
        cloud_cover=12.5,
        platform="sentinel-2a",
        bands=[{"name": "red"}, {"name": "nir"}],
        created_by=owner,
    )
    html = page(client_of(owner), address(scene))
    for words in (
        "2023-07-04T10:00:00Z", "10 m per pixel", "12.5 %", "sentinel-2a", "EPSG:4326", "red, nir", "64 × 64 px",
        "https://example.org/by", "ESA", "by ana", scene.content_hash, "10.00000, 50.00000, 10.50000, 50.25000",
        'class="map__footprint"', "&quot;type&quot;: &quot;Polygon&quot;",
    ):  # fmt: skip
        assert words in html


def test_the_match_is_outlined_in_the_scenes_own_pixels(owner):
    scene = make_scene(make_collection(owner=owner), files=True)
    html = page(client_of(owner), address(scene, "?window=8,16,32,24"))
    assert 'viewBox="0 0 64 64"' in html
    assert 'x="8"' in html and 'y="16"' in html and 'width="32"' in html and 'height="24"' in html


@pytest.mark.parametrize(
    "window", ["0,0,64,64", "60,0,32,32", "-1,0,5,5", "a,b,c,d", "1,2,3", "", "0,0,0,5", "9" * 5000]
)
def test_a_window_that_is_no_part_of_the_scene_is_ignored(owner, window):
    scene = make_scene(make_collection(owner=owner), files=True)
    assert 'class="match"' not in page(client_of(owner), address(scene, f"?window={window}"))


def test_scene_without_a_place_says_so(owner):
    html = page(client_of(owner), address(make_scene(make_collection(owner=owner), files=True)))
    assert "Not georeferenced" in html
    assert "map__footprint" not in html


def test_missing_files_are_named(owner, media_folder):
    scene = make_scene(make_collection(owner=owner), files=True)
    for asset in scene.assets.all():
        (media_folder / asset.path).unlink()
    html = page(client_of(owner), address(scene))
    assert "missing on the server" in html
    assert reverse("imagery:overview", args=[scene.pk]) not in html
    assert reverse("imagery:original", args=[scene.pk, "data"]) not in html


def test_pending_and_failed_scenes_say_what_is_going_on(owner):
    collection = make_collection(owner=owner)
    pending = make_scene(collection, status=Scene.Status.PENDING)
    failed = make_scene(collection, status=Scene.Status.FAILED)
    assert "when the ingest is finished" in page(client_of(owner), address(pending))
    assert "ingest of this scene failed" in page(client_of(owner), address(failed))


def test_viewers_see_why_they_cannot_download_or_delete():
    viewer = make_user()
    scene = make_scene(make_collection(visibility=Visibility.ALL_USERS, license="proprietary"), files=True)
    html = page(client_of(viewer), address(scene))
    assert "is not known to allow copies" in html
    assert reverse("imagery:original", args=[scene.pk, "data"]) not in html
    assert reverse("imagery:scene_delete", args=[scene.pk]) not in html


def test_scene_of_a_private_collection_does_not_exist_for_others():
    page(client_of(make_user()), address(make_scene()), status=404)


def test_coming_from_a_search_offers_the_way_back_and_feedback(owner):
    scene = make_scene(make_collection(owner=owner), files=True)
    hit = shown_hit(owner, scene)
    client = client_of(owner)
    here = address(scene, f"?t={hit.token}")
    html = page(client, here)
    assert "Results for “a harbour”" in html
    assert 'data-kind="like"' in html
    response = client.post(reverse("search:event"), {"token": hit.token, "kind": "like", "next": here})
    assert response.status_code == 302 and response["Location"] == here
    assert Event.objects.get().kind == "like"
    assert 'value="unlike"' in page(client, here)
    back = found(r'class="came-from__back"\s+href="([^"]+)"', html)
    assert back.endswith("&page=1#hit-1")
    assert scene.title in page(client, back)


def test_download_from_a_search_is_recorded_and_leads_to_the_file(owner):
    scene = make_scene(make_collection(owner=owner), files=True)
    hit = shown_hit(owner, scene)
    client = client_of(owner)
    original = reverse("imagery:original", args=[scene.pk, "data"])
    html = page(client, address(scene, f"?t={hit.token}"))
    assert f'value="{original}"' in html
    response = client.post(
        reverse("search:event"), {"token": hit.token, "kind": "download", "next": original}, follow=True
    )
    assert response.status_code == 200 and response["Content-Disposition"].startswith("attachment")
    assert Event.objects.get().kind == "download"


def test_another_persons_token_shows_nothing_of_their_search(owner):
    other = make_user()
    scene = make_scene(make_collection(visibility=Visibility.ALL_USERS), files=True)
    hit = shown_hit(other, scene)
    html = page(client_of(owner), address(scene, f"?t={hit.token}"))
    assert "a harbour" not in html


def test_a_link_passed_on_by_another_person_still_downloads(owner):
    scene = make_scene(make_collection(visibility=Visibility.ALL_USERS, license="CC0-1.0"), files=True)
    hit = shown_hit(make_user(), scene)
    html = page(client_of(owner), address(scene, f"?t={hit.token}"))
    assert f'value="{hit.token}"' not in html
    assert re.search(r'<a class="button"\s+href="' + reverse("imagery:original", args=[scene.pk, "data"]), html)


def test_deleting_asks_first_and_then_removes_the_scene(owner, django_capture_on_commit_callbacks):
    scene = make_scene(make_collection("bay", owner=owner), title="Old bay", files=True)
    client = client_of(owner)
    where = reverse("imagery:scene_delete", args=[scene.pk])
    assert "Delete this scene?" in page(client, where)
    assert Scene.objects.filter(pk=scene.pk).exists()
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(where, follow=True)
    assert response.redirect_chain[-1][0] == reverse("imagery:collection", args=["bay"])
    assert "“Old bay” was deleted." in response.content.decode()
    assert not Scene.objects.filter(pk=scene.pk).exists()


def test_viewers_cannot_delete():
    viewer = make_user()
    scene = make_scene(make_collection(visibility=Visibility.ALL_USERS))
    response = client_of(viewer).post(reverse("imagery:scene_delete", args=[scene.pk]))
    assert response.status_code == 403
    assert Scene.objects.filter(pk=scene.pk).exists()


def test_the_page_never_carries_styles_or_scripts_in_line(owner):
    html = page(client_of(owner), address(make_scene(make_collection(owner=owner), files=True, bbox=(1, 2, 3, 4))))
    assert " style=" not in html
    assert "<style" not in html
    assert "onclick" not in html


def test_number_of_statements_does_not_grow_with_files(owner):
    small, large = (make_scene(make_collection(owner=owner), files=True) for _ in range(2))
    data = large.assets.get(key="data")
    for number in range(10):
        data.pk, data.key = None, f"B{number:02}"
        data.save()
    client = client_of(owner)
    assert count_queries(client, address(large)) == count_queries(client, address(small))
