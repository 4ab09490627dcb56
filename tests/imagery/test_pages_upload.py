"""The upload page: with JavaScript one file a request, without it one form."""

import os
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from imagery.models import Asset, IngestJob, Scene
from imagery.models.collection import Visibility
from imagery.upload_handlers import LimitedFileUploadHandler
from tests.factories import make_collection, make_user, picture
from tests.pages import client_of, page

pytestmark = pytest.mark.django_db
UPLOAD = "/upload/"
JSON = {"Accept": "application/json"}


@pytest.fixture
def owner():
    return make_user("ana")


@pytest.fixture
def collection(owner):
    return make_collection("bay", owner=owner)


def png(number=1, name="harbour.png"):
    return SimpleUploadedFile(name, picture(number), "image/png")


def broken(name="broken.png"):
    return SimpleUploadedFile(name, b"this is not a picture", "image/png")


def test_without_a_collection_the_page_says_to_make_one(owner):
    html = page(client_of(owner), UPLOAD)
    assert reverse("imagery:collection_create") in html
    assert '<input type="file"' not in html


def test_only_collections_one_may_change_are_offered(owner, collection):
    make_collection("of-another", visibility=Visibility.ALL_USERS)
    html = page(client_of(owner), UPLOAD)
    assert 'value="bay"' in html
    assert "of-another" not in html
    assert "multiple" in html


def test_the_collection_of_the_address_is_chosen(owner, collection):
    make_collection("aaa", owner=owner)
    assert '<option value="bay" selected>' in page(client_of(owner), f"{UPLOAD}?collection=bay")


def test_one_form_with_many_files_leads_to_the_batch(owner, collection):
    batch = uuid4()
    response = client_of(owner).post(
        UPLOAD, {"collection": "bay", "batch": batch, "images": [png(1, "one.png"), broken(), png(2, "two.png")]}
    )
    assert response["Location"] == f"/jobs/?batch={batch}"
    states = dict(IngestJob.objects.filter(batch=batch).values_list("source_name", "state"))
    assert states == {"one.png": "queued", "broken.png": "failed", "two.png": "queued"}
    html = page(client_of(owner), response["Location"])
    assert "broken.png" in html and "not an image" in html


def test_the_original_bytes_are_kept(owner, collection, media_folder):
    client_of(owner).post(UPLOAD, {"collection": "bay", "batch": uuid4(), "images": [png(7)]})
    asset = Asset.objects.get(role=Asset.Role.DATA)
    assert (media_folder / asset.path).read_bytes() == picture(7)
    assert asset.filename == "harbour.png"


def test_scripts_get_an_answer_for_each_file(owner, collection):
    client, data = client_of(owner), {"collection": "bay", "batch": str(uuid4())}
    first = client.post(UPLOAD, {**data, "images": [png()]}, headers=JSON).json()["results"][0]
    assert (first["state"], first["reason"]) == ("queued", "")
    assert first["scene_url"] == reverse("imagery:scene", args=[Scene.objects.get().pk])
    again = client.post(UPLOAD, {**data, "images": [png(name="copy.png")]}, headers=JSON).json()["results"][0]
    assert again["state"] == "duplicate"
    assert again["scene_url"] == first["scene_url"]
    refused = client.post(UPLOAD, {**data, "images": [broken()]}, headers=JSON).json()["results"][0]
    assert refused["state"] == "failed"
    assert "broken.png" in refused["reason"]
    assert Scene.objects.count() == 1


def test_missing_files_and_foreign_collections_are_named_by_field(owner, collection):
    make_collection("of-another", visibility=Visibility.ALL_USERS)
    client = client_of(owner)
    data = {"collection": "of-another", "batch": str(uuid4())}
    answer = client.post(UPLOAD, {**data, "images": [png()]}, headers=JSON)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["collection"]
    plain = client.post(UPLOAD, {**data, "collection": "bay"})
    assert plain.status_code == 400
    assert "Choose at least one file." in plain.content.decode()
    assert not IngestJob.objects.exists()


def test_a_file_beyond_the_limit_is_named_with_its_size_and_stops_no_other(owner, collection, settings):
    settings.UPLOAD_MAX_BYTES = 100 * 1024
    large = SimpleUploadedFile("large.png", bytes(300 * 1024), "image/png")
    client_of(owner).post(UPLOAD, {"collection": "bay", "batch": uuid4(), "images": [large, png(1, "one.png")]})
    jobs = {job.source_name: job for job in IngestJob.objects.all()}
    assert jobs["one.png"].state == "queued"
    reason = jobs["large.png"].reason.replace("\xa0", " ")
    assert "300.0 KB" in reason and "100.0 KB" in reason


def test_what_is_beyond_the_limit_does_not_fill_the_disk(settings):
    settings.UPLOAD_MAX_BYTES = 100_000
    handler = LimitedFileUploadHandler()
    handler.new_file("images", "large.tif", "image/tiff", None)
    for number in range(160):
        handler.receive_data_chunk(b"x" * handler.chunk_size, number * handler.chunk_size)
    file = handler.file_complete(160 * handler.chunk_size)
    kept = os.stat(file.temporary_file_path())
    assert kept.st_size == file.size == 160 * handler.chunk_size
    assert kept.st_blocks * 512 < 4 * handler.chunk_size
    file.close()


def test_an_upload_needs_the_csrf_token(owner, collection):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner)
    data = {"collection": "bay", "batch": str(uuid4())}
    assert client.post(UPLOAD, {**data, "images": [png()]}).status_code == 403
    client.get(UPLOAD)
    token = client.cookies["csrftoken"].value
    sent = client.post(UPLOAD, {**data, "images": [png()], "csrfmiddlewaretoken": token}, headers=JSON)
    assert sent.json()["results"][0]["state"] == "queued"


def test_anonymous_visitors_upload_nothing(client, collection):
    response = client.post(UPLOAD, {"collection": "bay", "batch": str(uuid4()), "images": [png()]})
    assert response["Location"].startswith(reverse("login"))
    assert not IngestJob.objects.exists()
