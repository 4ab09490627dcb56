"""Pictures to search with: what is taken in, what is kept, who sees it, and what is found, with a real small model."""

import io
from pathlib import Path

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from imagery.encoders.registry import forget
from imagery.models import Collection, Encoder, Scene, Tile
from imagery.services.encoders import encoder_activate, encoder_register
from imagery.services.ingest import ingest_job_run
from rsportal.errors import InvalidInput
from search.encode_query import query_vectors_forget
from search.example_vectors import example_vectors
from search.examples_given import examples_parse
from search.models import Concept, ConceptExample, ExampleVector, QueryImage
from search.services import image_keep, query_images
from search.services.caches import texts_prune
from tests import factories, images
from tests.api import SchemaClient
from tests.checkpoints import siglip_checkpoint

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return siglip_checkpoint(tmp_path_factory.mktemp("siglip") / "model")


@pytest.fixture
def encoder(checkpoint) -> Encoder:
    query_vectors_forget()
    forget()
    return encoder_activate(encoder=encoder_register(name="tiny", kind="transformers", source=str(checkpoint)))


@pytest.fixture
def ada():
    return factories.make_user("ada")


def _field(number: int, format: str = "PNG") -> bytes:
    """A picture of 64 x 64 pixels with one bright quarter, another one for each number from 0 to 3."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    y, x = 32 * (number // 2), 32 * (number % 2)
    pixels[y : y + 32, x : x + 32] = 255
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format=format)
    return out.getvalue()


def _ingested(client: SchemaClient, content: bytes, name: str = "field.png") -> Scene:
    if not Collection.objects.exists():
        client.post("/api/v1/collections/", {"slug": "fields", "title": "Fields"})
    file = SimpleUploadedFile(name, content, content_type="image/png")
    job = client.post("/api/v1/scenes/", {"file": file, "collection": "fields"}, format="multipart").json()
    ingest_job_run(job_id=job["id"])
    return Scene.objects.get(pk=client.get(job["links"]["self"]).json()["scene"])


def test_a_program_uploads_a_picture_and_finds_the_scene_it_shows(ada, encoder):
    client = SchemaClient(ada)
    scenes = [_ingested(client, _field(number), f"{number}.png") for number in range(4)]
    told = client.post(
        "/api/v1/examples/",
        {"picture": SimpleUploadedFile("paste", _field(2, "JPEG"))},
        format="multipart",
    )
    assert told.status_code == 201
    image = told.json()
    assert (image["kind"], image["name"], image["width"]) == ("image", "paste", 64)
    example = {"kind": image["kind"], "id": image["id"]}
    answer = client.post("/api/v1/search/", {"examples": [example]}).json()
    assert answer["query"] == ""
    assert answer["examples"] == [{**example, "window": None, "weight": 1.0}]
    assert answer["history"] is True
    assert answer["results"][0]["scene"] == str(scenes[2].pk)
    assert answer["results"][0]["similarity"] > 0.9
    assert answer["results"][0]["reasons"]["examples"]["text"] is None
    both = client.post("/api/v1/search/", {"text": "a harbour", "examples": [{**example, "weight": 5}]}).json()
    assert {len(hit["reasons"]["examples"]["of"]) for hit in both["results"]} == {1}
    assert all(hit["reasons"]["examples"]["text"] is not None for hit in both["results"])
    (asked, _first) = client.get("/api/v1/me/history/").json()["results"]
    assert asked["examples"][0]["weight"] == 5


def test_a_box_is_drawn_as_an_ingest_draws_a_tile_and_encoded_once(ada, encoder):
    scene = _ingested(SchemaClient(ada), images.content(seed=1, size=600))
    tile: Tile = scene.tiles.filter(level=1).order_by("pk")[0]
    x, y, width, height = tile.window
    stored = tile.embeddings.get(encoder=encoder).vector
    (same,) = example_vectors(
        examples=examples_parse([f"box:{scene.pk}:{x},{y},{width},{height}"]), encoder=encoder, user=ada
    )
    assert same == pytest.approx(np.asarray(stored, dtype=np.float16).astype(np.float32))
    assert not ExampleVector.objects.exists()
    tile.embeddings.all().delete()  # Now the same window must be cut and encoded: it is the same picture.
    (cut,) = example_vectors(
        examples=examples_parse([f"box:{scene.pk}:{x},{y},{width},{height}"]), encoder=encoder, user=ada
    )
    assert float(cut @ same) == pytest.approx(1.0, abs=2e-3)
    kept = ExampleVector.objects.get()
    assert (kept.scene_id, tuple(kept.window or ())) == (scene.pk, tile.window)
    for asset in scene.assets.all():
        asset.delete()
    (again,) = example_vectors(
        examples=examples_parse([f"box:{scene.pk}:{x},{y},{width},{height}"]), encoder=encoder, user=ada
    )
    assert np.array_equal(again, cut), "kept, so that no file is read again"


def test_what_is_kept_is_small_upright_and_without_the_files_metadata(ada, tmp_path):
    path = images.oriented_jpeg(tmp_path / "camera.jpg", 6, width=2000, height=1000)
    image = image_keep(user=ada, data=path.read_bytes(), name="../../camera.jpg")
    assert (image.width, image.height, image.name) == (384, 768, "camera.jpg")
    with Image.open(io.BytesIO(bytes(image.picture))) as kept:
        assert (kept.format, kept.size) == ("WEBP", (384, 768))
        assert not kept.getexif() and "exif" not in kept.info


def test_the_same_picture_is_kept_once_a_person(ada):
    one, two = (image_keep(user=ada, data=images.content(), name="a.png") for _ in range(2))
    assert one.pk == two.pk
    assert image_keep(user=factories.make_user(), data=images.content()).pk != one.pk


def test_deep_pictures_are_stretched_as_in_an_ingest(ada, tmp_path):
    path = images.geotiff(tmp_path / "deep.tif", images.deep_ramp())
    image = image_keep(user=ada, data=path.read_bytes(), name="")
    with Image.open(io.BytesIO(bytes(image.picture))) as kept:
        assert np.asarray(kept.convert("L")).max() > 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"GIF89a" + bytes(100), "is not an image the portal reads: it is a GIF picture"),
        (b"<svg onload='x'/>", "web page or XML"),
        (images.content("JPEG")[:-40], "damaged"),
        (images.content("PNG")[:-40], "damaged"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_reason(ada, content, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        image_keep(user=ada, data=content, name="x.png")
    assert caught.value.field == "picture"
    assert not QueryImage.objects.exists()


def test_bombs_and_too_large_files_are_refused(ada, tmp_path, monkeypatch):
    with pytest.raises(InvalidInput, match="pixels"):
        image_keep(user=ada, data=images.bomb_png(tmp_path / "bomb.png").read_bytes(), name="bomb.png")
    monkeypatch.setattr(query_images, "MAX_PIXELS", 1_000)
    with pytest.raises(InvalidInput, match="too many pixels"):
        image_keep(user=ada, data=images.content(), name="large.png")
    monkeypatch.setattr(query_images, "MAX_BYTES", 100)
    with pytest.raises(InvalidInput, match="too large"):
        image_keep(user=ada, data=images.content(), name="large.png")


def test_of_many_those_not_used_for_longest_go_but_not_those_of_concepts(ada, monkeypatch):
    monkeypatch.setattr(query_images, "MAX_KEPT", 2)
    held, first = (image_keep(user=ada, data=images.content(seed=seed)) for seed in range(2))
    ConceptExample.objects.create(concept=Concept.objects.create(owner=ada, name="piers"), image=held)
    second = image_keep(user=ada, data=images.content(seed=2))
    image_keep(user=ada, data=images.content(seed=1))  # Used again.
    third = image_keep(user=ada, data=images.content(seed=3))
    assert set(QueryImage.objects.values_list("pk", flat=True)) == {held.pk, first.pk, third.pk}
    assert second.pk not in {held.pk, first.pk, third.pk}


def test_vectors_of_examples_are_kept_within_bounds(ada, encoder, settings):
    kept = [image_keep(user=ada, data=images.content(seed=seed)) for seed in range(3)]
    for image in kept:
        example_vectors(examples=examples_parse([f"image:{image.pk}"]), encoder=encoder, user=ada)
    settings.SEARCH_KEPT_TEXTS = 2
    assert texts_prune() == 1
    assert set(ExampleVector.objects.values_list("image", flat=True)) == {kept[1].pk, kept[2].pk}


def _client(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def _file(name: str = "pier.png", **content) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, images.content(**content), content_type="image/png")


def test_the_page_sends_a_picture_and_its_owner_alone_gets_it_back(ada):
    told = _client(ada).post(reverse("search:examples"), {"picture": _file()})
    assert told.status_code == 201
    body = told.json()
    assert body["like"] == f"image:{body['id']}"
    shown = _client(ada).get(body["picture"])
    assert (shown.status_code, shown["Content-Type"]) == (200, "image/webp")
    assert "private" in shown["Cache-Control"]
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert _client(ada).get(body["picture"], headers={"If-None-Match": shown["ETag"]}).status_code == 304
    assert _client(factories.make_user(superuser=True)).get(body["picture"]).status_code == 404
    assert Client().get(body["picture"]).status_code == 302


def test_without_a_script_the_form_goes_back_to_the_search_with_the_example(ada):
    back = "/?q=harbour&like=concept%3A5f0c3a4e-0000-4000-8000-000000000001&ranking=x&page=2"
    gone = _client(ada).post(reverse("search:examples"), {"picture": _file(), "next": back})
    image = QueryImage.objects.get()
    assert gone["Location"] == (
        f"/?q=harbour&like=concept%3A5f0c3a4e-0000-4000-8000-000000000001&like=image%3A{image.pk}"
    )
    away = _client(ada).post(reverse("search:examples"), {"picture": _file(), "next": "https://evil.example/"})
    assert away["Location"].startswith("/?like=image")


def test_refusals_are_told_to_the_script_and_on_the_page(ada):
    bad = SimpleUploadedFile("x.png", b"GIF89a" + bytes(100))
    refused = _client(ada).post(reverse("search:examples"), {"picture": bad})
    assert (refused.status_code, "GIF" in refused.json()["error"]) == (400, True)
    assert _client(ada).post(reverse("search:examples")).status_code == 400
    assert _client(ada).post(reverse("search:examples"), {"picture": _file(), "kind": "film"}).status_code == 400
    bad.seek(0)
    client = _client(ada)
    page = client.post(reverse("search:examples"), {"picture": bad, "next": "/"}, follow=True)
    assert "GIF" in page.content.decode()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    assert strict.post(reverse("search:examples"), {"picture": _file()}).status_code == 403
    long = _client(ada).post(reverse("search:examples"), {"picture": _file()}, CONTENT_LENGTH=str(30 * 1024 * 1024))
    assert long.status_code == 413
