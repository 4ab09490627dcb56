"""Every error of the API is a problem document, whoever asks and whatever went wrong."""

import logging

import pytest
from django.core.cache import cache
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIRequestFactory
from rest_framework.throttling import SimpleRateThrottle

from rsportal.api.problems import PROBLEM_TYPE, problem_details
from rsportal.errors import Conflict, InvalidInput, NotAllowed, RsportalError, Unavailable
from tests.api import SchemaClient, check_problem
from tests.factories import make_user

pytestmark = pytest.mark.django_db
NO_ID = "00000000-0000-4000-8000-000000000000"
ADDRESSES = [
    "/api/v1/",
    "/api/v1/collections/",
    "/api/v1/collections/any/",
    "/api/v1/scenes/",
    f"/api/v1/scenes/{NO_ID}/",
    f"/api/v1/scenes/{NO_ID}/assets/thumbnail/",
    "/api/v1/jobs/",
    f"/api/v1/jobs/{NO_ID}/",
    "/api/v1/search/?text=river",
    "/api/v1/me/",
    "/api/v1/me/history/",
    "/api/v1/schema/",
    "/api/v1/nowhere/",
]


@pytest.fixture(autouse=True)
def _fresh_throttles():
    cache.clear()


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_anonymous_visitor_gets_401_as_a_problem_and_no_redirect(address):
    response = SchemaClient().get(address)
    check_problem(response, 401, code="not_authenticated")
    assert response.headers["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("header", ["Token", "Token a b", "Token nonsense", "Token \xff\xfe", "Token " + "0" * 500])
def test_a_wrong_token_gets_401(header):
    client = SchemaClient()
    client.credentials(HTTP_AUTHORIZATION=header)
    check_problem(client.get("/api/v1/me/"), 401, code="authentication_failed")


def test_the_token_of_a_disabled_account_gets_401():
    user = make_user()
    client = SchemaClient(user)
    assert client.get("/api/v1/me/").status_code == 200
    user.is_active = False
    user.save(update_fields=["is_active"])
    check_problem(client.get("/api/v1/me/"), 401)


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_an_address_that_leads_nowhere_is_a_404_problem(method):
    body = check_problem(getattr(SchemaClient(make_user()), method)("/api/v1/nowhere/"), 404, code="not_found")
    assert body["instance"] == "/api/v1/nowhere/"


def test_a_missing_slash_is_forgiven_when_reading_and_explained_when_writing():
    client = SchemaClient(make_user())
    answer = Client().get("/api/v1/scenes?limit=3")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/api/v1/scenes/?limit=3")
    body = check_problem(client.post("/api/v1/events", {"token": "x", "kind": "like"}), 404)
    assert "/api/v1/events/" in body["detail"]


def test_a_wrong_method_is_a_405_problem():
    client = SchemaClient(make_user())
    response = client.generic("PUT", "/api/v1/events/", "{}", content_type="application/json")
    check_problem(response, 405, code="method_not_allowed")
    assert "POST" in response.headers["Allow"]


def test_a_body_of_another_type_is_a_415_problem():
    client = SchemaClient(make_user())
    check_problem(client.generic("POST", "/api/v1/events/", "<a/>", content_type="application/xml"), 415)
    check_problem(client.post("/api/v1/scenes/", {"file": "x"}, format="json"), 415)


def test_garbled_json_is_a_400_problem():
    client = SchemaClient(make_user())
    response = client.generic("POST", "/api/v1/events/", '{"token":', content_type="application/json")
    check_problem(response, 400, code="parse_error")


def test_a_bottomless_or_endless_body_is_refused(settings):
    client = SchemaClient(make_user())
    deep = client.generic("POST", "/api/v1/search/", "[" * 100_000, content_type="application/json")
    check_problem(deep, 400, code="parse_error")
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    long = client.generic("POST", "/api/v1/search/", " " * 1001, content_type="application/json")
    check_problem(long, 413, code="too_large")


def test_an_answer_other_than_json_is_a_406_problem():
    check_problem(SchemaClient(make_user()).get("/api/v1/me/", HTTP_ACCEPT="text/csv"), 406, code="not_acceptable")


def test_wrong_fields_are_named_with_a_code_each():
    response = SchemaClient(make_user()).post("/api/v1/events/", {"kind": "love"})
    body = check_problem(response, 400, code="invalid")
    assert {(error["field"], error["code"]) for error in body["errors"]} == {
        ("token", "required"),
        ("kind", "invalid_choice"),
    }
    assert "token:" in body["detail"]


def test_a_wrong_item_of_a_list_is_named_by_its_place():
    response = SchemaClient(make_user()).post("/api/v1/search/", {"text": "x", "collections": ["a", {"b": 1}]})
    check_problem(response, 400, field="collections.1")


def test_a_session_without_its_csrf_token_is_a_403_problem():
    client = SchemaClient(enforce_csrf_checks=True)
    client.force_login(make_user())
    assert client.get("/api/v1/me/").status_code == 200
    check_problem(client.post("/api/v1/events/", {"token": "x", "kind": "like"}), 403, code="permission_denied")


def test_too_many_requests_are_a_429_problem_that_says_how_long_to_wait(monkeypatch):
    rates = {**SimpleRateThrottle.THROTTLE_RATES, "events": "2/min"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
    client, other = SchemaClient(make_user()), SchemaClient(make_user())
    for _attempt in range(2):
        check_problem(client.post("/api/v1/events/", {}), 400)
    response = client.post("/api/v1/events/", {})
    check_problem(response, 429, code="throttled")
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    # The rate is one person's in one scope: everything else still answers.
    check_problem(other.post("/api/v1/events/", {}), 400)
    assert client.get("/api/v1/me/").status_code == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("No such day.", field="start"), 400),
        (NotAllowed("Only its owner may."), 403),
        (Conflict("It still holds scenes."), 409),
        (Unavailable("No encoder is active."), 503),
        (RsportalError("Something expected."), 400),
        (OperationalError("password of the database: hunter2"), 503),
        (RequestDataTooBig("5 MB"), 413),
        (ValidationError({"slug": [ValidationError("Taken.", code="unique")]}), 400),
    ],
)
def test_expected_failures_keep_their_status(error, status):
    response = problem_details(error, {"request": APIRequestFactory().get("/api/v1/x/")})
    assert (response.status_code, response.data["status"]) == (status, status)
    assert response.data["instance"] == "/api/v1/x/"
    assert response.content_type == PROBLEM_TYPE
    assert "hunter2" not in str(response.data)
    assert ("Retry-After" in response.headers) == (status == 503)


def test_a_field_of_an_expected_failure_is_named():
    error = InvalidInput("No such day.", field="start", code="no_day")
    response = problem_details(error, {"request": APIRequestFactory().get("/")})
    assert response.data["errors"] == [{"field": "start", "code": "no_day", "detail": "No such day."}]
    assert response.data["type"] == "urn:rsportal:problem:no_day"


def test_codes_of_a_models_validation_are_kept():
    error = ValidationError({"slug": [ValidationError("Taken.", code="unique")]})
    response = problem_details(error, {"request": APIRequestFactory().get("/")})
    assert response.data["errors"] == [{"field": "slug", "code": "unique", "detail": "Taken."}]


def test_an_unexpected_failure_tells_nothing_and_is_logged(caplog):
    with caplog.at_level(logging.ERROR):
        response = problem_details(RuntimeError("/srv/secret.key"), {"request": APIRequestFactory().get("/api/v1/me/")})
    assert response.status_code == 500
    assert "secret" not in str(response.data)
    assert any("/srv/secret.key" in str(record.exc_info) for record in caplog.records)
