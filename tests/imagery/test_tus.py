"""The tus protocol, request by request."""

from datetime import timedelta
from urllib.parse import unquote

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from imagery.models import Asset, CollectionMember, IngestJob, Scene, Upload
from imagery.services.upload_files import upload_locked, upload_path
from rsportal.accounts.services import token_create
from tests.api import SchemaClient, check_problem
from tests.factories import make_collection, make_user, picture
from tests.tus import OCTETS, TUS, append, begin, checksum, encoded, tus_headers

pytestmark = pytest.mark.django_db
PICTURE = picture(1)


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


@pytest.fixture
def ada():
    user = make_user("ada")
    make_collection("mine", owner=user)
    return user


@pytest.fixture
def client(ada):
    return SchemaClient(ada)


def plain(client):
    """Return the same person with a client that asks for what OpenAPI cannot describe (HEAD, OPTIONS)."""
    return Client(headers={"Authorization": client._credentials["HTTP_AUTHORIZATION"]})


def head(client, url):
    return plain(client).head(url, headers=tus_headers())


def test_an_upload_in_two_parts_becomes_a_scene(client, ada):
    created = begin(client, len(PICTURE), title="A field", properties='{"platform": "drone"}')
    assert created.status_code == 201
    url = created["Location"]
    assert url.startswith(TUS)
    assert (created["Upload-Offset"], created["Tus-Resumable"]) == ("0", "1.0.0")
    assert created["Upload-Expires"].endswith("GMT")
    first = append(client, url, PICTURE[:100])
    assert (first.status_code, first["Upload-Offset"], first["Rsportal-State"]) == (204, "100", "receiving")
    there = head(client, url)
    assert (there.status_code, there["Upload-Offset"], there["Upload-Length"]) == (200, "100", str(len(PICTURE)))
    assert there["Cache-Control"] == "no-store"
    last = append(client, url, PICTURE[100:], 100)
    assert (last.status_code, last["Upload-Offset"], last["Rsportal-State"]) == (204, str(len(PICTURE)), "done")
    upload = client.get(url).json()
    assert (upload["state"], upload["job_state"], upload["filename"]) == ("done", "queued", "field.png")
    assert last["Rsportal-Job"] == upload["job"]
    scene = Scene.objects.get(pk=upload["scene"])
    assert (scene.title, scene.platform, scene.created_by) == ("A field", "drone", ada)
    asset = Asset.objects.get(scene=scene, role=Asset.Role.DATA)
    assert (asset.filename, asset.size) == ("field.png", len(PICTURE))
    assert not upload_path(upload["id"]).exists()
    assert head(client, url)["Upload-Offset"] == str(len(PICTURE))


def test_the_first_bytes_may_come_with_the_creation(client):
    metadata = encoded({"filename": "field.png", "collection": "mine"})
    headers = tus_headers(Upload_Length=str(len(PICTURE)), Upload_Metadata=metadata)
    created = client.generic("POST", TUS, PICTURE[:50], content_type=OCTETS, headers=headers)
    assert (created.status_code, created["Upload-Offset"]) == (201, "50")
    whole = client.generic("POST", TUS, PICTURE, content_type=OCTETS, headers=headers)
    assert (whole["Upload-Offset"], whole["Rsportal-State"]) == (str(len(PICTURE)), "done")
    wrong = client.generic("POST", TUS, PICTURE, content_type="image/png", headers=headers)
    check_problem(wrong, 415)


def test_what_the_server_can_is_told(client):
    options = plain(client).options(TUS)
    assert options.status_code == 204
    assert options["Tus-Version"] == "1.0.0"
    assert set(options["Tus-Extension"].split(",")) == {
        "creation", "creation-with-upload", "checksum", "expiration", "termination",
    }  # fmt: skip
    assert options["Tus-Checksum-Algorithm"] == "sha1,sha256"
    assert int(options["Tus-Max-Size"]) > 0


def test_another_version_of_the_protocol_is_refused(client):
    url = begin(client, 10)["Location"]
    for headers in ({}, {"Tus-Resumable": "0.2.2"}):
        answer = client.generic("PATCH", url, b"x", content_type=OCTETS, headers={**headers, "Upload-Offset": "0"})
        check_problem(answer, 412)
        assert answer["Tus-Version"] == "1.0.0"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_damaged_bytes_are_refused_and_none_is_kept(client, algorithm):
    url = begin(client, len(PICTURE))["Location"]
    assert append(client, url, PICTURE[:80], Upload_Checksum=checksum(PICTURE[:80], algorithm)).status_code == 204
    broken = append(client, url, b"\0" * 40, 80, Upload_Checksum=checksum(PICTURE[80:120], algorithm))
    body = check_problem(broken, 460, code="checksum_mismatch")
    assert "damaged" in body["detail"]
    assert head(client, url)["Upload-Offset"] == "80"
    assert upload_path(url.split("/")[-2]).stat().st_size == 80
    rest = append(client, url, PICTURE[80:], 80, Upload_Checksum=checksum(PICTURE[80:], algorithm))
    assert rest["Rsportal-State"] == "done"


@pytest.mark.parametrize("value", ["md5 AAAA", "sha1", "sha1 AAAA", "sha256 !!", ""])
def test_a_checksum_that_says_nothing_is_refused(client, value):
    url = begin(client, 10)["Location"]
    answer = append(client, url, b"0123456789", Upload_Checksum=value or " ")
    check_problem(answer, 400, field="Upload-Checksum")
    assert head(client, url)["Upload-Offset"] == "0"


def test_bytes_that_do_not_follow_are_refused(client):
    url = begin(client, 10)["Location"]
    append(client, url, b"0123")
    for offset in (0, 3, 5):
        check_problem(append(client, url, b"x", offset), 409, code="offset")
    check_problem(append(client, url, b"4567890", 4), 413, code="too_large")
    assert head(client, url)["Upload-Offset"] == "4"


def test_two_requests_cannot_write_to_one_upload(client):
    url = begin(client, 10)["Location"]
    upload = Upload.objects.get()
    with upload_locked(upload.pk):
        answer = append(client, url, b"0123")
        check_problem(answer, 423, code="locked")
        assert answer["Retry-After"] == "1"
        check_problem(client.delete(url, headers=tus_headers()), 423)
    assert append(client, url, b"0123").status_code == 204


def test_an_upload_can_be_given_up(client):
    url = begin(client, 10)["Location"]
    append(client, url, b"0123")
    path = upload_path(Upload.objects.get().pk)
    assert path.exists()
    assert client.delete(url, headers=tus_headers()).status_code == 204
    assert not path.exists()
    assert head(client, url).status_code == 404
    check_problem(append(client, url, b"4", 4), 404)


def test_a_client_without_patch_and_delete_names_them_in_a_header(client):
    url = begin(client, 10)["Location"]
    headers = tus_headers(Upload_Offset="0", X_HTTP_Method_Override="PATCH")
    answer = plain(client).generic("POST", url, b"0123", content_type=OCTETS, headers=headers)
    assert (answer.status_code, answer["Upload-Offset"]) == (204, "4")
    answer = plain(client).generic("POST", url, b"", headers=tus_headers(X_HTTP_Method_Override="DELETE"))
    assert answer.status_code == 204
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.png", b"", "empty"),
        ("words.png", b"these are words", "not an image"),
        ("liar.tif", PICTURE, "rename it"),
    ],
)
def test_a_refusal_is_told_with_its_reason(client, name, content, reason):
    created = begin(client, len(content), name)
    answer = append(client, created["Location"], content) if content else created
    assert answer["Rsportal-State"] == "failed"
    assert name in unquote(answer["Rsportal-Reason"]) and reason in unquote(answer["Rsportal-Reason"])
    upload = client.get(created["Location"]).json()
    assert (upload["state"], upload["job_state"], upload["scene"]) == ("failed", "failed", None)
    assert upload["reason"] == IngestJob.objects.get().reason == unquote(answer["Rsportal-Reason"])
    assert not Scene.objects.exists()


def test_known_bytes_lead_to_their_scene(client):
    first, second = begin(client, len(PICTURE)), begin(client, len(PICTURE), "copy.png")
    append(client, first["Location"], PICTURE)
    append(client, second["Location"], PICTURE)
    upload = client.get(second["Location"]).json()
    assert (upload["state"], upload["job_state"]) == ("done", "duplicate")
    assert upload["scene"] == client.get(first["Location"]).json()["scene"]


def test_a_file_beyond_the_limit_is_refused_at_the_beginning(client, settings):
    settings.UPLOAD_MAX_BYTES = 1000
    body = check_problem(begin(client, 1001, "large.tif"), 413, code="too_large")
    assert "large.tif" in body["detail"]
    assert not Upload.objects.exists()


def test_the_quota_counts_unfinished_uploads_and_those_of_the_day(client, ada, settings):
    settings.UPLOAD_QUOTA_BYTES = 1000
    url = begin(client, 600)["Location"]
    body = check_problem(begin(client, 500), 413, code="quota")
    assert "600" in body["detail"]
    client.delete(url, headers=tus_headers())
    url = begin(client, 600)["Location"]
    append(client, url, b"w" * 600)
    assert Upload.objects.get().state == Upload.State.FAILED
    check_problem(begin(client, 500), 413, code="quota")
    Upload.objects.update(finished_at=timezone.now() - timedelta(hours=25))
    assert begin(client, 500).status_code == 201
    make_collection("other", owner=(bob := make_user()))
    assert begin(SchemaClient(bob), 900, collection="other").status_code == 201


def test_uploads_of_others_are_unknown(client):
    url = begin(client, 10)["Location"]
    other = SchemaClient(make_user())
    assert head(other, url).status_code == 404
    check_problem(append(other, url, b"x"), 404)
    check_problem(other.delete(url, headers=tus_headers()), 404)
    check_problem(other.get(url), 404)
    assert other.get(TUS).json()["results"] == []
    assert len(client.get(TUS, {"unfinished": "true"}).json()["results"]) == 1


def test_one_needs_the_right_to_add(client, ada):
    collection = make_collection("shared", visibility="members", editors=[ada])
    make_collection("secret")
    check_problem(begin(client, 10, collection="secret"), 400, field="collection")
    url = begin(client, len(PICTURE), collection="shared")["Location"]
    append(client, url, PICTURE[:10])
    CollectionMember.objects.filter(collection=collection).delete()
    check_problem(append(client, url, PICTURE[10:], 10), 403)
    assert not Scene.objects.exists()


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ("", "filename"),
        ("filename", "filename"),
        ("filename !!!", "filename"),
        ("filename " + "/w==", "filename"),
        (encoded({"filename": "a.png"}), "collection"),
        (encoded({"filename": "..", "collection": "mine"}), "filename"),
        (encoded({"filename": "a\0.png", "collection": "mine"}), "filename"),
        (encoded({"filename": "x" * 301, "collection": "mine"}), "filename"),
        (encoded({"filename": "a.png", "collection": "mine"}) + ",filename YQ==", "filename"),
        (encoded({"filename": "a.png", "collection": "mine", "colour": "red"}), "colour"),
        (encoded({"filename": "a.png", "collection": "mine", "properties": "[1]"}), "properties"),
        (encoded({"filename": "a.png", "collection": "mine", "properties": '{"a": "\\u0000"}'}), "properties"),
        (encoded({"filename": "a.png", "collection": "mine", "properties": '{"gsd": -1}'}), "gsd"),
        (encoded({"filename": "a.png", "collection": "mine", "batch": "7"}), "batch"),
        (encoded({"filename": "a.png", "collection": "mine", "groupSize": "2"}), "group"),
        (encoded({"filename": "a.png", "collection": "mine", "groupSize": "-1"}), "groupSize"),
        ("ключ YQ==", "Upload-Metadata"),
    ],
)
def test_metadata_that_cannot_be_used_is_named(client, metadata, field):
    headers = tus_headers(Upload_Length="10", Upload_Metadata=metadata.encode().decode("latin-1"))
    check_problem(client.generic("POST", TUS, b"", content_type="", headers=headers), 400, field=field)
    assert not Upload.objects.exists()


@pytest.mark.parametrize("length", [None, "-1", "ten", "1.5", "9" * 30])
def test_a_length_that_is_none_is_refused(client, length):
    headers = tus_headers(Upload_Metadata=encoded({"filename": "a.png", "collection": "mine"}))
    headers |= {"Upload-Length": length} if length else {}
    check_problem(client.generic("POST", TUS, b"", content_type="", headers=headers), 400, field="Upload-Length")


def test_the_page_needs_a_session_and_its_csrf_token(ada):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    assert begin(browser, 10, url="/uploads/tus/").status_code == 403
    browser.get("/upload/")
    token = {"X-CSRFToken": browser.cookies["csrftoken"].value}
    metadata = encoded({"filename": "field.png", "collection": "mine"})
    headers = {**tus_headers(Upload_Length=str(len(PICTURE)), Upload_Metadata=metadata), **token}
    created = browser.generic("POST", "/uploads/tus/", b"", content_type="", headers=headers)
    assert created.status_code == 201
    url = created["Location"]
    assert url.startswith("/uploads/tus/")
    assert append(browser, url, PICTURE).status_code == 403
    sent = append(browser, url, PICTURE, X_CSRFToken=token["X-CSRFToken"])
    assert sent["Rsportal-State"] == "done"
    assert browser.delete(url, headers=tus_headers()).status_code == 403
    whole = browser.generic("POST", "/uploads/tus/", PICTURE, content_type=OCTETS, headers=headers)
    assert (whole.status_code, whole["Rsportal-State"]) == (201, "done")


def test_programs_may_use_the_page_s_address_with_a_token(ada):
    _row, token = token_create(user=ada, name="t", days=1)
    program = Client(headers={"Authorization": f"Token {token}"}, enforce_csrf_checks=True)
    assert begin(program, 10, url="/uploads/tus/").status_code == 201
    assert begin(Client(), 10, url="/uploads/tus/").status_code == 401
    assert begin(Client(), 10).status_code == 401
