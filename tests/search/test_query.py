"""What a search accepts, and the sentence for everything else."""

from datetime import date

import pytest

from imagery.models.collection import Visibility
from rsportal.errors import InvalidInput
from search.services import search_request_parse
from tests import factories

pytestmark = pytest.mark.django_db


def _refused(user, field: str, **asked) -> str:
    with pytest.raises(InvalidInput) as caught:
        search_request_parse(user=user, **{"text": "river", **asked})
    assert caught.value.field == field
    return caught.value.message


@pytest.mark.parametrize("text", ["", "   ", "\x00\x07\n\t", "\ud800"])
def test_nothing_to_look_for(text):
    assert "Write what you are looking for" in _refused(factories.make_user(), "text", text=text)


def test_too_long_names_the_limit():
    user = factories.make_user()
    message = _refused(user, "text", text="x" * 1_001)
    assert "1001" in message and "1000" in message
    assert search_request_parse(user=user, text=f"  {'x' * 1_000}\n").text == "x" * 1_000


def test_control_characters_are_taken_out():
    assert search_request_parse(user=factories.make_user(), text="a\x00river\x1b").text == "a river"


@pytest.mark.parametrize("day", ["31.05.2024", "2024-13-01", "yesterday", "2024-05-31T00:00:00Z"])
@pytest.mark.parametrize("field", ["start", "end"])
def test_days_are_iso(field, day):
    assert "year-month-day" in _refused(factories.make_user(), field, **{field: day})


def test_reversed_days_name_both():
    message = _refused(factories.make_user(), "start", start="2024-06-01", end=date(2024, 5, 1))
    assert "2024-06-01" in message and "2024-05-01" in message


def test_days_as_text_or_date():
    request = search_request_parse(user=factories.make_user(), text="river", start="2024-05-01", end=date(2024, 5, 1))
    assert (request.start, request.end) == (date(2024, 5, 1), date(2024, 5, 1))
    assert request.filters() == {"start": "2024-05-01", "end": "2024-05-01"}


def test_a_private_collection_is_answered_like_an_unknown_one():
    user = factories.make_user()
    factories.make_collection("hidden")
    assert _refused(user, "collection", collections=["hidden"]).replace("hidden", "absent") == _refused(
        user, "collection", collections=["absent"]
    )
    for slug in ("a b", "\x00", "x" * 500, "'; --"):
        _refused(user, "collection", collections=[slug])


def test_collections_are_kept_once_and_in_order():
    user = factories.make_user()
    factories.make_collection("b", visibility=Visibility.ALL_USERS)
    factories.make_collection("a", owner=user)
    request = search_request_parse(user=user, text="river", collections=["b", " a", "b", ""])
    assert request.collections == ("b", "a")
    assert request.filters() == {"collections": ["b", "a"]}
