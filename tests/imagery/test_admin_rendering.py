"""The page of a collection's band recipe: trying it on real files, keeping it, encoding by it."""

import io
import re
from html import unescape

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from imagery.models import Collection, IngestJob, Scene
from imagery.services.ingest import SourceFile, ingest_jobs_drain, source_ingest
from tests import images
from tests.factories import make_collection, make_user
from tests.staff import make_curator

pytestmark = pytest.mark.django_db
NOTHING = {"red": "", "green": "", "blue": "", "stretch": "auto", "low": "2", "high": "98", "black": "", "white": ""}
FALSE_COLOUR = NOTHING | {
    "red": "nir", "green": "red", "blue": "green", "stretch": "range", "black": "0", "white": "3500", "gamma": "1.5",
}  # fmt: skip


@pytest.fixture
def curator():
    return make_curator("carla")


@pytest.fixture
def collection(curator) -> Collection:
    return make_collection("bays", owner=curator)


@pytest.fixture
def page(client: Client, curator) -> Client:
    client.force_login(curator)
    return client


@pytest.fixture
def scene(collection, curator, encoder, tmp_path) -> Scene:
    """A scene of four band files, of which the infrared one is a picture of its own."""
    array = images.deep_ramp(bands=4, width=300, height=200)
    array[3] = array[3, ::-1, ::-1]
    keys = {"B04": "red", "B03": "green", "B02": "blue", "B08": "B08"}
    files = [
        SourceFile(images.geotiff(tmp_path / f"S2_{name}.tif", array[n : n + 1]), f"S2_{name}.tif", key)
        for n, (name, key) in enumerate(keys.items())
    ]
    source_ingest(files=files, collection=collection, user=curator, title="A <bay>")
    ingest_jobs_drain()
    return Scene.objects.get()


def address(collection):
    return reverse("admin:imagery_collection_rendering", args=[collection.pk])


def pictures(html):
    return [unescape(found) for found in re.findall(r'<img src="([^"]+)"', html)]


def drawn(page, source):
    answer = page.get(source)
    assert answer.status_code == 200 and answer["Content-Type"] == "image/webp", answer.content
    assert "private" in answer["Cache-Control"]
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)


def test_the_page_is_reached_from_the_collection(page, collection):
    html = page.get(reverse("admin:imagery_collection_change", args=[collection.pk])).text
    assert address(collection) in html


def test_a_recipe_is_tried_on_the_collections_own_scenes_and_nothing_is_kept(page, collection, scene):
    html = page.get(address(collection)).text
    assert "A &lt;bay&gt;" in html and "nothing is kept yet" not in html
    for option in ("nir (B08)", "B08 (nir)", "red", "green", "blue"):
        assert f">{option}<" in html
    before, as_it_is = pictures(html)
    assert before.startswith(reverse("imagery:thumbnail", args=[scene.pk]))
    stored = np.asarray(Image.open(io.BytesIO(b"".join(page.get(before).streaming_content))).convert("RGB"))
    assert np.abs(drawn(page, as_it_is) - stored).mean() < 4  # Both are WebP.
    html = page.get(address(collection), FALSE_COLOUR).text
    assert "nothing is kept yet" in html
    _before, after = pictures(html)
    shown = drawn(page, after)
    assert shown.shape == (200, 300, 3)
    infrared = images.deep_ramp(bands=4, width=300, height=200)[3, ::-1, ::-1]
    assert np.abs(shown[..., 0] - np.clip(infrared / 3500, 0, 1) ** (1 / 1.5) * 255).mean() < 6
    assert np.abs(shown[..., 0] - shown[..., 1]).mean() > 40
    collection.refresh_from_db()
    assert collection.rendering == {}


def test_a_scene_that_lacks_a_band_says_so_in_place_of_its_picture(page, collection, scene):
    collection.rendering = {"bands": ["swir16", "nir", "red"]}
    collection.save()
    html = page.get(address(collection)).text
    assert "has no band “swir16”" in html and len(pictures(html)) == 1
    picture = reverse("admin:imagery_collection_rendering_picture", args=[collection.pk, scene.pk])
    answer = page.get(picture, NOTHING | {"red": "swir16", "green": "nir", "blue": "red"})
    assert answer.status_code == 422 and "swir16" in answer.text


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"red": "nir"} | {"green": "red"}, "Name three bands"),
        ({"red": "no such band"}, "no such band"),
        ({"stretch": "percentile", "low": "99"}, "upper percentile"),
        ({"stretch": "range", "black": "0", "white": ""}, "fixed range needs"),
        ({"stretch": "range", "black": "5", "white": "1"}, "lowest below the highest"),
        ({"stretch": "range", "black": "0", "white": "3500 3000"}, "one number, or three"),
        ({"stretch": "range", "black": "few", "white": "many"}, "“few” is no number"),
        ({"gamma": "9"}, "between 0.2 and 5.0"),
        ({"gamma": "bright"}, "Enter a number"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(page, collection, scene, wrong, message):
    answer = page.post(address(collection), NOTHING | wrong)
    assert answer.status_code == 400 and message in unescape(answer.text)
    assert message in unescape(page.get(address(collection), NOTHING | wrong).text)
    collection.refresh_from_db()
    assert collection.rendering == {}


def test_a_kept_recipe_fills_the_form_and_is_for_new_scenes(page, collection, scene):
    answer = page.post(address(collection), FALSE_COLOUR, follow=True)
    collection.refresh_from_db()
    assert collection.rendering == {
        "bands": ["nir", "red", "green"], "stretch": "range", "range": [[0.0, 3500.0]], "gamma": 1.5,
    }  # fmt: skip
    assert re.search(r'name="white" value="3500"', answer.text) and "nothing is kept yet" not in answer.text
    assert not IngestJob.objects.filter(again=True).exists()
    page.post(address(collection), NOTHING)
    collection.refresh_from_db()
    assert collection.rendering == {}


def test_encoding_again_is_asked_for_followed_and_stopped(page, collection, scene):
    answer = page.post(address(collection), FALSE_COLOUR | {"encode": "1"}, follow=True)
    assert "1 scene is encoded again" in answer.text and "0 of 1 scenes done" in answer.text
    assert "data-running" in answer.text
    jobs = re.search(r'href="([^"]+)">Show the jobs', answer.text)
    assert jobs is not None and "encoded again" in page.get(unescape(jobs[1])).text
    stop = reverse("admin:imagery_collection_rendering_stop", args=[collection.pk])
    assert stop in answer.text
    ingest_jobs_drain()
    html = page.get(address(collection)).text
    assert "1 of 1 scenes done" in html and "data-running" not in html and "As encoded: B08, red, green" in html
    scene.refresh_from_db()
    assert scene.stretch["high"] == [3500] * 3
    assert "waits to be encoded again" in page.post(stop, follow=True).text
    page.post(address(collection), NOTHING | {"encode": "1"})
    assert "1 scene keeps the look it has" in page.post(stop, follow=True).text
    assert ingest_jobs_drain() == 0


def test_failures_are_told_with_their_reason(page, collection, scene):
    collection.rendering = {"bands": ["swir16", "nir", "red"]}
    collection.save()
    data = NOTHING | {"red": "swir16", "green": "nir", "blue": "red", "encode": "1"}
    page.post(address(collection), data)
    ingest_jobs_drain()
    html = page.get(address(collection)).text
    assert "1 could not be drawn" in html and "A &lt;bay&gt;: " in html and "swir16" in html


def test_other_scenes_can_be_tried(page, collection, curator, encoder, tmp_path):
    for number in range(4):
        path = images.draw(tmp_path / f"{number}.png", seed=number)
        source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=curator)
    ingest_jobs_drain()
    html = page.get(address(collection), NOTHING).text
    assert len(pictures(html)) == 6
    following = re.search(r'href="\?([^"]+)">Try other scenes', html)
    assert following is not None
    more = page.get(f"{address(collection)}?{unescape(following[1])}").text
    assert len(pictures(more)) == 2 and not set(pictures(more)) & set(pictures(html))


def test_a_collection_without_scenes_has_a_page(page, collection):
    html = page.get(address(collection)).text
    assert "There is no scene to try it on yet" in html and 'name="encode"' not in html


def test_only_who_may_change_the_collection_sees_the_page(client, collection, scene):
    sources = [
        address(collection),
        reverse("admin:imagery_collection_rendering_picture", args=[collection.pk, scene.pk]) + "?stretch=auto",
    ]
    stop = reverse("admin:imagery_collection_rendering_stop", args=[collection.pk])
    client.force_login(make_curator("other"))
    assert [client.get(source).status_code for source in sources] == [404, 404]
    assert client.post(stop).status_code == 404 and client.post(sources[0], NOTHING).status_code == 404
    Collection.objects.update(visibility="all_users")
    assert [client.get(source).status_code for source in sources] == [403, 403]
    assert client.post(stop).status_code == 403
    client.force_login(make_user("nobody"))
    assert client.get(sources[0]).status_code == 302
    elsewhere = make_collection("elsewhere", owner=make_curator("third"))
    client.force_login(elsewhere.owner)
    foreign = reverse("admin:imagery_collection_rendering_picture", args=[elsewhere.pk, scene.pk])
    assert client.get(foreign, NOTHING).status_code == 404
