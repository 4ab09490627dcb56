"""``manage.py search``."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from search.models import Impression, Query
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.make_user("ada")


@pytest.fixture
def scene(owner):
    collection = factories.make_collection("coast", owner=owner)
    found = factories.make_scene(
        collection,
        title="Port",
        vector=factories.axis(3),
        windows={(16, 8, 32, 24): factories.axis(0)},
        bbox=(4.0, 51.9, 4.2, 52.0),
        datetime=factories.utc(2024, 5, 31),
    )
    factories.know_query("harbour")
    return found


def _call(*args: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("search", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_json_has_exactly_these_fields(scene):
    out, err = _call("harbour", "--as", "ADA", "--json")
    answer = json.loads(out)
    assert err == ""
    words = ["query", "translation", "untranslated", "pieces"]
    assert list(answer) == [*words, "encoder", "took_ms", "searched", "results"]
    assert list(answer["took_ms"]) == ["encode", "retrieve", "rank", "total"]
    assert answer["searched"] == 1
    (hit,) = answer["results"]
    assert hit.pop("score") == pytest.approx(0.95, abs=1e-3)
    assert hit == {
        "scene": str(scene.pk),
        "title": "Port",
        "collection": "coast",
        "filename": scene.assets.get().filename,
        "window": [16, 8, 32, 24],
        "bbox": [4.0, 51.9, 4.2, 52.0],
        "datetime": "2024-05-31T00:00:00+00:00",
    }
    assert Query.objects.get().channel == "command"
    assert Impression.objects.count() == 1


def test_an_example_takes_the_place_of_words(scene):
    out, _err = _call("--like", f"scene:{scene.pk}", "--as", "ada", "--json")
    answer = json.loads(out)
    assert (answer["query"], answer["results"][0]["scene"]) == ("", str(scene.pk))
    with pytest.raises(CommandError, match="Write what you are looking for"):
        _call("--as", "ada")
    with pytest.raises(CommandError, match="There is no scene for example 1"):
        _call("--like", "scene:00000000-0000-4000-8000-000000000000", "--as", "ada")


def test_a_plain_scene_has_nulls(owner):
    factories.make_scene(factories.make_collection(owner=owner))
    factories.know_query("forest")
    (hit,) = json.loads(_call("forest", "--as", "ada", "--json")[0])["results"]
    assert (hit["window"], hit["bbox"], hit["datetime"]) == (None, None, None)


def test_people_read_scores_time_and_number_searched(scene):
    out, _err = _call("harbour", "--as", "ada")
    assert "1 best of 1 scenes searched" in out
    assert "0.950" in out and "Port" in out and "2024-05-31" in out and "x16 y8 32x24 px" in out


def test_without_as_it_is_the_first_superuser_and_says_so(scene):
    with pytest.raises(CommandError, match="--as USER"):
        _call("harbour")
    factories.make_user("zoe", superuser=True)
    factories.make_user("eve", superuser=True)
    out, err = _call("harbour", "--json")
    assert "Searching as zoe" in err
    assert json.loads(out)["searched"] == 1


def test_it_sees_what_the_person_sees(scene):
    factories.make_user("bob")
    assert json.loads(_call("harbour", "--as", "bob", "--json")[0])["results"] == []
    assert "nothing this user may see" in _call("harbour", "--as", "bob")[0]
    with pytest.raises(CommandError, match="no collection 'coast'"):
        _call("harbour", "--as", "bob", "--collection", "coast")


def test_filters_and_limit(scene):
    collection = scene.collection
    later = factories.make_scene(collection, vector=[1, 1, 0, 0, 0, 0, 0, 0], datetime=factories.utc(2024, 7))
    chosen = json.loads(_call("harbour", "--as", "ada", "--json", "--collection", "coast", "--start", "2024-06-01")[0])
    assert [hit["scene"] for hit in chosen["results"]] == [str(later.pk)]
    limited = json.loads(_call("harbour", "--as", "ada", "--json", "--limit", "1")[0])
    assert len(limited["results"]) == 1 and limited["searched"] == 2
    assert "No scene passes the filters" in _call("harbour", "--as", "ada", "--end", "2020-01-01")[0]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["harbour", "--as", "nobody"], "no user 'nobody'"),
        (["harbour", "--as", "ada", "--limit", "0"], "--limit is 0"),
        (["harbour", "--as", "ada", "--start", "soon"], "year-month-day"),
        (["  ", "--as", "ada"], "Write what you are looking for"),
    ],
)
def test_bad_input_is_a_sentence(scene, args, message):
    with pytest.raises(CommandError, match=message):
        _call(*args)


def test_a_disabled_account_is_named(owner, scene):
    owner.is_active = False
    owner.save()
    with pytest.raises(CommandError, match="disabled"):
        _call("harbour", "--as", "ada")


def test_no_encoder_says_what_to_do(owner):
    with pytest.raises(CommandError, match=r"manage\.py encoder ensure"):
        _call("harbour", "--as", "ada")


def test_scenes_without_vectors_of_the_encoder_are_explained(owner, scene):
    factories.make_encoder()
    factories.know_query("harbour")
    assert "0 of 1 scenes can be searched so far" in _call("harbour", "--as", "ada")[0]
