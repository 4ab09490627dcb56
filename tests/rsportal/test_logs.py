"""Log lines: one JSON object each, with the ids that tie them together, and without secrets."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from django.core.cache import cache
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

import rsportal.urls
from rsportal.accounts import services
from rsportal.logs import job_logging, logging_config
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.rsportal.test_logs")]
log = structlog.get_logger("tests.logs")


def crash(request: HttpRequest) -> HttpResponse:
    log.info("about_to_crash")
    raise RuntimeError("the crash of the test")


def no_database(request: HttpRequest) -> HttpResponse:
    raise OperationalError("connection refused")


urlpatterns = [*rsportal.urls.urlpatterns, path("crash/", crash), path("no-database/", no_database)]
handler500 = rsportal.urls.handler500


class Lines:
    """What the production configuration writes."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.all() if line["event"] == event]


@pytest.fixture
def lines() -> Iterator[Lines]:
    written = Lines()
    config = logging_config(level="INFO", json=True)
    config["handlers"]["stderr"]["stream"] = written.stream
    logging.config.dictConfig(config)
    yield written
    logging.config.dictConfig(logging_config(level="INFO", json=False))


@pytest.fixture
def browser() -> Client:
    cache.clear()
    return Client(raise_request_exception=False)


def test_every_line_of_a_request_carries_its_id_and_the_account(lines, browser):
    ann = make_user("ann")
    browser.force_login(ann)
    response = browser.get("/crash/")
    assert response.status_code == 500
    request_id = response["X-Request-ID"]
    UUID(request_id)
    assert request_id.encode() in response.content, "the page names the number to tell the operators"
    own = [line for line in lines.all() if line.get("request_id") == request_id]
    assert [line["event"] for line in own] == ["about_to_crash", "request_failed", "request_finished"]
    assert {line["user_id"] for line in own} == {ann.pk}
    failed, finished = own[1:]
    assert "the crash of the test" in failed["exception"]
    assert (finished["status"], finished["method"], finished["path"]) == (500, "GET", "/crash/")
    assert finished["level"] == "error"
    assert finished["ms"] >= 0
    assert finished["ip"] == "127.0.0.1"


def test_a_request_with_a_token_is_named_too(lines):
    ann = make_user("ann")
    _token, plain = services.token_create(user=ann, name="script", days=1)
    Client().get("/api/v1/me/", headers={"authorization": f"Token {plain}"})
    (finished,) = lines.of("request_finished")
    assert finished["user_id"] == ann.pk
    assert plain not in lines.stream.getvalue()


def test_ids_do_not_leak_into_the_next_request(lines, browser):
    browser.force_login(make_user("ann"))
    browser.get("/accounts/profile/")
    Client().get("/accounts/login/")
    first, second = lines.of("request_finished")
    assert first["request_id"] != second["request_id"]
    assert "user_id" not in second
    assert not structlog.contextvars.get_contextvars()


@pytest.mark.parametrize(("proxies", "sent", "kept"), [(0, "a" * 20, False), (1, "a" * 20, True), (1, "x\ny", False)])
def test_only_a_proxys_request_id_is_taken_over(lines, settings, proxies, sent, kept):
    settings.PROXY_COUNT = proxies
    response = Client().get("/accounts/login/", headers={"x-request-id": sent})
    assert (response["X-Request-ID"] == sent) is kept


def test_neither_search_words_nor_addresses_nor_secrets_are_written(lines, browser):
    ann = make_user("ann", password="old harbour 1911", email="ann@example.org")
    browser.post("/accounts/login/", {"username": "ann@example.org", "password": "a wrong secret"})
    browser.post("/accounts/reset/", {"email": "ann@example.org"})
    browser.get("/accounts/reset/MQ/c8x-token-of-a-mail/")
    browser.force_login(ann)
    browser.get("/accounts/profile/?q=flooded+rice+fields")
    browser.get("/open/signed.token.of.a.hit/")
    browser.get("/nowhere/?q=flooded+rice+fields")
    browser.post("/accounts/tokens/", {"token-name": "script", "token-days": 30})
    text = lines.stream.getvalue()
    assert len(lines.of("request_finished")) == 7
    for secret in ("example.org", "wrong secret", "rice", "token-of-a-mail", "signed.token", "rsp_"):
        assert secret not in text, secret


def test_failed_and_paused_logins_are_written_with_account_and_address(lines, settings):
    settings.AXES_FAILURE_LIMIT = 2
    ann = make_user("ann")
    for _ in range(2):
        Client().post("/accounts/login/", {"username": "ANN", "password": "nope"}, REMOTE_ADDR="203.0.113.7")
    assert [(line["ip"], line["account_id"]) for line in lines.of("login_failed")] == [("203.0.113.7", ann.pk)] * 2
    (locked,) = lines.of("login_locked")
    assert (locked["level"], locked["account_id"]) == ("warning", ann.pk)


def test_a_database_that_is_down_gets_a_page_that_says_so(lines, browser):
    browser.force_login(make_user("ann"))
    response = browser.get("/no-database/")
    assert (response.status_code, response["Retry-After"]) == (503, "30")
    assert b"The database does not answer" in response.content


def test_health_checks_and_static_files_make_no_noise(lines):
    Client().get("/healthz")
    Client().get("/static/nothing.css")
    assert lines.all() == []


def test_a_jobs_lines_carry_its_id_only_inside(lines):
    job = uuid4()
    with job_logging(job):
        log.info("tiled", tiles=4)
        logging.getLogger("some.library").warning("plain %s", "words")
    log.info("after")
    tiled, plain, after = lines.all()
    assert tiled["job_id"] == plain["job_id"] == str(job)
    assert (tiled["tiles"], tiled["logger"], tiled["level"]) == (4, "tests.logs", "info")
    assert plain["event"] == "plain words"
    assert "job_id" not in after
    assert after["timestamp"].endswith("Z")


def test_keys_that_name_secrets_are_emptied(lines):
    log.info("careless", token="abc", email="ann@example.org", text="rice fields", Password="x")
    logging.getLogger("some.library").warning("careless", extra={"token": "abc"})
    for line in lines.all():
        assert set(line) & {"token", "email", "text", "Password"}
        assert {line[key] for key in ("token", "email", "text", "Password") if key in line} == {"[removed]"}


def test_libraries_are_quiet_and_crashes_in_jobs_keep_their_traceback(lines):
    logging.getLogger("django-q").info("Process-1 processing something")
    logging.getLogger("django.server").info('"GET /?q=rice HTTP/1.1" 200')
    assert lines.all() == []
    try:
        raise ValueError("truncated file")
    except ValueError:
        log.exception("job_failed")
    (line,) = lines.all()
    assert "ValueError: truncated file" in line["exception"]


def test_the_readable_form_writes_one_line_an_event():
    stream = io.StringIO()
    config = logging_config(level="INFO", json=False)
    config["handlers"]["stderr"]["stream"] = stream
    logging.config.dictConfig(config)
    try:
        log.info("tiled", tiles=4)
    finally:
        logging.config.dictConfig(logging_config(level="INFO", json=False))
    assert "tiled" in stream.getvalue()
    assert "tiles=4" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1
