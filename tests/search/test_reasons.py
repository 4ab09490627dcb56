"""Why a hit is where it is: in sentences, on the card without JavaScript, and in the API."""

import numpy as np
import pytest
from django.urls import reverse
from django.utils import translation

from search.ranking import Band, bands_in_order
from search.ranking.bands import falling, probabilities
from search.reasons import reason_lines
from tests.factories import axis, know_query, make_collection, make_scene, make_user, unit

_REASON = {
    "similarity": 0.312,
    "normalise": 0.218,
    "diffuse.places": 3,
    "windows": {"seen": 9, "more": [[0, 0, 5, 5], [9, 9, 5, 5]]},
    "clauses": [["river", 0.4], ["boats", -0.125]],
    "cross_encoder": {"chance": 0.87},
    "cross_encoder.places": -1,
}


def test_every_stage_has_its_sentence():
    lines = reason_lines(_REASON)
    for told in (
        "similarity 0.31", "in common: 0.22", "“river”: +0.40", "“boats”: -0.1", "2 more places", "9 parts",
        "3 places up", "87 %", "1 place down",
    ):  # fmt: skip
        assert any(told in line for line in lines), told
    with translation.override("zh-hans"):
        assert any("相似度" in line for line in reason_lines(_REASON))


@pytest.mark.parametrize(
    "reason",
    [{}, {"similarity": "x"}, {"windows": 3}, {"clauses": [1, ["a"]]}, {"diffuse.places": 0}, {"cross_encoder": []}],
)
def test_what_is_not_known_is_left_out(reason):
    assert reason_lines(reason) == []


def test_the_curve_falls_and_is_the_nearest():
    rng = np.random.default_rng(2)
    for _round in range(20):
        values = rng.random(12)
        found = falling(values)
        assert (np.diff(found) <= 1e-12).all()
        for _try in range(50):
            other = np.sort(np.clip(found + rng.normal(size=12) * 0.05, 0, 1))[::-1]
            assert ((values - found) ** 2).sum() <= ((values - other) ** 2).sum() + 1e-12
    assert falling(np.array([3.0, 2.0, 1.0])).tolist() == [3, 2, 1]
    assert falling(np.array([])).tolist() == []


def test_bands_never_rise_down_the_list_and_keep_their_meaning():
    calibration = {"scale": 10.0, "offset": -4.0}
    assert bands_in_order([0.5, 0.3, 0.1], calibration) == [Band.LIKELY, Band.POSSIBLE, Band.UNLIKELY]
    mixed = np.random.default_rng(3).random(200)
    order = [list(Band).index(band) for band in bands_in_order(mixed, calibration)]
    assert order == sorted(order)
    chances = probabilities(mixed, calibration)
    assert chances is not None
    assert falling(chances).mean() == pytest.approx(chances.mean())
    assert bands_in_order([0.9, 0.1], {}) == [Band.POSSIBLE, Band.POSSIBLE]


@pytest.mark.django_db
def test_card_and_api_tell_why(client):
    know_query("harbour")
    user = make_user()
    near = {(0, 0, 16, 16): unit(axis(0) + 0.2 * axis(1)), (32, 32, 16, 16): unit(axis(0) + 0.3 * axis(1))}
    collection = make_collection(owner=user)
    make_scene(collection, vector=axis(1), windows=near)
    make_scene(collection, vector=axis(2))
    client.force_login(user)
    shown = client.get("/", {"q": "harbour"}).content.decode()
    assert shown.count("<summary>Why here</summary>") == 2
    assert "1 more place in the scene matches (2 parts compared)" in shown
    first = client.get(reverse("api:search"), {"text": "harbour"}).json()["results"][0]
    assert first["similarity"] == pytest.approx(0.98, abs=0.01)
    assert first["reasons"]["windows"] == {"seen": 2, "more": [[32, 32, 16, 16]]}
    assert first["score"] < first["similarity"], "a window's score is discounted, its cosine is told as it is"
