"""Ingest jobs in the administration."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from imagery.models import Collection, IngestJob
from imagery.models.collection import Visibility
from rsportal.accounts.models import User
from tests.factories import make_collection, make_scene, make_user
from tests.staff import make_curator

pytestmark = pytest.mark.django_db

LIST = "admin:imagery_ingestjob_changelist"
CHANGE = "admin:imagery_ingestjob_change"


@pytest.fixture
def curator() -> User:
    return make_curator("carla")


@pytest.fixture
def page(client: Client, curator: User) -> Client:
    client.force_login(curator)
    return client


@pytest.fixture
def mine(curator: User) -> Collection:
    return make_collection("mine", owner=curator, title="My bays")


def make_job(collection: Collection, name: str = "bay.tif", **fields: Any) -> IngestJob:
    """Return a job row; those that a worker has met belong to a scene."""
    return IngestJob.objects.create(collection=collection, source_name=name, **fields)


def choose(page: Client, action: str, *jobs: IngestJob) -> str:
    """Run an action on jobs and return the page that tells the results."""
    chosen = {"action": action, "_selected_action": [job.pk for job in jobs]}
    return page.post(reverse(LIST), chosen, follow=True).content.decode()


def test_the_list_shows_progress_reason_and_age(page: Client, mine: Collection) -> None:
    now = timezone.now()
    make_job(
        mine,
        "half.tif",
        state="running",
        done=30,
        total=60,
        attempts=2,
        heartbeat_at=now - timedelta(minutes=5),
    )
    make_job(mine, "broken.tif", state="failed", reason="broken.tif is not an image.")
    shown = page.get(reverse(LIST)).content.decode()
    assert 'value="50"' in shown and "30/60" in shown
    assert "5\xa0minutes ago" in shown
    assert "broken.tif is not an image." in shown


def test_jobs_of_other_peoples_collections_do_not_show(page: Client, mine: Collection) -> None:
    hidden = make_job(
        make_collection("hidden-bays", title="Hidden bays"), "hidden.tif", state="failed", reason="hidden reason"
    )
    opened = make_job(make_collection("open", visibility=Visibility.ALL_USERS, title="Open"), "open.tif")
    for query in ({}, {"q": "hidden"}, {"state__exact": "failed"}):
        shown = page.get(reverse(LIST), query).content.decode().replace("?q=hidden", "").replace('value="hidden"', "")
        assert not any(secret in shown for secret in ("hidden.tif", "Hidden bays", "hidden reason", "open.tif"))
    for job in (hidden, opened):
        answer = page.get(reverse(CHANGE, args=[job.pk]), follow=True).content.decode()
        assert job.source_name not in answer
        choose(page, "retry", job)
        choose(page, "cancel", job)
        before = job.state
        job.refresh_from_db()
        assert job.state == before


def test_a_waiting_job_is_cancelled_and_a_finished_one_is_not(page: Client, mine: Collection) -> None:
    waiting = make_job(mine, "waiting.tif", scene=make_scene(mine, status="pending"))
    ready = make_job(mine, "ready.tif", state="ready", scene=make_scene(mine))
    told = choose(page, "cancel", waiting, ready)
    assert "waiting.tif – cancelled" in told and "ready.tif is finished" in told
    waiting.refresh_from_db()
    ready.refresh_from_db()
    assert (waiting.state, ready.state) == ("cancelled", "ready")


def test_a_failed_job_is_queued_again_and_a_ready_one_is_not(page: Client, mine: Collection) -> None:
    failed = make_job(
        mine, "failed.tif", state="failed", retryable=True, attempts=3, reason="The disk was full.",
        scene=make_scene(mine, status="failed", files=True),
    )  # fmt: skip
    ready = make_job(mine, "ready.tif", state="ready", scene=make_scene(mine))
    told = choose(page, "retry", failed, ready)
    assert "failed.tif – queued again" in told and "ready.tif has not failed" in told
    failed.refresh_from_db()
    ready.refresh_from_db()
    assert (failed.state, ready.state) == ("queued", "ready")


def test_a_job_is_read_only_otherwise(page: Client, mine: Collection) -> None:
    job = make_job(mine, state="failed", reason="The disk was full.", scene=make_scene(mine, title="The bay"))
    shown = page.get(reverse(CHANGE, args=[job.pk])).content.decode()
    assert "The disk was full." in shown and "The bay" in shown
    assert page.post(reverse(CHANGE, args=[job.pk]), {"state": "ready"}).status_code == 403
    assert page.get(reverse("admin:imagery_ingestjob_add")).status_code == 403
    assert page.post(reverse("admin:imagery_ingestjob_delete", args=[job.pk]), {"post": "yes"}).status_code == 403


def test_looking_does_not_let_one_steer(client: Client, mine: Collection) -> None:
    looker = make_user("looker", is_staff=True)
    from django.contrib.auth.models import Permission

    looker.user_permissions.add(Permission.objects.get(codename="view_ingestjob"))
    mine.visibility = Visibility.MEMBERS
    mine.save()
    mine.memberships.create(user=looker, role="editor")
    job = make_job(mine)
    client.force_login(looker)
    assert "bay.tif" in client.get(reverse(LIST)).content.decode()
    choose(client, "cancel", job)
    job.refresh_from_db()
    assert job.state == "queued"
