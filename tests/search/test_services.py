"""Running a search, its pages, and what they remember."""

from datetime import date

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from imagery.models import Scene
from imagery.models.collection import Visibility
from rsportal.errors import InvalidInput, Unavailable
from search.models import Impression, Query, Ranking
from search.ranking import Band
from search.selectors import archive_progress, ranking_get
from search.services import ranking_page, search_request_parse, search_run
from tests import factories

pytestmark = pytest.mark.django_db

WINDOW = (16, 8, 32, 32)


@pytest.fixture
def owner():
    return factories.make_user()


@pytest.fixture
def collection(owner):
    factories.make_encoder(calibration={"scale": 10.0, "offset": -4.0})
    return factories.make_collection("coast", owner=owner)


def _scenes(collection, count: int) -> list[Scene]:
    """Scenes whose cosine with the first axis falls from 1 in steps; the first is the best."""
    return [factories.make_scene(collection, vector=[1, 0.1 * n, 0, 0, 0, 0, 0, 0]) for n in range(count)]


def _run(user, text: str = "harbour", **asked) -> Ranking:
    return search_run(user=user, request=search_request_parse(user=user, text=text, **asked))


def _ids(page) -> list:
    return [hit.scene.pk for hit in page.hits]


def test_the_answer_is_ordered_stored_and_timed(owner, collection):
    scenes = _scenes(collection, 3)
    part = factories.make_scene(
        collection, vector=factories.axis(3), windows={WINDOW: [1, 0.2, 0, 0, 0, 0, 0, 0]}, title="Port"
    )
    factories.know_query("harbour")
    ranking = _run(owner, "  harbour ", collections=["coast"])
    assert ranking.scene_ids == [scenes[0].pk, scenes[1].pk, scenes[2].pk, part.pk]
    assert ranking.scores[:2] == pytest.approx([1.0, 0.995], abs=2e-3)
    assert ranking.searched == 4
    assert ranking.ranker.startswith("stages-")
    assert set(ranking.took_ms) == {"encode", "retrieve", "rank", "total"}
    assert (
        0
        < ranking.took_ms["total"]
        == pytest.approx(ranking.took_ms["encode"] + ranking.took_ms["retrieve"] + ranking.took_ms["rank"], abs=0.1)
    )
    query = Query.objects.get()
    assert (query.user, query.text, query.filters) == (owner, "harbour", {"collections": ["coast"]})
    assert query.vector is not None and query.vector.text == "harbour"
    hits = ranking_page(user=owner, ranking=ranking).hits
    assert [hit.window for hit in hits] == [None, None, None, WINDOW]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]


def test_limit_keeps_the_best(owner, collection):
    best = _scenes(collection, 5)[:2]
    factories.know_query("harbour")
    ranking = search_run(user=owner, request=search_request_parse(user=owner, text="harbour"), limit=2)
    assert ranking.scene_ids == [scene.pk for scene in best]
    assert ranking.searched == 5


def test_without_an_encoder_it_says_what_to_do(owner):
    with pytest.raises(Unavailable, match=r"manage\.py encoder"):
        _run(owner)


def test_an_encoder_whose_files_are_gone_is_unavailable(owner, collection):
    with pytest.raises(Unavailable) as caught:
        _run(owner)
    assert caught.value.code == "encoder_unavailable"
    assert not Query.objects.exists()


def test_an_empty_archive_has_an_empty_answer(owner, collection):
    factories.know_query("harbour")
    ranking = _run(owner)
    page = ranking_page(user=owner, ranking=ranking)
    assert (ranking.searched, page.hits, page.total, page.pages, page.weaker_from) == (0, [], 0, 1, None)


def test_dates_filter_by_whole_days(owner, collection):
    evening = factories.make_scene(collection, datetime=factories.utc(2024, 5, 31, 23))
    factories.make_scene(collection, datetime=factories.utc(2024, 6, 1))
    factories.make_scene(collection)
    factories.know_query("harbour")
    assert _run(owner, start=date(2024, 5, 31), end=date(2024, 5, 31)).scene_ids == [evening.pk]


def test_nobody_else_s_private_scenes_are_found_or_counted(owner, collection):
    stranger = factories.make_user()
    _scenes(collection, 3)
    shared = factories.make_scene(factories.make_collection(owner=owner, visibility=Visibility.ALL_USERS))
    member = factories.make_scene(
        factories.make_collection(owner=owner, visibility=Visibility.MEMBERS, viewers=[stranger])
    )
    factories.know_query("harbour")
    ranking = _run(stranger)
    assert set(ranking.scene_ids) == {shared.pk, member.pk}
    assert ranking.searched == 2
    assert archive_progress(stranger)[:2] == (2, 2)
    assert archive_progress(AnonymousUser())[:2] == (0, 0)


def test_statements_do_not_grow_with_the_archive(owner, collection):
    factories.know_query("harbour")
    counts = []
    for count in (2, 30, 30):
        _scenes(collection, count)
        request = search_request_parse(user=owner, text="harbour", collections=["coast"])
        with CaptureQueriesContext(connection) as asked:
            ranking = search_run(user=owner, request=request)
        with CaptureQueriesContext(connection) as paged:
            page = ranking_page(user=owner, ranking=ranking)
            assert [hit.scene.collection.title for hit in page.hits]
        assert not any('"vector"' in row["sql"] for row in paged), "a page reads no vectors"
        assert sum("<=>" in row["sql"] for row in asked) == 1
        counts.append((len(asked), len(paged)))
    assert counts[1] == counts[2], "the first search also reads the encoder's means"
    # Of a page: what is hidden, scenes, tiles; savepoint, impressions, settled ranks, release.
    assert counts[1][1] == 7
    # State, encoder, what one and what all did, what is known; vector; candidates with their settings; state;
    # savepoint, vector, rows, release.
    assert counts[1][0] <= 18


def test_pages_neither_repeat_nor_drop(owner, collection):
    scenes = _scenes(collection, 11)
    factories.know_query("harbour")
    ranking = _run(owner)
    seen = []
    for number in (1, 2, 3):
        page = ranking_page(user=owner, ranking=ranking_get(owner, ranking.pk), page=number, size=4)
        assert (page.page, page.pages, page.total) == (number, 3, 11)
        seen += _ids(page)
    assert seen == [scene.pk for scene in scenes]
    assert Impression.objects.filter(ranking=ranking).count() == 11
    assert list(Impression.objects.values_list("rank", flat=True)) == list(range(1, 12))


def test_a_page_shown_twice_is_one_impression_with_one_token_s_target(owner, collection):
    _scenes(collection, 3)
    factories.know_query("harbour")
    ranking = _run(owner)
    ranking_page(user=owner, ranking=ranking)
    before = list(Impression.objects.values_list("pk", "shown_at"))
    ranking_page(user=owner, ranking=ranking_get(owner, str(ranking.pk)))
    assert list(Impression.objects.values_list("pk", "shown_at")) == before


def test_scenes_deleted_or_hidden_between_pages_drop_out_without_a_hole(owner, collection):
    viewer = factories.make_user()
    collection.visibility = Visibility.ALL_USERS
    collection.save()
    other = factories.make_collection(owner=owner, visibility=Visibility.ALL_USERS)
    scenes = _scenes(collection, 4)
    hidden = factories.make_scene(other, vector=[1, 0.35, 0, 0, 0, 0, 0, 0])
    scenes += [factories.make_scene(collection, vector=[1, 0.1 * n, 0, 0, 0, 0, 0, 0]) for n in range(4, 8)]
    factories.know_query("harbour")
    ranking = _run(viewer)
    assert len(ranking.scene_ids) == 9
    assert _ids(ranking_page(user=viewer, ranking=ranking_get(viewer, ranking.pk), size=3)) == [
        scene.pk for scene in scenes[:3]
    ]
    scenes[2].delete()  # was shown last on page 1: page 2 must not skip the next one
    other.visibility = Visibility.PRIVATE
    other.save()
    second = ranking_page(user=viewer, ranking=ranking_get(viewer, ranking.pk), page=2, size=3)
    assert _ids(second) == [scenes[3].pk, scenes[4].pk, scenes[5].pk]
    assert hidden.pk not in _ids(second)
    other.visibility = Visibility.ALL_USERS
    other.save()
    third = ranking_page(user=viewer, ranking=ranking_get(viewer, ranking.pk), page=3, size=3)
    assert _ids(third) == [scenes[6].pk, scenes[7].pk]
    assert _ids(ranking_page(user=viewer, ranking=ranking_get(viewer, ranking.pk), size=3)) == [
        scene.pk for scene in scenes[:2]
    ]


def test_a_tile_that_is_gone_leaves_the_scene(owner, collection):
    scene = factories.make_scene(collection, vector=factories.axis(3), windows={WINDOW: factories.axis(0)})
    factories.know_query("harbour")
    ranking = _run(owner)
    scene.tiles.filter(level=1).delete()
    hit = ranking_page(user=owner, ranking=ranking).hits[0]
    assert (hit.scene, hit.window) == (scene, None)
    assert Impression.objects.get().tile is None


def test_bands_and_the_line_of_weaker_matches(owner, collection):
    for cosine in (0.9, 0.45, 0.3, 0.1, 0.05):  # logistic of 10 c - 4: .99 .62 .27 .05 .03
        factories.make_scene(collection, vector=[cosine, (1 - cosine**2) ** 0.5, 0, 0, 0, 0, 0, 0])
    factories.know_query("harbour")
    ranking = _run(owner)
    page = ranking_page(user=owner, ranking=ranking)
    assert [hit.band for hit in page.hits] == [Band.LIKELY] * 2 + [Band.POSSIBLE] + [Band.UNLIKELY] * 2
    assert page.weaker_from == 3
    by_size = {
        (size, number): ranking_page(user=owner, ranking=ranking, page=number, size=size).weaker_from
        for size, number in [(3, 1), (3, 2), (2, 2), (2, 3), (1, 4), (1, 5)]
    }
    assert by_size == {(3, 1): None, (3, 2): 0, (2, 2): 1, (2, 3): None, (1, 4): 0, (1, 5): None}


@pytest.mark.parametrize(("field", "value"), [("page", 0), ("page", -1), ("size", 0), ("size", 1_001)])
def test_page_numbers_are_checked(owner, collection, field, value):
    factories.know_query("harbour")
    with pytest.raises(InvalidInput) as caught:
        ranking_page(user=owner, ranking=_run(owner), **{field: value})
    assert caught.value.field == field


def test_a_ranking_belongs_to_who_asked(owner, collection):
    factories.know_query("harbour")
    ranking = _run(owner)
    assert ranking_get(owner, ranking.pk) == ranking
    for user in (factories.make_user(), factories.make_user(superuser=True), AnonymousUser()):
        with pytest.raises(Ranking.DoesNotExist):
            ranking_get(user, ranking.pk)
    with pytest.raises(Ranking.DoesNotExist):
        ranking_get(owner, "no-uuid")


def test_progress_counts_what_the_active_encoder_has_seen(owner, collection):
    _scenes(collection, 2)
    factories.make_scene(collection, status=Scene.Status.PENDING)
    factories.make_scene(collection, status=Scene.Status.FAILED)
    assert archive_progress(owner)[:2] == (2, 3)
    encoder = factories.make_encoder()
    assert archive_progress(owner) == (0, 3, encoder)
