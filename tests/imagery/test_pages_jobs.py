"""The jobs page: live while something is unfinished, quiet afterwards, and useful without JavaScript."""

from uuid import uuid4

import pytest
from django.urls import reverse

from imagery.models import IngestJob, Scene
from imagery.models.collection import Visibility
from tests.factories import make_collection, make_scene, make_user
from tests.pages import client_of, count_queries, page

pytestmark = pytest.mark.django_db
State = IngestJob.State
JOBS = "/jobs/"


@pytest.fixture
def owner():
    return make_user("ana")


@pytest.fixture
def collection(owner):
    return make_collection("bay", owner=owner)


def make_job(collection, state=State.READY, **fields):
    fields.setdefault("source_name", f"{state}.tif")
    return IngestJob.objects.create(collection=collection, state=state, created_by=collection.owner, **fields)


def test_no_jobs_says_what_to_do(owner):
    html = page(client_of(owner), JOBS)
    assert "No jobs yet" in html
    assert reverse("imagery:upload") in html


def test_the_list_polls_only_while_something_is_unfinished(owner, collection):
    client = client_of(owner)
    make_job(collection, State.READY)
    assert "hx-trigger" not in page(client, JOBS)
    job = make_job(collection, State.RUNNING, done=3, total=12)
    html = page(client, JOBS)
    assert 'hx-trigger="every' in html
    assert "3 / 12" in html
    job.state = State.READY
    job.save()
    assert "hx-trigger" not in page(client, JOBS)


def test_htmx_gets_the_live_part_alone(owner, collection):
    make_job(collection, State.RUNNING)
    html = page(client_of(owner), JOBS, htmx=True)
    assert "<html" not in html
    assert html.count('id="jobs-live"') == 1


def test_reasons_and_attempts_are_shown(owner, collection):
    make_job(collection, State.FAILED, reason="broken.tif is not an image.", attempts=3)
    html = page(client_of(owner), JOBS)
    assert "broken.tif is not an image." in html
    assert "attempt 3" in html


def test_filters_by_state_and_batch(owner, collection):
    batch = uuid4()
    make_job(collection, State.READY, source_name="one.tif", batch=batch)
    make_job(collection, State.FAILED, source_name="two.tif", batch=batch)
    make_job(collection, State.RUNNING, source_name="three.tif")
    client = client_of(owner)
    assert "three.tif" not in page(client, f"{JOBS}?batch={batch}")
    failed = page(client, f"{JOBS}?batch={batch}&state=failed")
    assert "two.tif" in failed and "one.tif" not in failed
    assert "three.tif" in page(client, f"{JOBS}?state=unfinished")
    assert "three.tif" in page(client, f"{JOBS}?state=nonsense")
    page(client, f"{JOBS}?batch=nonsense", status=404)


def test_strangers_see_no_jobs(collection):
    job = make_job(collection, source_name="secret.tif")
    client = client_of(make_user())
    assert "secret.tif" not in page(client, JOBS)
    page(client, reverse("imagery:job_row", args=[job.pk]), status=404)
    for name in ("imagery:job_retry", "imagery:job_cancel"):
        assert client.post(reverse(name, args=[job.pk])).status_code == 404


def test_retry_without_javascript_queues_again_and_comes_back(owner, collection):
    scene = make_scene(collection, status=Scene.Status.FAILED)
    job = make_job(collection, State.FAILED, scene=scene, retryable=True, reason="out of memory")
    client = client_of(owner)
    where = reverse("imagery:job_retry", args=[job.pk])
    assert where in page(client, JOBS)
    response = client.post(where, {"next": f"{JOBS}?state=failed"})
    assert response["Location"] == f"{JOBS}?state=failed"
    job.refresh_from_db()
    assert job.state == State.QUEUED


def test_after_a_retry_htmx_gets_the_live_list(owner, collection):
    scene = make_scene(collection, status=Scene.Status.FAILED)
    job = make_job(collection, State.FAILED, scene=scene, retryable=True)
    response = client_of(owner).post(
        reverse("imagery:job_retry", args=[job.pk]), {"next": JOBS}, headers={"HX-Request": "true"}, follow=True
    )
    assert 'hx-trigger="every' in response.content.decode()


def test_cancel_stops_a_waiting_job(owner, collection, django_capture_on_commit_callbacks):
    scene = make_scene(collection, status=Scene.Status.PENDING)
    job = make_job(collection, State.QUEUED, scene=scene)
    with django_capture_on_commit_callbacks(execute=True):
        response = client_of(owner).post(
            reverse("imagery:job_cancel", args=[job.pk]), {"next": "https://evil.example/"}
        )
    assert response["Location"] == JOBS
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_viewers_of_a_collection_get_no_buttons_for_their_own_old_jobs(collection):
    former = make_user()
    collection.visibility = Visibility.ALL_USERS
    collection.save()
    job = make_job(collection, State.QUEUED)
    IngestJob.objects.filter(pk=job.pk).update(created_by=former)
    html = page(client_of(former), JOBS)
    assert job.source_name in html
    assert reverse("imagery:job_cancel", args=[job.pk]) not in html


def test_long_lists_are_paged_and_need_no_more_statements(owner, collection):
    client = client_of(owner)
    make_job(collection, scene=make_scene(collection))
    few = count_queries(client, JOBS)
    for _ in range(60):
        make_job(collection, scene=make_scene(collection))
    html = page(client, JOBS)
    assert html.count('class="job"') == 50
    assert "page=2" in html
    assert count_queries(client, JOBS) == few
