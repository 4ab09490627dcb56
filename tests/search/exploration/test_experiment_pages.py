"""Trials and propensities in the administration."""

import pytest
from django.urls import reverse

from search.models import PositionPropensity, RankerTrial
from search.services.trials import trial_create, trial_start
from tests import factories
from tests.pages import client_of
from tests.search.exploration.test_trials import OTHER, searched

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss():
    return factories.make_user(superuser=True)


@pytest.fixture
def client(boss):
    factories.make_encoder()
    return client_of(boss)


def text(answer) -> str:
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def test_an_administrator_writes_starts_and_ends_a_trial(client, boss):
    add = reverse("admin:search_rankertrial_add")
    refused = text(client.post(add, {"name": "one", "ranking": '{"colour": {}}', "share": "0.5"}))
    assert "There is no ranking stage" in refused
    assert (
        client.post(add, {"name": "one", "ranking": '{"windows": {"weight": 0.2}}', "share": "0.5"}).status_code == 302
    )
    trial = RankerTrial.objects.get()
    assert (trial.name, trial.ranking, trial.share, trial.created_by) == (
        "one",
        {"windows": {"weight": 0.2}},
        0.5,
        boss,
    )
    page = reverse("admin:search_rankertrial_change", args=[trial.pk])
    assert "Start the trial" in text(client.get(page))
    client.post(page, {"name": "one", "ranking": '{"windows": {"weight": 0.3}}', "share": "0.4"})
    trial.refresh_from_db()
    assert (trial.ranking, trial.share) == ({"windows": {"weight": 0.3}}, 0.4)
    start = reverse("admin:search_trial_start", args=[trial.pk])
    assert client.get(start).status_code == 302
    assert RankerTrial.objects.get().state == "draft"
    shown = text(client.post(start, follow=True))
    assert "The trial has begun." in shown
    assert "End the trial" in shown
    assert 'name="ranking"' not in shown
    client.post(page, {"name": "renamed", "ranking": "{}", "share": "0.9"})
    trial.refresh_from_db()
    assert (trial.name, trial.share) == ("renamed", 0.4)
    assert "was started before" in text(client.post(start, follow=True))
    assert "The trial has ended." in text(client.post(reverse("admin:search_trial_end", args=[trial.pk]), follow=True))
    client.post(reverse("admin:search_rankertrial_delete", args=[trial.pk]), {"post": "yes"})
    assert not RankerTrial.objects.exists()


def test_the_results_are_told_in_words_numbers_and_days(client, boss):
    trial = trial_start(trial=trial_create(user=boss, name="windows", ranking=OTHER, share=1))
    address = reverse("admin:search_trial_results", args=[trial.pk])
    assert "Nobody has chosen between the two yet." in text(client.get(address))
    users = [factories.make_user() for _number in range(2)]
    for number in range(6):
        searched(trial, users[number % 2], opened=[2], days_ago=number % 3)
    shown = text(client.get(address))
    assert "Too early to say: B won 100 %" in shown
    assert "<svg" in shown
    assert "Decide beforehand" in shown
    assert not any(user.username in shown for user in users)
    assert address in text(client.get(reverse("admin:search_rankertrial_changelist")))
    assert client.get(reverse("admin:search_trial_results", args=[trial.pk + 1])).status_code == 404


def test_curators_and_users_neither_see_nor_steer_trials(boss):
    factories.make_encoder()
    trial = trial_create(user=boss, name="windows", ranking=OTHER, share=1)
    curator = client_of(factories.make_user(is_staff=True))
    for name in ("results", "start", "end"):
        assert curator.post(reverse(f"admin:search_trial_{name}", args=[trial.pk])).status_code == 403
    assert curator.get(reverse("admin:search_rankertrial_changelist")).status_code == 403
    assert RankerTrial.objects.get().state == "draft"


def test_propensities_are_drawn_with_their_intervals_and_without_an_estimate_that_is_said(client, settings):
    address = reverse("admin:search_positionpropensity_changelist")
    shown = text(client.get(address))
    assert "There is no estimate yet." in shown
    assert "No hits are exchanged at present" in shown
    settings.SEARCH_EXPLORE = 0.02
    PositionPropensity.objects.bulk_create(
        PositionPropensity(rank=rank, propensity=rank**-0.5, low=rank**-0.6, high=rank**-0.4, shows=90)
        for rank in range(1, 31)
    )
    shown = text(client.get(address))
    assert "exchanged with the chance 0.02" in shown
    assert shown.count("rs-plot__band") == 2
    assert "0.707" in shown
    assert client.get(reverse("admin:search_positionpropensity_add")).status_code == 403
