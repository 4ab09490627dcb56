"""``manage.py evaluate_rankings``: measures that can be computed by hand, runs that are kept, comparisons."""

import io
import json
import math

import pytest
from django.core.management import CommandError, call_command

from search.encode_query import query_vectors_forget
from search.models import RankingRun
from tests.factories import axis, know_query, make_collection, make_encoder, make_scene, make_user
from tests.search.judged import judge, make_judged_query, make_judged_set, make_ranked_scenes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forget():
    query_vectors_forget()


@pytest.fixture
def boss():
    return make_user("boss", superuser=True)


def evaluate(*arguments):
    out, err = io.StringIO(), io.StringIO()
    call_command("evaluate_rankings", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def evaluate_json(*arguments):
    return json.loads(evaluate(*arguments, "--json")[0])


def test_measures_are_those_computed_by_hand(boss):
    encoder = make_encoder("one")
    know_query("harbour")
    scenes = make_ranked_scenes(boss, 12)
    query = make_judged_query(make_judged_set(boss))
    judge(query, scenes[1], 2)
    judge(query, scenes[3], 1)
    judge(query, scenes[4], 0)
    judge(query, scenes[11], 3)
    found = evaluate_json("--set", "bays")
    (run,) = found["runs"]
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    assert run["measures"]["ndcg10"][0] == pytest.approx((2 / math.log2(3) + 1 / math.log2(5)) / ideal, abs=1e-4)
    assert run["measures"]["map"][0] == pytest.approx((1 / 2 + 2 / 4 + 3 / 12) / 3, abs=1e-4)
    assert run["measures"]["recall10"][0] == pytest.approx(2 / 3, abs=1e-4)
    assert run["measures"]["recall100"][0] == run["measures"]["recall1000"][0] == 1.0
    assert run["measures"]["judged10"][0] == pytest.approx(0.3, abs=1e-4)
    # Without the unjudged hits the list is 2, 1, 0, 3.
    condensed = (2 + 1 / math.log2(3) + 3 / math.log2(5)) / ideal
    assert run["measures"]["ndcg10_condensed"][0] == pytest.approx(condensed, abs=1e-4)
    assert run["measures"]["map_condensed"][0] == pytest.approx((1 + 1 + 3 / 4) / 3, abs=1e-4)
    stored = RankingRun.objects.get()
    assert (stored.encoder, stored.configuration, stored.searched) == (encoder, "one", 12)
    assert stored.versions["ranker"] and stored.versions["judgements"] == 4
    assert found["unjudged_hits"] == "not relevant"


def test_two_configurations_are_compared_query_by_query(boss):
    first, second = make_encoder("one"), make_encoder("two", active=False, state="ready")
    judged_set = make_judged_set(boss)
    collection = make_collection(owner=boss)
    for number in range(4):
        for encoder in (first, second):
            know_query(f"query {number}", axis(number), encoder=encoder)
        # The right scene of each query lies on its axis under the second encoder only.
        scene = make_scene(collection, title=f"right {number}", vector=axis((number + 1) % 4), encoder=first)
        tile = scene.tiles.get()
        tile.embeddings.create(encoder=second, vector=axis(number).tolist())
        judge(make_judged_query(judged_set, f"query {number}"), scene, 1)
    found = evaluate_json("--set", "boss/bays", "--config", "one", "--config", "two")
    (compared,) = found["comparisons"]
    assert (compared["queries"], compared["better"], compared["worse"]) == (4, 4, 0)
    gain = compared["differences"]["map"]
    one, two = (run["measures"]["map"][0] for run in found["runs"])
    assert two == 1.0 > one and gain["difference"] == pytest.approx(two - one, abs=1e-4)
    assert gain["interval"][0] > 0 and gain["p"] < 0.05
    assert {change["text"] for change in compared["largest"]} == {f"query {number}" for number in range(4)}
    said, _remarks = evaluate("--set", "bays", "--config", "one", "--config", "two")
    assert "better for 4 of 4 queries" in said and "nDCG@10" in said and "count as not relevant" in said
    assert RankingRun.objects.count() == 4


def test_stages_are_changed_for_the_measurement_only(boss):
    encoder = make_encoder("one")
    know_query("harbour")
    scenes = make_ranked_scenes(boss, 3)
    judge(make_judged_query(make_judged_set(boss)), scenes[0], 1)
    found = evaluate_json("--set", "bays", "--config", "active:windows=0.5")
    assert found["runs"][0]["configuration"] == "one:windows=0.5"
    assert found["runs"][0]["versions"]["settings"]["windows"] == {"on": True, "weight": 0.5}
    encoder.refresh_from_db()
    assert encoder.ranking == {}
    _said, remarks = evaluate("--set", "bays", "--config", "one:normalise=on")
    assert "normalise is off" in remarks
    for wrong, reason in (
        ("nowhere", "no encoder 'nowhere'"),
        ("one:nowhere=on", "no ranking stage 'nowhere'"),
        ("one:windows", "is no setting"),
        ("one:windows=maybe", "is no setting"),
        ("one:windows.height=3", "has no setting 'height'"),
        ("one:windows=-1", "must be 0 to 10"),
    ):
        with pytest.raises(CommandError, match=reason):
            evaluate("--set", "bays", "--config", wrong)


def test_what_cannot_be_asked_counts_as_nothing_found_and_is_named(boss):
    make_encoder("one")
    know_query("harbour")
    scenes = make_ranked_scenes(boss, 2)
    judged_set = make_judged_set(boss)
    judge(make_judged_query(judged_set), scenes[0], 1)
    judge(make_judged_query(judged_set, "港口", key="zh"), scenes[0], 1)
    make_judged_query(judged_set, "harbour", key="unjudged")
    _said, remarks = evaluate("--set", "bays")
    assert "query zh counts as 0" in remarks and "left out: unjudged" in remarks
    run = RankingRun.objects.get()
    assert run.summary["measures"]["map"][0] == 0.5
    assert set(run.scores) == {"1", "zh"} and run.scores["zh"]["problem"]
    assert (run.summary["queries"], run.summary["unanswered"], run.summary["unjudged"]) == (2, 1, 1)


def test_a_set_without_judgements_says_what_to_do(boss):
    make_encoder("one")
    make_judged_query(make_judged_set(boss))
    with pytest.raises(CommandError, match="Judge some first"):
        evaluate("--set", "bays")
    with pytest.raises(CommandError, match="no judged query set 'nowhere'"):
        evaluate("--set", "nowhere")
    assert not RankingRun.objects.exists()
