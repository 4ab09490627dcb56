"""Uploads and their jobs over the API."""

import json
import uuid

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django_q.models import OrmQ

from imagery.models import Asset, IngestJob, Scene
from imagery.models.collection import Visibility
from tests.api import SchemaClient, check_problem
from tests.factories import make_collection, make_scene, make_user, picture

pytestmark = pytest.mark.django_db
SCENES, JOBS = "/api/v1/scenes/", "/api/v1/jobs/"


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


def send(client: SchemaClient, content: bytes, name: str = "field.png", collection: str = "mine", **fields):
    """Upload a file as programs do."""
    file = SimpleUploadedFile(name, content, content_type="application/octet-stream")
    return client.post(SCENES, {"file": file, "collection": collection, **fields}, format="multipart")


def test_an_upload_is_queued_and_its_job_can_be_followed(django_capture_on_commit_callbacks, media_folder):
    make_collection("mine", owner=(ada := make_user()))
    client = SchemaClient(ada)
    response = send(
        client,
        picture(1),
        title="A field",
        properties=json.dumps({"platform": "drone", "eo:cloud_cover": 5, "operator": "Ada"}),
    )
    assert response.status_code == 202
    job = response.json()
    assert (job["state"], job["collection"], job["finished"], job["source_name"]) == (
        "queued",
        "mine",
        False,
        "field.png",
    )
    assert response.headers["Location"] == job["links"]["self"]
    assert client.get(job["links"]["self"]).json() == job
    scene = client.get(job["links"]["scene"]).json()
    assert (scene["title"], scene["platform"], scene["eo:cloud_cover"]) == ("A field", "drone", 5)
    assert (scene["status"], scene["properties"]) == ("pending", {"operator": "Ada"})
    assert OrmQ.objects.count() == 1
    original = client.get(scene["assets"]["data"]["href"])
    assert b"".join(original.streaming_content) == picture(1)
    with django_capture_on_commit_callbacks(execute=True):
        assert client.delete(job["links"]["scene"]).status_code == 204
    assert not [path for path in media_folder.rglob("*") if path.is_file()]


def test_a_large_file_goes_the_same_way(settings):
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 100
    make_collection("mine", owner=(ada := make_user()))
    assert send(SchemaClient(ada), picture(2, size=256)).status_code == 202
    assert Asset.objects.get().size == len(picture(2, size=256))


def test_known_bytes_lead_to_the_scene():
    make_collection("mine", owner=(ada := make_user()))
    client = SchemaClient(ada)
    first = send(client, picture(3)).json()
    again = send(client, picture(3), name="other.png")
    assert again.status_code == 200
    assert (again.json()["state"], again.json()["scene"]) == ("duplicate", first["scene"])
    assert again.headers["Location"] == first["links"]["scene"]
    assert Scene.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.png", b""),
        ("words.png", b"these are words, not a picture"),
        ("cut.png", picture(4)[:100]),
        ("liar.tif", picture(4)),
        ("script.svg", b"<svg/>"),
    ],
)
def test_a_refused_file_is_named_with_the_reason_and_nothing_is_kept(name, content, media_folder):
    make_collection("mine", owner=(ada := make_user()))
    client = SchemaClient(ada)
    body = check_problem(send(client, content, name=name), 400, field="file", code="refused")
    assert name in body["detail"]
    assert client.get(body["job"]).json()["reason"] == body["detail"]
    assert Scene.objects.count() == 0
    assert not [path for path in media_folder.rglob("*") if path.is_file()]


def test_an_upload_beyond_the_limit_is_refused_before_it_is_read(settings):
    settings.UPLOAD_MAX_BYTES = 1024 * 1024
    make_collection("mine", owner=(ada := make_user()))
    body = check_problem(send(SchemaClient(ada), bytes(3 * 1024 * 1024)), 413, code="too_large")
    assert "1 MiB" in body["detail"]
    assert IngestJob.objects.count() == 0


@pytest.mark.parametrize("properties", ["[1]", "nonsense", '"text"', r'{"a": "\u0000"}', r'{"a": "\ud800"}', "NaN"])
def test_properties_that_are_no_json_object_are_refused(properties):
    make_collection("mine", owner=(ada := make_user()))
    check_problem(send(SchemaClient(ada), picture(5), properties=properties), 400, field="properties")
    assert IngestJob.objects.count() == 0


def test_a_wrong_property_is_named():
    make_collection("mine", owner=(ada := make_user()))
    response = send(SchemaClient(ada), picture(5), properties='{"datetime": "yesterday"}')
    check_problem(response, 400, field="properties.datetime")
    assert IngestJob.objects.count() == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("datetime", '"9999-12-31T23:59:59-12:00"'),  # The year 10000 in UTC: stored, it could not be read back.
        ("start_datetime", '"0001-01-01T00:00:00+12:00"'),
        ("gsd", "1" + "0" * 400),
    ],
)
def test_a_value_beyond_what_can_be_kept_is_named(name, value):
    make_collection("mine", owner=(ada := make_user()))
    response = send(SchemaClient(ada), picture(5), properties=f'{{"{name}": {value}}}')
    check_problem(response, 400, field=f"properties.{name}")
    assert Scene.objects.count() == 0


def test_missing_fields_and_unknown_collections_are_named():
    make_collection("secret", owner=make_user())
    client = SchemaClient(make_user())
    check_problem(client.post(SCENES, {}, format="multipart"), 400, field="file")
    check_problem(send(client, picture(6), collection="unknown"), 400, field="collection")
    check_problem(send(client, picture(6), collection="secret"), 400, field="collection")


def test_a_viewer_may_not_add():
    bob = make_user()
    make_collection("mine", owner=make_user(), visibility=Visibility.MEMBERS, viewers=[bob])
    check_problem(send(SchemaClient(bob), picture(7)), 403, code="not_allowed")
    assert IngestJob.objects.count() == 0


def test_an_editor_may_add():
    cyd = make_user()
    make_collection("mine", owner=make_user(), visibility=Visibility.MEMBERS, editors=[cyd])
    assert send(SchemaClient(cyd), picture(7)).status_code == 202


def test_jobs_are_listed_filtered_and_paged():
    make_collection("mine", owner=(ada := make_user()))
    client, batch = SchemaClient(ada), str(uuid.uuid4())
    for number in range(3):
        assert send(client, picture(number), batch=batch).status_code == 202
    check_problem(send(client, b"words"), 400)
    assert len(client.get(JOBS).json()["results"]) == 4
    assert len(client.get(JOBS, {"batch": batch}).json()["results"]) == 3
    assert len(client.get(JOBS, {"state": "failed"}).json()["results"]) == 1
    assert len(client.get(JOBS, {"state": "unfinished"}).json()["results"]) == 3
    first = client.get(JOBS, {"limit": 3}).json()
    second = client.get(first["next"]).json()
    ids = [row["id"] for row in first["results"] + second["results"]]
    assert len(set(ids)) == 4 and second["next"] is None
    check_problem(client.get(JOBS, {"batch": "x"}), 400, field="batch")
    check_problem(client.get(JOBS, {"state": "x"}), 400, field="state")


def test_a_job_is_cancelled_once_and_retried_when_it_failed():
    collection = make_collection("mine", owner=(ada := make_user()))
    client = SchemaClient(ada)
    job = send(client, picture(8)).json()
    check_problem(client.post(f"{JOBS}{job['id']}/retry/"), 409, code="conflict")
    cancelled = client.post(job["links"]["cancel"]).json()
    assert (cancelled["state"], cancelled["finished"], cancelled["links"]["cancel"]) == ("cancelled", True, None)
    check_problem(client.post(job["links"]["cancel"]), 409)
    scene = make_scene(collection, status=Scene.Status.FAILED)
    failed = IngestJob.objects.create(
        collection=collection, scene=scene, source_name="x.tif", state="failed", retryable=True, created_by=ada
    )
    address = client.get(f"{JOBS}{failed.pk}/").json()["links"]["retry"]
    assert client.post(address).json()["state"] == "queued"


def test_jobs_of_others_are_unknown():
    collection = make_collection("secret", owner=(ada := make_user()))
    job = IngestJob.objects.create(collection=collection, source_name="x.tif", created_by=ada)
    client = SchemaClient(make_user())
    assert client.get(JOBS).json()["results"] == []
    check_problem(client.get(f"{JOBS}{job.pk}/"), 404)
    check_problem(client.post(f"{JOBS}{job.pk}/cancel/"), 404)
    check_problem(client.post(f"{JOBS}{job.pk}/retry/"), 404)


def test_the_list_of_jobs_asks_the_database_equally_often(django_assert_max_num_queries):
    collection = make_collection("mine", owner=(ada := make_user()))
    for number in range(20):
        IngestJob.objects.create(
            collection=collection, scene=make_scene(collection), source_name=f"{number}.tif", created_by=ada
        )
    client = SchemaClient(ada)
    client.get(JOBS)
    with django_assert_max_num_queries(4):
        assert len(client.get(JOBS).json()["results"]) == 20


def test_uploads_have_a_rate_of_their_own(monkeypatch):
    from rest_framework.throttling import SimpleRateThrottle

    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {**SimpleRateThrottle.THROTTLE_RATES, "upload": "1/min"})
    make_collection("mine", owner=(ada := make_user()))
    client = SchemaClient(ada)
    assert send(client, picture(9)).status_code == 202
    check_problem(send(client, picture(10)), 429, code="throttled")
    assert client.get(SCENES).status_code == 200
