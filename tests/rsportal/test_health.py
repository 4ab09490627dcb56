"""/healthz and /readyz."""

import pytest
from django.db import connection
from django.utils import timezone

from rsportal import health, readiness
from rsportal.models import WorkerHeartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(health, "_kept", None)


@pytest.fixture
def workers_alive():
    for cluster in ("default", "encode"):
        WorkerHeartbeat.objects.create(cluster=cluster, host="here", pid=1, beat_at=timezone.now())


def test_healthz_answers_anybody_without_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


def test_not_ready_tells_strangers_only_that(client):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False}


def test_not_ready_tells_a_monitor_why(client, settings):
    settings.READY_TOKEN = "a-long-random-token"
    answer = client.get("/readyz", headers={"Authorization": "Bearer a-long-random-token"})
    assert answer.status_code == 503
    assert "run_worker" in answer.json()["problems"]["worker"]
    assert "problems" not in client.get("/readyz", headers={"Authorization": "Bearer another"}).json()
    assert "problems" not in client.get("/readyz", headers={"Authorization": "Bearer "}).json()


def test_not_ready_tells_staff_why(admin_client):
    assert "worker" in admin_client.get("/readyz").json()["problems"]


def test_an_old_heartbeat_does_not_count(workers_alive):
    assert "worker" not in readiness.readiness_problems()
    WorkerHeartbeat.objects.filter(cluster="encode").update(beat_at=timezone.now() - readiness._BEAT_MAX_AGE * 2)
    assert "encode" in readiness.readiness_problems()["worker"]


def test_a_missing_migration_is_named(workers_alive):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    assert "sessions" in readiness.readiness_problems()["migrations"]


def test_the_active_encoder_is_asked_for(workers_alive):
    from imagery.models import Encoder

    Encoder.objects.update(state=Encoder.State.RETIRED)
    assert "encoder" in readiness.readiness_problems()
