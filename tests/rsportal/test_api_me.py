"""Who am I, by token and by session."""

import pytest

from rsportal.accounts.services import token_create
from tests.api import SchemaClient
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_me_tells_the_account_and_its_tokens_without_secrets():
    user = make_user("ada", first_name="Ada", last_name="Lovelace", language="zh-hans")
    _row, plain = token_create(user=user, name="laptop", days=30)
    _row, foreign = token_create(user=make_user(), name="foreign", days=30)
    client = SchemaClient(user)
    response = client.get("/api/v1/me/")
    body = response.json()
    assert (body["username"], body["full_name"], body["language"]) == ("ada", "Ada Lovelace", "zh-hans")
    assert {language["code"] for language in body["languages"]} == {"en", "zh-hans"}
    assert {token["name"]: token["current"] for token in body["tokens"]} == {"test": True, "laptop": False}
    assert plain[:8] not in response.content.decode() and foreign[:8] not in response.content.decode()


def test_a_session_is_enough_to_read():
    client = SchemaClient()
    client.force_login(make_user("grace"))
    assert client.get("/api/v1/me/").json()["username"] == "grace"


def test_me_asks_the_database_little(django_assert_max_num_queries):
    client = SchemaClient(make_user())
    client.get("/api/v1/me/")
    with django_assert_max_num_queries(4):
        client.get("/api/v1/me/")
