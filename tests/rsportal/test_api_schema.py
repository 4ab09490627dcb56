"""The API describes itself, and the page to browse it needs neither internet nor inline scripts."""

import re
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from tests.api import SchemaClient, document
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_the_schema_is_valid_and_free_of_warnings():
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=StringIO())


def test_every_operation_has_a_tag_a_summary_and_its_problems():
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["tags"] and operation.get("summary"), where
            assert {"401", "429", "503"} <= set(operation["responses"]), where
            problems = {code: answer for code, answer in operation["responses"].items() if code >= "400"}
            for code, answer in problems.items():
                assert list(answer["content"]) == ["application/problem+json"], f"{where} {code}"
                assert answer["description"], f"{where} {code}"


def test_both_ways_to_show_who_you_are_are_described():
    schemes = document()["components"]["securitySchemes"]
    assert any(scheme.get("name") == "Authorization" or scheme.get("scheme") for scheme in schemes.values())
    assert any(scheme.get("in") == "cookie" for scheme in schemes.values())


def test_the_schema_and_its_page_are_for_those_who_are_logged_in():
    anonymous = Client()
    assert anonymous.get("/api/v1/schema/").status_code == 401
    answer = anonymous.get("/api/v1/docs/")
    assert (answer.status_code, "/accounts/login" in answer.headers["Location"]) == (302, True)
    client = Client()
    client.force_login(make_user())
    schema = client.get("/api/v1/schema/", {"format": "json"})
    assert schema.json()["openapi"].startswith("3.1")
    assert client.get("/api/v1/docs/").status_code == 200


def test_the_page_has_no_inline_code_and_asks_no_other_host():
    client = Client()
    client.force_login(make_user())
    answer = client.get("/api/v1/docs/")
    html = answer.content.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", html) == []
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)
    assert re.findall(r'(?:src|href)="(?:https?:)?//', html) == []
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy


def test_the_root_leads_everywhere():
    client = SchemaClient(make_user())
    addresses = client.get("/api/v1/").json()
    assert set(addresses) >= {"collections", "scenes", "jobs", "search", "events", "me", "history", "docs"}
    for part in ("collections", "scenes", "jobs", "me", "history"):
        assert client.get(addresses[part]).status_code == 200
