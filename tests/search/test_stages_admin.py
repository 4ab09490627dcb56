"""The ranking stages of an encoder in the administration, and what a search makes of them."""

import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from imagery.models import Encoder
from search.engine import ranker_of
from search.services.stages import encoder_stages_set
from tests.factories import axis, make_encoder, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def encoder() -> Encoder:
    return make_encoder("one")


def _address(encoder: Encoder) -> str:
    return reverse("admin:search_encoder_stages", args=[encoder.pk])


def test_an_administrator_changes_a_stage(client, encoder):
    client.force_login(make_user(superuser=True))
    shown = client.get(reverse("admin:imagery_encoder_change", args=[encoder.pk])).content.decode()
    assert _address(encoder) in shown
    before = ranker_of(encoder).version
    answer = client.post(_address(encoder), {"ranking": '{"diffuse": {"on": false}, "windows": {"weight": 0.95}}'})
    assert answer.status_code == 302
    encoder.refresh_from_db()
    assert encoder.ranking == {"diffuse": {"on": False}}, "what equals the defaults is not kept"
    assert ranker_of(encoder).version != before
    assert "&quot;diffuse&quot;" in client.get(_address(encoder)).content.decode()
    client.post(_address(encoder), {"ranking": ""})
    encoder.refresh_from_db()
    assert encoder.ranking == {}
    assert ranker_of(encoder).version == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"difuse": {"on": true}}', "There is no ranking stage"),
        ('{"diffuse": {"weight": 99}}', "it must be 0 to 10"),
        ('{"diffuse": ', "This is no JSON"),
        ("[1]", "as an object"),
    ],
)
def test_a_wrong_entry_is_refused_with_a_sentence(client, encoder, text, told):
    client.force_login(make_user(superuser=True))
    answer = client.post(_address(encoder), {"ranking": text})
    assert answer.status_code == 200
    assert told in answer.content.decode()
    encoder.refresh_from_db()
    assert encoder.ranking == {}


def test_it_is_for_those_who_may_change_encoders(client, encoder):
    client.force_login(make_user(is_staff=True))
    assert client.get(_address(encoder)).status_code == 403
    assert client.post(_address(encoder), {"ranking": "{}"}).status_code == 403


def test_a_stage_that_lacks_a_mean_says_so(client, encoder):
    client.force_login(make_user(superuser=True))
    encoder_stages_set(encoder=encoder, ranking={"normalise": {"on": True}})
    encoder.refresh_from_db()
    assert not ranker_of(encoder).settings.normalise.on
    shown = client.get(_address(encoder)).content.decode()
    assert "no mean of texts" in shown
    assert "switched on, but cannot" in shown
    Encoder.objects.filter(pk=encoder.pk).update(
        text_mean=axis(0).tolist(), image_mean=axis(1).tolist(), means_at=timezone.now()
    )
    encoder.refresh_from_db()
    ranker = ranker_of(encoder)
    assert ranker.settings.normalise.on
    assert ranker.geometry.image_mean is not None
    assert np.array_equal(ranker.geometry.image_mean, axis(1))
    assert "no mean of texts" not in client.get(_address(encoder)).content.decode()


def test_settings_of_another_version_are_named_and_can_be_put_right(client, encoder):
    client.force_login(make_user(superuser=True))
    Encoder.objects.filter(pk=encoder.pk).update(ranking={"magic": {"on": True}})
    assert "There is no ranking stage" in client.get(_address(encoder)).content.decode()
    assert client.post(_address(encoder), {"ranking": "{}"}).status_code == 302
