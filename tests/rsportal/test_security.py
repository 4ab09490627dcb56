"""What every answer must carry, what a visitor without an account gets, and what no page may contain."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from django.contrib.staticfiles import finders
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, path

import rsportal.urls
from rsportal.accounts.models import User
from rsportal.client_ip import client_ip
from rsportal.errors import Conflict, InvalidInput, NotAllowed, Unavailable
from tests.factories import make_scene, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.rsportal.test_security")]

FAMILIES = {"invalid": InvalidInput, "not-allowed": NotAllowed, "conflict": Conflict, "unavailable": Unavailable}
EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
OPEN = re.compile(
    r"/(healthz|readyz|accounts/(login|reset|reset/sent|signup|language)/?|accounts/reset/x/x/|admin/login/)$"
)


def broken(request: HttpRequest, kind: str) -> HttpResponse:
    if kind == "suspicious":
        raise SuspiciousOperation("the test's")
    raise FAMILIES[kind]("The file harbour.tif is cut off; send it again.")


urlpatterns = [*rsportal.urls.urlpatterns, path("broken/<str:kind>/", broken)]
handler500 = rsportal.urls.handler500


def addresses(patterns=None, prefix: str = "/") -> Iterator[str]:
    """Yield an address for every pattern of the project, with something plausible for each parameter."""
    for pattern in get_resolver(rsportal.urls.__name__).url_patterns if patterns is None else patterns:
        route = str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, prefix + route)
        elif isinstance(pattern, URLPattern):
            yield prefix + fill(route)


def fill(route: str) -> str:
    if route.startswith("^") or "(?P" in route:
        return "nowhere/at-all/"
    route = re.sub(r"<uuid:\w+>", "7d1b6a52-6b7e-4f0f-8a39-0a8f5a2ec001", route)
    route = re.sub(r"<int:\w+>", "1", route)
    return re.sub(r"<(path:|slug:|str:)?\w+>", "x", route)


@pytest.fixture
def boss() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(make_user("boss", superuser=True))
    return client


class Inline(HTMLParser):
    """Collects what the content security policy would block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        data_block = names.get("type") in {"application/json", "application/ld+json"}
        if tag == "style" or (tag == "script" and "src" not in names and not data_block):
            self.found.append(f"<{tag}> inline at {self.getpos()}")
        self.found += [
            f"{tag} {name}={value}"
            for name, value in attrs
            if name.startswith("on") or name == "style" or (value or "").lower().startswith("javascript:")
        ]
        for name in ("src", "href", "action"):
            if re.match(r"(https?:)?//", names.get(name) or "") and (tag != "a"):
                self.found.append(f"{tag} loads {names[name]}")


def inline_parts(response: HttpResponse) -> list[str]:
    parser = Inline()
    parser.feed(response.content.decode())
    return parser.found


def test_every_address_answers_with_every_header_and_nothing_inline(boss):
    seen = 0
    for address in sorted(set(addresses())):
        response = boss.get(address)
        assert response.status_code < 500 or address == "/readyz", address
        for name, value in EVERYWHERE.items():
            assert response.headers.get(name) == value, (address, name)
        policy = response["Content-Security-Policy"]
        assert "unsafe" not in policy, address
        assert "script-src 'self'" in policy, address
        assert "frame-ancestors 'none'" in policy, address
        assert "camera=()" in response["Permissions-Policy"], address
        assert response["X-Request-ID"], address
        assert re.search("no-store|private|no-cache", response["Cache-Control"]), (address, response["Cache-Control"])
        if response.get("Content-Type", "").startswith("text/html"):
            seen += 1
            assert "no-store" in response["Cache-Control"], address
            assert inline_parts(response) == [], address
    assert seen > 15


def test_a_visitor_gets_nothing_but_the_way_in():
    """Whatever the method, everything else leads to the login page or is refused without a trace of content."""
    answered = []
    visitor = Client()
    for address in sorted(set(addresses())):
        for method in ("get", "post", "delete"):
            visitor.cookies.clear()
            response = getattr(visitor, method)(address)
            assert response.status_code != 500, address
            refused = response.status_code in (401, 403, 404, 405)
            if not refused and not re.match("/(accounts|admin)/login/[?]next=", response.get("Location", "")):
                answered.append(address)
    assert [address for address in answered if not OPEN.match(address)] == []
    assert {"/healthz", "/accounts/login/", "/accounts/reset/"} <= set(answered)


def test_a_visitor_cannot_tell_a_real_scene_from_an_invented_one():
    scene = make_scene()
    real = Client().get(f"/scenes/{scene.pk}/")
    invented = Client().get("/scenes/7d1b6a52-6b7e-4f0f-8a39-0a8f5a2ec001/")
    assert real.status_code == invented.status_code == 302


@pytest.mark.parametrize(
    ("kind", "status"), [("invalid", 400), ("not-allowed", 403), ("conflict", 409), ("unavailable", 503)]
)
def test_an_expected_failure_becomes_a_page_with_its_sentence(boss, kind, status):
    response = boss.get(f"/broken/{kind}/")
    assert response.status_code == status
    assert "The file harbour.tif is cut off; send it again." in response.content.decode()
    assert inline_parts(response) == []


def test_pages_for_failures_say_what_to_do(boss):
    assert "shared with you" in boss.get("/nowhere/").content.decode()
    bad = boss.get("/broken/suspicious/")
    assert bad.status_code == 400
    assert "did not understand" in bad.content.decode()
    strict = Client(enforce_csrf_checks=True)
    old = strict.post("/accounts/login/", {"username": "x", "password": "y"})
    assert old.status_code == 403
    assert "open for too long" in old.content.decode()


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(settings):
    make_user("ann", password="old harbour 1911")
    client = Client()
    client.post("/accounts/login/", {"username": "ann", "password": "old harbour 1911"})
    session = client.cookies["sessionid"]
    assert session["httponly"]
    assert session["samesite"] == "Lax"
    assert session["max-age"] == 14 * 24 * 3600


def test_the_session_gets_a_new_key_at_login():
    make_user("ann", password="old harbour 1911")
    client = Client()
    client.get("/accounts/login/")
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["sessionid"] = str(session.session_key)
    client.post("/accounts/login/", {"username": "ann", "password": "old harbour 1911"})
    assert client.session.session_key != session.session_key


def test_another_host_name_is_refused(settings):
    settings.ALLOWED_HOSTS = ["portal.example.org"]
    assert Client().get("/accounts/login/", headers={"host": "evil.example"}).status_code == 400
    assert Client().get("/accounts/login/", headers={"host": "portal.example.org"}).status_code == 200


def test_plain_http_is_sent_to_https_but_health_checks_are_not(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 3600
    settings.PROXY_COUNT = 1
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert Client().get("/accounts/login/")["Location"] == "https://testserver/accounts/login/"
    assert Client().get("/healthz").status_code == 200
    secure = Client().get("/accounts/login/", headers={"x-forwarded-proto": "https"})
    assert secure.status_code == 200
    assert secure["Strict-Transport-Security"].startswith("max-age=3600")


def test_static_files_may_stay_in_caches():
    found = finders.find("css/base.css")
    assert found
    response = Client().get("/static/css/base.css")
    assert response.status_code == 200
    assert "no-store" not in response.get("Cache-Control", "")


@pytest.mark.parametrize(
    ("proxies", "header", "expected"),
    [
        (0, "203.0.113.7", "10.0.0.1"),
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "1.1.1.1, 203.0.113.7", "203.0.113.7"),
        (2, "1.1.1.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        (2, "203.0.113.7", "10.0.0.1"),
        (1, "203.0.113.7:5123", "203.0.113.7"),
        (1, "[2001:db8::1]:443", "2001:db8::1"),
        (1, "2001:DB8::1", "2001:db8::1"),
        (1, "unknown", "10.0.0.1"),
        (1, "", "10.0.0.1"),
    ],
)
def test_the_visitors_address_is_what_the_outermost_proxy_saw(settings, proxies, header, expected):
    settings.PROXY_COUNT = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", headers={"x-forwarded-for": header})
    assert client_ip(request) == expected


def test_no_address_over_a_unix_socket():
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR="")) is None


def test_a_logged_in_person_stays_logged_in_over_a_unix_socket():
    make_user("ann", password="old harbour 1911")
    response = Client().post("/accounts/login/", {"username": "ann", "password": "old harbour 1911"}, REMOTE_ADDR="")
    assert response.status_code == 302
    assert User.objects.get().last_login


@pytest.mark.parametrize("address", ["/accounts/tokens/", "/events/"])
def test_the_address_of_a_form_says_what_it_is_when_it_is_opened(db, client, address):
    client.force_login(make_user())
    answer = client.get(address)
    assert answer.status_code == 405 and answer["Allow"] == "POST"
    assert "Nothing was sent" in answer.content.decode()
    assert client.put(address).content == b""
