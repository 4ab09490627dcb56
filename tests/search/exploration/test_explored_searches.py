"""Searches with swaps: who gets them, that they are told with the ranking, and that nothing else changes."""

from datetime import timedelta

import pytest
from django.utils import timezone

from imagery.models import CollectionMember
from imagery.models.collection import Visibility
from search.models import FeedbackExclusion, LearningChoice, Query, Ranking
from search.services import ranking_page, search_request_parse, search_run
from tests import factories
from tests.pages import client_of

pytestmark = pytest.mark.django_db

HITS = 30


@pytest.fixture
def owner():
    return factories.make_user()


@pytest.fixture
def coast(owner):
    factories.make_encoder(ranking={"diffuse": {"on": False}, "normalise": {"on": False}})
    factories.know_query("harbour")
    collection = factories.make_collection("coast", owner=owner, visibility=Visibility.MEMBERS)
    for number in range(HITS):
        factories.make_scene(collection, title=f"{number:02}", vector=[1, 0.03 * number, 0, 0, 0, 0, 0, 0])
    return collection


@pytest.fixture
def explored(settings):
    settings.SEARCH_EXPLORE = 0.2


def ask(user, text="harbour", channel=Query.Channel.WEB) -> Ranking:
    pk = search_run(user=user, request=search_request_parse(user=user, text=text), channel=channel).pk
    return Ranking.objects.get(pk=pk)


def undone(ranking: Ranking) -> list:
    order = list(ranking.scene_ids)
    for rank in ranking.swapped_ranks:
        order[rank - 1], order[rank] = order[rank], order[rank - 1]
    return order


def plain(coast) -> list:
    return list(coast.scenes.order_by("title").values_list("pk", flat=True))


def friends(coast, count=8) -> list:
    users = [factories.make_user() for _number in range(count)]
    CollectionMember.objects.bulk_create([CollectionMember(collection=coast, user=user) for user in users])
    return users


def consistent(ranking: Ranking) -> bool:
    """Whether everything told of each hit is of the scene that stands there."""
    from imagery.models import Tile

    scenes = dict(Tile.objects.values_list("pk", "scene_id"))
    order = {scene: place for place, scene in enumerate(undone(ranking))}
    straight = sorted(zip(ranking.scene_ids, ranking.scores, ranking.similarities, ranking.reasons, strict=True),
                      key=lambda row: order[row[0]])  # fmt: skip
    scores = [row[1] for row in straight]
    return (
        [scenes[tile] for tile in ranking.tile_ids] == ranking.scene_ids
        and scores == sorted(scores, reverse=True)
        and [row[2] for row in straight] == pytest.approx(scores)
        and len(ranking.reasons) == HITS
    )


def test_what_was_exchanged_is_told_and_undone_gives_what_the_ranker_said(owner, coast, explored):
    ranking = ask(owner)
    assert ranking.swap_share == 0.2
    assert undone(ranking) == plain(coast)
    assert consistent(ranking)
    assert ask(owner).pk == ranking.pk
    pages = [hit.scene.pk for page in (1, 2) for hit in ranking_page(user=owner, ranking=ranking, page=page).hits]
    assert pages == ranking.scene_ids


def test_an_answer_that_is_taken_over_gets_swaps_of_its_own(owner, coast, explored):
    rankings = [ask(user) for user in [*friends(coast), owner]]
    assert len({ranking.computed_at for ranking in rankings}) == 1  # Computed once.
    assert len({tuple(ranking.swapped_ranks) for ranking in rankings}) > 3
    for ranking in rankings:
        assert undone(ranking) == plain(coast), ranking.swapped_ranks
        assert consistent(ranking)


def test_commands_get_the_ranking_as_it_was_computed_from_a_web_answer_too(owner, coast, explored):
    assert any(ask(friend).swapped_ranks for friend in friends(coast))
    ranking = ask(owner, channel=Query.Channel.COMMAND)
    assert (ranking.scene_ids, ranking.swapped_ranks, ranking.swap_share) == (plain(coast), [], 0.0)
    assert ask(owner, channel=Query.Channel.API).swap_share == 0.2


def test_who_teaches_nobody_sees_no_experiment(owner, coast, explored):
    shy, banned = friends(coast, 2)
    LearningChoice.objects.create(user=shy, for_all=False)
    FeedbackExclusion.objects.create(user=banned)
    for user in (shy, banned):
        ranking = ask(user)
        assert (ranking.scene_ids, ranking.swapped_ranks, ranking.swap_share) == (plain(coast), [], 0.0)


def test_the_same_question_has_the_same_swaps_for_a_day(owner, coast, explored, settings, monkeypatch):
    settings.SEARCH_REUSE_MINUTES = 0
    one, two = ask(owner), ask(owner)
    assert one.pk != two.pk
    assert one.scene_ids == two.scene_ids
    later = timezone.now() + timedelta(days=1)
    found = set()
    for days in range(6):
        monkeypatch.setattr(timezone, "now", lambda days=days: later + timedelta(days=days))
        found.add(tuple(ask(owner).swapped_ranks))
    assert len(found) > 2


def test_without_a_share_nothing_moves(owner, coast):
    ranking = ask(owner)
    assert (ranking.scene_ids, ranking.swapped_ranks, ranking.swap_share) == (plain(coast), [], 0.0)


def test_an_old_answer_without_reasons_can_be_taken_over(owner, coast, explored):
    others = friends(coast)
    ask(owner)
    Ranking.objects.update(reasons=[], similarities=[])
    taken = [ask(other) for other in others]
    assert any(ranking.swapped_ranks for ranking in taken)
    assert all((undone(ranking), ranking.reasons, ranking.similarities) == (plain(coast), [], []) for ranking in taken)


def test_the_page_shows_the_hits_in_the_stored_order(owner, coast, explored):
    body = client_of(owner).get("/?q=harbour").content.decode()
    ranking = Ranking.objects.get()
    titles = dict(coast.scenes.values_list("pk", "title"))
    places = [
        body.index(f">{titles[scene]}<") if f">{titles[scene]}<" in body else -1 for scene in ranking.scene_ids[:9]
    ]
    assert places == sorted(places)
    assert min(places) > 0
