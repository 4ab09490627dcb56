"""The upload page: one plain form, which a script replaces by resumable uploads (``test_tus.py``, ``tests/e2e``)."""

import io
import json
import os
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from imagery.models import Asset, IngestJob, Upload
from imagery.models.collection import Visibility
from imagery.services import upload_intake
from imagery.services.uploads import upload_append, upload_create
from imagery.tasks import take_in_uploads
from imagery.upload_handlers import LimitedFileUploadHandler
from tests.factories import make_collection, make_user, picture
from tests.imagery.zips import zip_of
from tests.images import geotiff, gradient
from tests.pages import client_of, page

pytestmark = pytest.mark.django_db
UPLOAD = "/upload/"


@pytest.fixture
def owner():
    return make_user("ana")


@pytest.fixture
def collection(owner):
    return make_collection("bay", owner=owner)


def png(number=1, name="harbour.png"):
    return SimpleUploadedFile(name, picture(number), "image/png")


def band_file(folder: Path, name: str) -> SimpleUploadedFile:
    path = geotiff(folder / name, np.moveaxis(gradient(), -1, 0)[:1])
    return SimpleUploadedFile(name, path.read_bytes(), "image/tiff")


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


def test_missing_files_and_foreign_collections_are_named_by_field(owner, collection):
    make_collection("of-another", visibility=Visibility.ALL_USERS)
    client = client_of(owner)
    foreign = client.post(UPLOAD, {"collection": "of-another", "batch": str(uuid4()), "images": [png()]})
    assert foreign.status_code == 400
    assert "not one of the available choices" in foreign.content.decode()
    empty = client.post(UPLOAD, {"collection": "bay", "batch": str(uuid4())})
    assert empty.status_code == 400
    assert "Choose at least one file." in empty.content.decode()
    assert not IngestJob.objects.exists() and not Upload.objects.exists()


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
    assert client.post(UPLOAD, {**data, "images": [png()], "csrfmiddlewaretoken": token}).status_code == 302
    assert IngestJob.objects.get().state == "queued"


def test_anonymous_visitors_upload_nothing(client, collection):
    response = client.post(UPLOAD, {"collection": "bay", "batch": str(uuid4()), "images": [png()]})
    assert response["Location"].startswith(reverse("login"))
    assert not IngestJob.objects.exists()


def test_bands_and_sidecars_of_one_form_make_one_scene(owner, collection, tmp_path):
    files = [band_file(tmp_path, f"S2A_T32_B0{number}.tif") for number in (4, 3, 2)]
    client_of(owner).post(UPLOAD, {"collection": "bay", "batch": uuid4(), "images": [*files, png(3, "alone.png")]})
    assert sorted(IngestJob.objects.values_list("source_name", "state")) == [
        ("S2A_T32", "queued"), ("alone.png", "queued"),
    ]  # fmt: skip
    assert Asset.objects.filter(scene__title="S2A_T32", role=Asset.Role.DATA).count() == 3
    assert not Upload.objects.filter(finished_at=None).exists()


def test_the_quota_refuses_what_is_beyond_it_by_name(owner, collection, settings):
    settings.UPLOAD_QUOTA_BYTES = len(picture(1)) + 10
    client_of(owner).post(UPLOAD, {"collection": "bay", "batch": uuid4(), "images": [png(1, "one.png"), png(2)]})
    jobs = {job.source_name: job for job in IngestJob.objects.all()}
    assert jobs["one.png"].state == "queued"
    assert jobs["harbour.png"].state == "failed" and "more than you may upload" in jobs["harbour.png"].reason


def test_a_large_archive_of_a_form_is_followed_while_a_worker_unpacks_it(owner, collection, tmp_path, monkeypatch):
    monkeypatch.setattr(upload_intake, "ZIP_AT_ONCE_BYTES", 10)
    content = zip_of(tmp_path / "trip.zip", {"a.png": picture(1), "b.png": picture(2)}).read_bytes()
    client = client_of(owner)
    sent = {"collection": "bay", "batch": uuid4(), "images": [SimpleUploadedFile("trip.zip", content)]}
    address = client.post(UPLOAD, sent)["Location"]
    html = page(client, address)
    assert "trip.zip" in html and "a worker takes it in soon" in html and "hx-get" in html
    assert "trip.zip" not in page(client_of(make_user()), address)
    Upload.objects.update(done=1, total=2)
    assert "1 of 2" in page(client, address)
    take_in_uploads()
    html = page(client, address)
    assert "a.png" in html and "b.png" in html and "takes it in" not in html


def test_unfinished_uploads_are_listed_and_can_be_removed(owner, collection, media_folder):
    upload = upload_create(user=owner, collection=collection, length=1000, filename="half.tif")
    upload_append(upload=upload, stream=io.BytesIO(b"x" * 300), offset=0, most=300)
    client = client_of(owner)
    html = page(client, UPLOAD)
    assert "half.tif" in html and "300" in html
    stranger = client_of(make_user())
    assert stranger.post(f"/upload/{upload.pk}/remove/").status_code == 404
    assert "half.tif" not in page(stranger, UPLOAD)
    assert client.post(f"/upload/{upload.pk}/remove/")["Location"] == UPLOAD
    assert "half.tif" not in page(client, UPLOAD)
    assert not [path for path in media_folder.rglob("*") if path.is_file()]


def test_the_script_is_told_which_files_make_a_scene(owner):
    names = [
        "S2_B04.jp2", "S2_B03.jp2", "S2_B02.jp2", "city.png", "city.pgw", "city.prj", "notes.txt",
        "trip/.DS_Store", "trip/readme.txt", "trip/a.tif", "trip/all.zip",
    ]  # fmt: skip
    answer = client_of(owner).post("/upload/plan/", json.dumps(names), content_type="application/json").json()
    groups = [(group["name"], [names[number] for number in group["files"]]) for group in answer["groups"]]
    assert groups[0] == ("S2", ["S2_B04.jp2", "S2_B03.jp2", "S2_B02.jp2"])
    assert groups[1] == ("city", ["city.png", "city.pgw", "city.prj"])
    assert [name for name, _files in groups[2:]] == ["notes.txt", "a.tif", "all.zip"]
    assert [names[number] for number in answer["left_out"]] == ["trip/.DS_Store", "trip/readme.txt"]
    deep = ["S2_B08.jp2", "S2_B11.jp2", "S2_B12.jp2"]
    infrared = make_collection("infrared", owner=owner, rendering={"bands": ["swir22", "swir16", "nir"]})
    make_collection("hidden", rendering=infrared.rendering)
    for where, scenes in (("", 3), ("?collection=infrared", 1), ("?collection=hidden", 3)):
        found = client_of(owner).post(f"/upload/plan/{where}", json.dumps(deep), content_type="application/json").json()
        assert len(found["groups"]) == scenes
    for wrong in ("{", "{}", "[1]"):
        assert client_of(owner).post("/upload/plan/", wrong, content_type="application/json").status_code == 400
