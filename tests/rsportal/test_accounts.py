"""Logging in and out, passwords, sign-up, profile and language."""

import re
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.signing import SignedPackage

from imagery.services.collections import collection_member_set
from rsportal.accounts import services, tasks
from rsportal.accounts.models import ApiToken, User
from rsportal.accounts.schedules import EXPIRED_NAME
from tests.factories import make_collection, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "old harbour 1911"
LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def fresh_limits() -> None:
    cache.clear()


@pytest.fixture
def ann() -> User:
    return make_user("Ann", password=PASSWORD, email="ann@example.org")


@pytest.fixture
def two_spellings() -> tuple[User, User]:
    """Two people whose names are the same in upper case only."""
    return make_user("isik", password=PASSWORD), make_user("ışık", password="another harbour 1912")


def log_in(client: Client, username: str = "Ann", password: str = PASSWORD, **extra):
    return client.post(LOGIN, {"username": username, "password": password}, **extra)


def test_names_that_differ_are_different_people(client, two_spellings):
    first, second = two_spellings
    assert log_in(client, "IŞIK").status_code == 200  # In lower case "işık", which is nobody's name.
    assert log_in(client, "ışık", "another harbour 1912").status_code == 302
    assert client.session["_auth_user_id"] == str(second.pk)
    collection = make_collection("bay")
    collection_member_set(collection=collection, user=collection.owner, username="ışık", role="viewer")
    assert list(collection.members.all()) == [second] != [first]


def test_every_spelling_of_a_name_counts_for_its_account(client, settings):
    settings.AXES_FAILURE_LIMIT = 4
    make_user("isik", password=PASSWORD)
    answers = [log_in(client, name, "wrong").status_code for name in ("isik", "ISIK", "İsik", "isİk")]
    assert answers == [200, 200, 200, 429]


def test_logs_in_whatever_the_case_of_the_name_and_out(client, ann):
    assert log_in(client, "aNN")["Location"] == reverse("search:home")
    assert client.get("/accounts/profile/").status_code == 200
    assert client.post("/accounts/logout/")["Location"] == LOGIN
    assert client.get("/accounts/profile/").status_code == 302


def test_wrong_password_and_unknown_name_get_the_same_answer(client, ann):
    wrong = log_in(client, password="nope")
    unknown = log_in(client, "nobody", "nope")
    assert wrong.status_code == unknown.status_code == 200
    messages = [str(response.context["form"].non_field_errors()) for response in (wrong, unknown)]
    assert messages[0] == messages[1]


def test_a_disabled_account_cannot_log_in_and_its_session_ends(client, ann):
    client.force_login(ann)
    User.objects.filter(pk=ann.pk).update(is_active=False)
    assert client.get("/accounts/profile/").status_code == 302
    assert log_in(client).status_code == 200


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_login_never_leads_to_another_site(client, ann, target):
    response = client.post(f"{LOGIN}?next={target}", {"username": "Ann", "password": PASSWORD, "next": target})
    assert response["Location"] == reverse("search:home")
    assert client.get(LOGIN, {"next": target})["Location"] == reverse("search:home")
    language = client.post("/accounts/language/", {"language": "en", "next": target}, headers={"referer": target})
    assert language["Location"] == "/"


def test_login_leads_back_to_the_page_that_was_asked_for(client, ann):
    asked = client.get("/accounts/profile/")
    assert asked["Location"] == f"{LOGIN}?next=/accounts/profile/"
    response = client.post(asked["Location"], {"username": "Ann", "password": PASSWORD, "next": "/accounts/profile/"})
    assert response["Location"] == "/accounts/profile/"


def fail(client: Client, times: int, **extra) -> None:
    for _ in range(times):
        last = log_in(client, password="nope", **extra)
    assert last.status_code in (200, 429)


def test_too_many_failures_pause_the_name_from_this_address_only(client, ann, settings):
    settings.AXES_FAILURE_LIMIT = 3
    fail(client, 2)
    third = log_in(client, "ANN", "nope")  # Another spelling of the name counts as the same.
    assert third.status_code == 429
    assert 800 < int(third["Retry-After"]) <= 900
    assert b"Try again in 15 minutes" in third.content
    assert log_in(client).status_code == 429, "the right password does not help while the pause lasts"
    assert log_in(client, REMOTE_ADDR="10.1.1.1").status_code == 302, "elsewhere the account works"
    make_user("bob", password=PASSWORD)
    assert log_in(client, "bob").status_code == 302, "others at the same address log in"


def test_the_pause_ends_when_it_said_and_trying_does_not_make_it_longer(client, ann, settings):
    settings.AXES_FAILURE_LIMIT = 3
    fail(client, 3)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14, seconds=30))
    again = log_in(client)
    assert again.status_code == 429
    assert int(again["Retry-After"]) <= 30
    assert b"Try again in 1 minute." in again.content
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert log_in(client).status_code == 302


def test_a_success_forgets_earlier_failures(client, ann, settings):
    settings.AXES_FAILURE_LIMIT = 3
    fail(client, 2)
    assert log_in(client, "ann").status_code == 302
    assert not AccessAttempt.objects.exists()


def test_throttle_counts_the_visitor_behind_the_proxy_and_not_what_he_claims(client, ann, settings):
    settings.AXES_FAILURE_LIMIT = 3
    settings.PROXY_COUNT = 1
    for number in range(3):
        response = log_in(client, password="nope", headers={"x-forwarded-for": f"10.9.9.{number}, 203.0.113.7"})
    assert response.status_code == 429
    assert log_in(client, headers={"x-forwarded-for": "203.0.113.7, 198.51.100.4"}).status_code == 302


def test_nobody_keeps_the_typed_password(client, ann):
    log_in(client, password="a secret I mistyped")
    attempt = AccessAttempt.objects.get()
    assert "mistyped" not in attempt.post_data


def test_the_administration_uses_the_portals_login_page(client, ann):
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0] == f"{LOGIN}?next=/admin/"
    assert client.get("/admin/login/?next=/admin/")["Location"].startswith(LOGIN)
    client.force_login(ann)
    assert client.get("/admin/", follow=True).status_code == 403, "no right: a page that says so, no redirect loop"


def test_changing_the_password_ends_other_sessions_only(client, ann):
    other = Client()
    log_in(other)
    log_in(client)
    new = "new lighthouse 2026"
    wrong = client.post("/accounts/password/", {"old_password": "nope", "new_password1": new, "new_password2": new})
    assert wrong.context["form"].errors["old_password"]
    weak = client.post(
        "/accounts/password/", {"old_password": PASSWORD, "new_password1": "12345678", "new_password2": "12345678"}
    )
    assert weak.context["form"].errors["new_password2"]
    client.post("/accounts/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert client.get("/accounts/profile/").status_code == 200
    assert other.get("/accounts/profile/").status_code == 302
    assert log_in(Client(), password=new).status_code == 302


def queued() -> list[dict]:
    return [SignedPackage.loads(row.payload) for row in OrmQ.objects.all()]


def test_the_reset_page_never_tells_which_addresses_have_accounts(client, ann):
    make_user("off", email="off@example.org", is_active=False)
    answers = [
        client.post("/accounts/reset/", {"email": email}, follow=True).content
        for email in ("ANN@example.org", "stranger@example.org", "off@example.org")
    ]
    masked = [re.sub(rb'value="[^"]{64}"', b"", answer) for answer in answers]
    assert masked[0] == masked[1] == masked[2]
    assert [(task["func"], task["args"][0]) for task in queued()] == [
        ("rsportal.accounts.tasks.password_reset_send", ann.pk)
    ], "one mail, sent by the worker so that the answer takes the same time for every address"
    assert "ann@example.org" not in str(queued()), "a task carries no address"


def test_a_second_request_at_once_sends_no_second_mail(client, ann):
    for _ in range(3):
        client.post("/accounts/reset/", {"email": "ann@example.org"})
    assert OrmQ.objects.count() == 1


def test_the_mailed_link_sets_a_password_once_and_ends_sessions(client, ann):
    log_in(client)
    visitor = Client()
    visitor.post("/accounts/reset/", {"email": "ann@example.org"})
    (task,) = queued()
    tasks.password_reset_send(*task["args"])
    (message,) = mail.outbox
    assert message.to == ["ann@example.org"]
    link = re.search(r"http://testserver(/accounts/reset/\S+)", str(message.body))
    assert link, message.body
    page = visitor.get(link[1], follow=True)
    form_address = page.redirect_chain[-1][0]
    assert link[1] != form_address, "the secret is not in the address of the page, so it cannot leak as a referrer"
    new = "new lighthouse 2026"
    done = visitor.post(form_address, {"new_password1": new, "new_password2": new})
    assert done["Location"] == LOGIN
    assert client.get("/accounts/profile/").status_code == 302
    assert log_in(visitor, password=new).status_code == 302
    again = Client().get(link[1], follow=True)
    assert b"This link no longer works" in again.content


def test_a_reset_link_grows_old(client, ann, settings):
    client.post("/accounts/reset/", {"email": "ann@example.org"})
    tasks.password_reset_send(*queued()[0]["args"])
    link = re.search(r"http://testserver(/accounts/reset/\S+)", str(mail.outbox[0].body))
    assert link
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert b"This link no longer works" in client.get(link[1], follow=True).content


def test_reset_mail_speaks_the_accounts_language_else_the_askers(client, ann):
    client.post("/accounts/reset/", {"email": "ann@example.org"}, headers={"accept-language": "zh-CN"})
    User.objects.filter(pk=ann.pk).update(language="en")
    cache.clear()
    client.post("/accounts/reset/", {"email": "ann@example.org"}, headers={"accept-language": "zh-CN"})
    assert [task["args"][2] for task in queued()] == ["zh-hans", "en"]


SIGNUP = {"username": "Newcomer", "email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD}


def test_signup_is_closed_by_default(client):
    assert client.get("/accounts/signup/").status_code == 404
    assert client.post("/accounts/signup/", SIGNUP).status_code == 404
    assert b"/accounts/signup/" not in client.get(LOGIN).content
    assert not User.objects.exists()


def test_signup_makes_an_ordinary_account_and_logs_in(client, settings):
    settings.SIGNUP_OPEN = True
    assert b"/accounts/signup/" in client.get(LOGIN).content
    response = client.post("/accounts/signup/", {**SIGNUP, "is_superuser": "on", "is_staff": "on"})
    assert response["Location"] == reverse("search:home")
    user = User.objects.get()
    assert (user.username, user.email, user.is_staff, user.is_superuser) == (
        "Newcomer",
        "new@example.org",
        False,
        False,
    )
    assert client.get("/accounts/profile/").status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": "ANN"}, "username"),
        ({"email": "no address"}, "email"),
        ({"email": ""}, "email"),
        ({"password1": "12345678", "password2": "12345678"}, "password2"),
        ({"password2": "something else 1"}, "password2"),
    ],
)
def test_signup_says_which_field_is_wrong(client, settings, ann, change, field):
    settings.SIGNUP_OPEN = True
    response = client.post("/accounts/signup/", {**SIGNUP, **change})
    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    assert User.objects.count() == 1


def test_profile_saves_name_and_language(client, ann):
    client.force_login(ann)
    form = {"first_name": "Ann", "last_name": "Sea", "email": "ann@example.org", "language": "zh-hans"}
    assert client.post("/accounts/profile/", form)["Location"] == "/accounts/profile/"
    ann.refresh_from_db()
    assert (ann.last_name, ann.language) == ("Sea", "zh-hans")
    refused = client.post("/accounts/profile/", {**form, "language": "tlh"})
    assert refused.status_code == 400
    assert refused.context["form"].errors["language"]


def test_a_new_address_needs_the_password(client, ann):
    client.force_login(ann)
    form = {"first_name": "", "last_name": "", "email": "thief@example.org", "language": ""}
    for password in ("", "nope"):
        refused = client.post("/accounts/profile/", {**form, "current_password": password})
        assert refused.context["form"].errors["current_password"]
    ann.refresh_from_db()
    assert ann.email == "ann@example.org"
    client.post("/accounts/profile/", {**form, "current_password": PASSWORD})
    ann.refresh_from_db()
    assert ann.email == "thief@example.org"


def test_pages_speak_the_language_of_the_account_then_of_the_browser(client, ann):
    chinese = {"accept-language": "zh-CN,zh;q=0.9"}
    assert b'lang="zh-Hans"' in client.get(LOGIN, headers=chinese).content
    assert b'lang="en"' in client.get(LOGIN).content
    client.force_login(ann)
    assert b'lang="zh-Hans"' in client.get("/accounts/profile/", headers=chinese).content
    client.post("/accounts/language/", {"language": "en", "next": "/accounts/profile/"})
    ann.refresh_from_db()
    assert ann.language == "en"
    page = client.get("/accounts/profile/", headers=chinese)
    assert b'lang="en"' in page.content
    assert page["Content-Language"] == "en"


def test_a_visitor_switches_the_language_of_the_login_page(client):
    client.post("/accounts/language/", {"language": "zh-hans", "next": LOGIN})
    assert b'lang="zh-Hans"' in client.get(LOGIN).content
    assert client.get("/accounts/language/").status_code == 405


def test_what_ran_out_is_removed_daily_and_the_rest_stays(client, ann):
    client.force_login(ann)
    Client().force_login(ann)
    Session.objects.exclude(pk=client.session.session_key).update(expire_date=timezone.now() - timedelta(days=1))
    for name, days in (("live", 1), ("just expired", -1), ("long expired", -40)):
        token, _plain = services.token_create(user=ann, name=name, days=1)
        ApiToken.objects.filter(pk=token.pk).update(expiry=timezone.now() + timedelta(days=days))
    log_in(Client(), "stranger", "nope")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(hours=1))
    assert Schedule.objects.get(name=EXPIRED_NAME).func == "rsportal.accounts.tasks.expired_remove"
    assert tasks.expired_remove() == 3
    assert {token.name for token in ApiToken.objects.all()} == {"live", "just expired"}
    assert not AccessAttempt.objects.exists()
    assert client.get("/accounts/profile/").status_code == 200
