"""Encoders in the administration: what is shown to whom, and the buttons of a change of model."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from imagery.models import Embedding, Encoder, EncoderFill, FillItem
from imagery.services.encoders import encoder_register
from imagery.services.fill import encoder_fill, fill_plan
from imagery.services.fill_run import fills_drain
from tests import factories
from tests.factories import make_collection, make_scene, make_user
from tests.staff import make_curator

pytestmark = pytest.mark.django_db
LIST = "admin:imagery_encoder_changelist"


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(make_user("boss", superuser=True))
    return client


@pytest.fixture
def twin(encoder: Encoder) -> Encoder:
    return encoder_register(name="twin", kind="transformers", source=encoder.source)


def page(client: Client, encoder: Encoder) -> str:
    return client.get(reverse("admin:imagery_encoder_change", args=[encoder.pk])).content.decode()


def do(client: Client, encoder: Encoder, step: str) -> str:
    address = reverse("admin:imagery_encoder_step", args=[encoder.pk, step])
    return client.post(address, follow=True).content.decode()


def test_a_curator_looks_and_learns_nothing_of_other_people_s_archive(client, django_assert_max_num_queries):
    encoder = factories.active_encoder()
    curator = make_curator()
    client.force_login(curator)
    hidden = make_scene(make_collection("of-another"), title="hidden bay")
    fill = EncoderFill.objects.create(encoder=encoder, total=1, failed=1, planned_at=timezone.now())
    FillItem.objects.create(fill=fill, scene=hidden, state=FillItem.State.FAILED, reason="hidden bay is broken")
    with django_assert_max_num_queries(11) as asked:
        shown = client.get(reverse(LIST)).content.decode()
    assert encoder.name in shown and '<td class="field-vectors">–</td>' in shown
    assert "hidden bay" not in shown + page(client, encoder)
    assert "Retire" not in page(client, encoder)
    assert not any('"vector"' in query["sql"] for query in asked.captured_queries)
    assert (
        client.post(reverse("admin:imagery_encoder_change", args=[encoder.pk]), {"dimension": "9"}).status_code == 403
    )
    for step in ("fill", "pause", "resume", "retry", "activate", "partial", "rollback", "sketch", "cancel", "retire"):
        address = reverse("admin:imagery_encoder_step", args=[encoder.pk, step])
        assert client.get(address).status_code == client.post(address).status_code == 403
    assert client.get(reverse("admin:imagery_encoder_register")).status_code == 403


def test_the_list_shows_numbers_and_fills_without_a_query_a_row(boss, django_assert_max_num_queries):
    for number in range(4):
        encoder = factories.make_encoder(f"model-{number}")
        EncoderFill.objects.create(encoder=encoder, total=1_200, done=300, planned_at=timezone.now())
        make_scene(encoder=encoder)
    with django_assert_max_num_queries(12):
        shown = boss.get(reverse(LIST)).content.decode()
    assert shown.count('<td class="field-vectors">1</td>') == 4
    assert shown.count("300 of 1,200 scenes") == 4


def test_a_change_of_model_by_buttons(boss, encoder, twin, collection):
    scene = make_scene(collection, files=True)
    assert "is being filled" in do(boss, twin, "fill")
    assert "looks for scenes" in page(boss, twin)
    assert "stops after the batch" in do(boss, twin, "pause")
    assert "goes on" in do(boss, twin, "resume")
    assert "no vectors of 1 scenes" in do(boss, twin, "activate")
    fills_drain()
    asked = boss.get(reverse("admin:imagery_encoder_step", args=[twin.pk, "activate"])).content.decode()
    assert "kept current" in asked and Encoder.objects.get(pk=twin.pk).state == Encoder.State.READY
    assert "twin is active" in do(boss, twin, "activate")
    assert "is not active" in do(boss, encoder, "rollback")
    assert "is active again" in do(boss, twin, "rollback")
    assert Encoder.objects.get(state=Encoder.State.ACTIVE) == encoder
    assert "is active" in do(boss, encoder, "retire"), "refused"
    assert Embedding.objects.filter(encoder=twin, tile__scene=scene).exists()
    assert "is given up" in do(boss, twin, "cancel")
    assert boss.get(reverse("admin:imagery_encoder_step", args=[twin.pk, "explode"])).status_code == 404
    assert boss.get(reverse("admin:imagery_encoder_step", args=[twin.pk, "fill"])).status_code == 405
    assert boss.get(reverse("admin:imagery_encoder_step", args=[0, "retire"])).status_code == 404


def test_failed_scenes_are_named_with_their_reason_and_retried(boss, encoder, twin, collection):
    scene = make_scene(collection, title="broken bay", files=False)
    encoder_fill(encoder=twin)
    fills_drain()
    shown = page(boss, twin)
    assert "broken bay" in shown and str(scene.pk) in shown and "Retry failed scenes" in shown
    assert "Activate although incomplete" in shown
    assert "tried again" in do(boss, twin, "retry")
    assert FillItem.objects.get().state == FillItem.State.QUEUED


def test_a_running_fill_tells_its_rate_and_time_left(boss, encoder, twin, collection):
    make_scene(collection)
    fill = encoder_fill(encoder=twin)
    fill_plan(fill.pk)
    EncoderFill.objects.filter(pk=fill.pk).update(
        total=1_000, done=400, rate=2.0, updated_at=timezone.now(), measured_at=timezone.now()
    )
    shown = page(boss, twin)
    assert "400 of 1,000 scenes" in shown and "2.0 scenes a second" in shown and "5" in shown and "left" in shown
    long_ago = timezone.now() - timedelta(hours=1)
    EncoderFill.objects.filter(pk=fill.pk).update(updated_at=long_ago, measured_at=long_ago, started_at=long_ago)
    assert "is a worker running?" in page(boss, twin)


def test_registering_reads_the_files_and_says_what_is_wrong(boss, encoder, tmp_path):
    address = reverse("admin:imagery_encoder_register")
    good = {"name": "third", "kind": "transformers", "source": encoder.source}
    assert boss.get(address).status_code == 200
    refused = boss.post(address, {**good, "source": str(tmp_path)}).content.decode()
    assert "config.json" in refused and not Encoder.objects.filter(name="third").exists()
    taken = boss.post(address, {**good, "name": encoder.name}).content.decode()
    assert "already exists" in taken
    assert "third is registered" in boss.post(address, good, follow=True).content.decode()
    assert Encoder.objects.get(name="third").checksum == encoder.checksum


def test_staff_with_the_right_to_change_may_steer_but_not_register(client, encoder, twin):
    somebody = make_user("somebody", is_staff=True)
    for name in ("view_encoder", "change_encoder"):
        somebody.user_permissions.add(Permission.objects.get(codename=name, content_type__app_label="imagery"))
    client.force_login(somebody)
    assert "is being filled" in do(client, twin, "fill")
    assert client.get(reverse("admin:imagery_encoder_register")).status_code == 403
