"""API tokens: made on the profile page, shown once, kept as hashes, expiring, revocable."""

import hashlib
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import path
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

import rsportal.urls
from rsportal.accounts import services
from rsportal.accounts.models import ApiToken, User
from rsportal.errors import Conflict
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.rsportal.test_api_tokens")]


class WhoView(APIView):
    """Says who the API takes the caller for; it uses the project's own defaults."""

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.get_username()})


urlpatterns = [*rsportal.urls.urlpatterns, path("who/", WhoView.as_view())]


@pytest.fixture
def ann() -> User:
    return make_user("ann", password="old harbour 1911")


@pytest.fixture
def page(ann) -> Client:
    client = Client()
    client.force_login(ann)
    return client


def ask(token: str):
    return Client().get("/who/", headers={"authorization": f"Token {token}"})


def make(page: Client, name: str = "script", days: int = 30) -> str:
    response = page.post("/accounts/tokens/", {"token-name": name, "token-days": days})
    assert response.status_code == 200
    found = re.search(r"Authorization: Token (rsp_[0-9a-f]+)", response.content.decode())
    assert found, response.content
    return found[1]


def test_a_token_is_shown_once_works_and_is_kept_as_a_hash(page, ann):
    plain = make(page)
    assert ask(plain).json() == {"user": "ann"}
    profile = page.get("/accounts/profile/").content.decode()
    assert plain not in profile
    token = ApiToken.objects.get()
    assert token.token_key in profile
    assert len(token.token_key) == 15
    assert plain.startswith(token.token_key)
    assert token.digest == hashlib.sha512(plain.encode()).hexdigest()
    assert all(plain not in str(value) for value in ApiToken.objects.values_list().get())


_EXPIRED = '<span class="tag tag--bad">expired</span>'


@pytest.mark.parametrize("days", [1, 30, 90, 365])
def test_a_token_expires(page, days):
    plain = make(page, days=days)
    left = ApiToken.objects.get().expiry - timezone.now()
    assert timedelta(days=days) - timedelta(minutes=1) < left <= timedelta(days=days)
    ApiToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert _EXPIRED in page.get("/accounts/profile/").content.decode()
    assert ask(make(page)).status_code == 200  # The other tokens of the account work on.
    refused = ask(plain)
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == "Token"
    assert _EXPIRED in page.get("/accounts/profile/").content.decode()  # So one sees why the program stopped.


@pytest.mark.parametrize("form", [{"token-name": "", "token-days": 30}, {"token-name": "x", "token-days": 4000}, {}])
def test_no_token_without_a_name_or_with_another_time(page, form):
    assert page.post("/accounts/tokens/", form).status_code == 400
    assert not ApiToken.objects.exists()


def test_a_revoked_token_is_refused_at_once(page):
    keep, drop = make(page, "keep"), make(page, "drop")
    response = page.post(f"/accounts/tokens/{drop[:15]}/revoke/")
    assert response["Location"] == "/accounts/profile/"
    assert ask(drop).status_code == 401
    assert ask(keep).status_code == 200


def test_nobody_revokes_or_sees_another_persons_token(page):
    plain = make(page, "my own script")
    other = Client()
    other.force_login(make_user("bob"))
    assert other.post(f"/accounts/tokens/{plain[:15]}/revoke/").status_code == 404
    assert "my own script" not in other.get("/accounts/profile/").content.decode()
    assert ask(plain).status_code == 200


def test_a_disabled_accounts_token_is_refused(page, ann):
    plain = make(page)
    User.objects.filter(pk=ann.pk).update(is_active=False)
    assert ask(plain).status_code == 401


@pytest.mark.parametrize("token", ["", "nonsense", "rsp_" + "0" * 60, "t\xf6ken", "a b", "rsp_\x00"])
def test_nonsense_is_refused_and_never_breaks(ann, token):
    services.token_create(user=ann, name="script", days=1)
    assert ask(token).status_code == 401


def test_a_token_with_the_same_beginning_is_not_enough(page):
    plain = make(page)
    assert ask(plain[:-1] + ("0" if plain[-1] != "0" else "1")).status_code == 401
    assert ask(plain[:15]).status_code == 401


def test_a_token_survives_a_changed_password_and_the_page_says_so(page, ann):
    plain = make(page)
    ann.set_password("new lighthouse 2026")
    ann.save()
    assert ask(plain).status_code == 200
    page.force_login(ann)
    assert "A changed password does not end them" in page.get("/accounts/profile/").content.decode()


def test_an_account_has_so_many_tokens_and_expired_ones_do_not_count(ann, settings, page):
    for number in range(20):
        services.token_create(user=ann, name=f"script {number}", days=30)
    with pytest.raises(Conflict):
        services.token_create(user=ann, name="one more", days=30)
    refused = page.post("/accounts/tokens/", {"token-name": "one more", "token-days": 30})
    assert refused.status_code == 409
    assert "Revoke one first" in refused.content.decode()
    oldest = ApiToken.objects.order_by("created").first()
    assert oldest
    ApiToken.objects.filter(pk=oldest.pk).update(expiry=timezone.now())
    services.token_create(user=ann, name="one more", days=30)


def test_making_a_token_needs_a_post_with_the_forms_secret(ann):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ann)
    assert strict.get("/accounts/tokens/").status_code == 405
    assert strict.post("/accounts/tokens/", {"token-name": "x", "token-days": 30}).status_code == 403
    assert not ApiToken.objects.exists()
