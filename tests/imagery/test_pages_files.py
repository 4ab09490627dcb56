"""Files of scenes over the web: who gets them, with which headers."""

import pytest
from django.urls import reverse

from imagery.licenses import allows_download
from imagery.models.collection import Visibility
from tests.factories import make_collection, make_scene, make_user
from tests.pages import client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def scene(owner):
    return make_scene(make_collection(owner=owner, license="CC-BY-4.0"), files=True)


def address(name, scene, *keys):
    return reverse(f"imagery:{name}", args=[scene.pk, *keys])


@pytest.mark.parametrize("name", ["thumbnail", "overview"])
def test_pictures_are_private_to_the_browser_and_revalidated(owner, scene, name):
    response = client_of(owner).get(address(name, scene))
    assert response.status_code == 200
    assert response["Content-Type"] == "image/webp"
    assert "private" in response["Cache-Control"]
    assert response["X-Content-Type-Options"] == "nosniff"
    content = response.getvalue()
    assert content[:4] == b"RIFF"
    again = client_of(owner).get(address(name, scene), headers={"If-None-Match": response["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(("name", "keys"), [("thumbnail", ()), ("overview", ()), ("original", ("data",))])
def test_a_stranger_gets_404_as_for_a_scene_that_does_not_exist(scene, name, keys):
    assert client_of(make_user()).get(address(name, scene, *keys)).status_code == 404


def test_original_goes_out_as_an_attachment_under_its_own_name(owner, scene):
    asset = scene.assets.get(key="data")
    response = client_of(owner).get(address("original", scene, "data"))
    assert response.status_code == 200
    assert response["Content-Disposition"] == f'attachment; filename="{asset.filename}"'
    assert len(response.getvalue()) == asset.size
    assert asset.path not in str(response.headers)


def test_open_licence_lets_every_viewer_download():
    scene = make_scene(make_collection(license="CC-BY-4.0", visibility=Visibility.ALL_USERS), files=True)
    assert client_of(make_user()).get(address("original", scene, "data")).status_code == 200


@pytest.mark.parametrize("license", ["CC-BY-4.0", "cc0-1.0", "ODbL-1.0", "MIT", "OGL-UK-3.0", "etalab-2.0"])
def test_open_licences_are_known(license):
    assert allows_download(license)


@pytest.mark.parametrize(
    "license",
    ["", "proprietary", "MITRE Corporation, no copies", "CC-BY does not apply: all rights reserved", "CC-BYE", "BSDX"],
)
def test_text_that_only_begins_like_an_open_licence_opens_nothing(license):
    assert not allows_download(license)


def test_other_licences_keep_originals_to_editors():
    owner, editor, viewer = make_user(), make_user(), make_user()
    collection = make_collection(
        owner=owner, visibility=Visibility.MEMBERS, editors=[editor], viewers=[viewer], license="proprietary"
    )
    where = address("original", make_scene(collection, files=True), "data")
    assert client_of(owner).get(where).status_code == 200
    assert client_of(editor).get(where).status_code == 200
    refused = client_of(viewer).get(where)
    assert refused.status_code == 403
    assert "licence" in refused.content.decode()


def test_pictures_are_not_served_as_originals(owner, scene):
    assert client_of(owner).get(address("original", scene, "thumbnail")).status_code == 404
    assert client_of(owner).get(address("original", scene, "a\x00b")).status_code == 404


def test_missing_original_is_said_with_its_name(owner, scene, media_folder):
    asset = scene.assets.get(key="data")
    (media_folder / asset.path).unlink()
    response = client_of(owner).get(address("original", scene, "data"))
    assert response.status_code == 404
    assert asset.filename in response.content.decode()
    assert str(media_folder) not in response.content.decode()


def test_anonymous_visitors_are_sent_to_the_login_page(client, scene):
    response = client.get(address("thumbnail", scene))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("login"))
