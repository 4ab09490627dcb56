"""STAC documents over the pages' addresses and the API's."""

import pytest
from django.test import Client
from django.urls import reverse

from imagery.models.collection import Visibility
from tests.api import SchemaClient
from tests.factories import make_collection, make_scene, make_user, utc
from tests.imagery.stac.validating import check_stac

pytestmark = pytest.mark.django_db


@pytest.fixture
def shown(owner):
    collection = make_collection("coast", owner=owner, license="", visibility=Visibility.ALL_USERS)
    return make_scene(collection, files=True, datetime=utc(2020), bbox=(9.5, 53.2, 10.25, 53.7))


@pytest.mark.parametrize("over", ["pages", "api"])
def test_documents_are_valid_and_lead_to_each_other(shown, owner, over: str) -> None:
    client = SchemaClient(owner) if over == "api" else Client()
    if over == "pages":
        client.force_login(owner)
        start, item = reverse("imagery:stac_catalog"), reverse("imagery:scene_stac", args=[shown.pk])
    else:
        start, item = "/api/v1/stac", f"/api/v1/scenes/{shown.pk}/stac"
    catalog = client.get(start).json()
    child = next(link["href"] for link in catalog["links"] if link["rel"] == "child")
    collection = client.get(child).json()
    answer = client.get(item)
    assert answer["Content-Type"] == "application/geo+json"
    assert "private" in answer["Cache-Control"]
    document = answer.json()
    for each in (catalog, collection, document):
        check_stac(each)
        links = {link["rel"]: link["href"] for link in each["links"]}
        assert links["root"].endswith(start)
    links = {link["rel"]: link["href"] for link in document["links"]}
    assert (links["self"], links["collection"]) == (f"http://testserver{item}", child)
    assert set(document["assets"]) == {"data", "thumbnail", "overview"}
    for asset in document["assets"].values():
        file = client.get(asset["href"])
        assert file.status_code == 200
        assert len(b"".join(file)) == asset["file:size"]


def test_whoever_may_not_download_sees_no_originals(shown) -> None:
    viewer = make_user()
    client = Client()
    client.force_login(viewer)
    assets = client.get(reverse("imagery:scene_stac", args=[shown.pk])).json()["assets"]
    assert set(assets) == {"thumbnail", "overview"}


def test_what_may_not_be_seen_does_not_exist(owner) -> None:
    scene = make_scene(make_collection("private", owner=owner))
    stranger = make_user()
    client, api = Client(), SchemaClient(stranger)
    client.force_login(stranger)
    for path in (f"/scenes/{scene.pk}/stac.json", "/collections/private/stac.json"):
        assert client.get(path).status_code == 404
    for path in (f"/api/v1/scenes/{scene.pk}/stac", "/api/v1/collections/private/stac"):
        assert api.get(path).status_code == 404
    assert "private" not in client.get("/stac.json").content.decode()
