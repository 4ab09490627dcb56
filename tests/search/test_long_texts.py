"""A text longer than the encoder reads at once: the page, the API and the terminal say how it was read."""

import json

import pytest
from django.core.management import call_command

from search.models import QueryVector
from tests.factories import know_query, make_collection, make_scene, make_user

pytestmark = pytest.mark.django_db

TEXT = "A wide river runs through fields. Many planes stand beside a terminal."
PIECES = ["A wide river runs through fields.", "Many planes stand beside a terminal."]


@pytest.fixture
def owner():
    user = make_user("owner")
    make_scene(make_collection(owner=user))
    QueryVector.objects.filter(pk=know_query(TEXT).pk).update(parts=PIECES)
    know_query("a river is wide")
    return user


def test_the_page_shows_the_pieces(client, owner):
    client.force_login(owner)
    page = client.get("/", {"q": TEXT}).content.decode()
    assert "was read in 2 pieces" in page
    assert all(f"<li>{piece}</li>" in page for piece in PIECES)
    assert "pieces" not in client.get("/", {"q": "a river is wide"}).content.decode()


def test_the_api_lists_the_pieces_also_on_later_pages(client, owner):
    client.force_login(owner)
    first = client.get("/api/v1/search/", {"text": TEXT}).json()
    assert first["pieces"] == PIECES
    assert client.get("/api/v1/search/", {"ranking": first["ranking"]}).json()["pieces"] == PIECES
    assert client.get("/api/v1/search/", {"text": "a river is wide"}).json()["pieces"] == []


def test_the_terminal_says_so(owner, capsys):
    call_command("search", TEXT, "--as", "owner")
    assert f"read in 2 pieces: {' | '.join(PIECES)}" in capsys.readouterr().out
    call_command("search", TEXT, "--as", "owner", "--json")
    assert json.loads(capsys.readouterr().out)["pieces"] == PIECES
