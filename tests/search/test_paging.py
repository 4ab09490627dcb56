"""Pages under concurrency: the same page twice at once, and a scene deleted while its page is made."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from imagery.models import Scene
from search.feedback.impressions import impressions_record
from search.models import Impression, Ranking
from search.selectors import ranking_get
from search.services import SearchPage, ranking_page
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

_THREADS = 4


def _in_threads(work: Callable[[int], Any], count: int = _THREADS) -> list[Any]:
    """Run ``work(number)`` in threads that begin together; return what they returned. Raises what one raised."""
    start = threading.Barrier(count)
    results: list[Any] = []
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            start.wait(timeout=20)
            results.append(work(number))
        except BaseException as error:  # noqa: BLE001 - it is raised in the test's thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    if errors:
        raise errors[0]
    return results


def _ranking(count: int) -> Ranking:
    owner = factories.make_user()
    collection = factories.make_collection(owner=owner)
    return factories.make_ranking(owner, [factories.make_scene(collection) for _ in range(count)])


def test_the_same_page_shown_at_once_is_recorded_once():
    ranking = _ranking(5)
    user = ranking.query.user

    def show(number: int) -> SearchPage:
        return ranking_page(user=user, ranking=ranking_get(user, ranking.pk), page=1 + number % 2, size=3)

    shown = _in_threads(show)
    assert Impression.objects.count() == 5
    assert sorted(len(page.hits) for page in shown) == [2, 2, 3, 3]
    ranking.refresh_from_db()
    assert (ranking.cut_to, ranking.dropped_ranks) == (5, [])


def test_a_scene_deleted_while_its_page_is_made_drops_out(monkeypatch):
    """The deletion falls between reading the scene and recording that it was shown."""
    ranking = _ranking(4)
    user = ranking.query.user
    victim = Scene.objects.get(pk=ranking.scene_ids[1])
    deletions: list[int] = []

    def delete_then_record(**arguments: Any) -> dict[int, int]:
        if not deletions:
            deletions.append(1)
            _in_threads(lambda _number: victim.delete(), count=1)
        return impressions_record(**arguments)

    monkeypatch.setattr("search.services.pages.impressions_record", delete_then_record)
    page = ranking_page(user=user, ranking=ranking, size=3)
    assert deletions
    assert [hit.rank for hit in page.hits] == [1, 3, 4]
    assert set(Impression.objects.values_list("rank", flat=True)) == {1, 3, 4}
