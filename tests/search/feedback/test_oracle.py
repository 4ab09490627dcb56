"""What feedback must and must not do, against a search that knows nothing of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from imagery.models import CollectionMember, Scene
from imagery.models.collection import Visibility
from search import engine
from search.models import Event, LearningChoice, Query
from search.services import event_record, event_withdraw, history_erase, runs
from tests import factories
from tests.search.feedback.world import Harbours, ask, do, mean_rank, order

pytestmark = pytest.mark.django_db


@pytest.fixture
def harbours() -> Harbours:
    return Harbours()


@pytest.fixture
def ada():
    return factories.make_user()


def test_a_like_moves_what_looks_like_it_up_at_once(harbours, ada):
    plain = order(ada)
    do(ada, "like", harbours.cranes[3])
    taught = order(ada)
    assert mean_rank(harbours.cranes, taught) < mean_rank(harbours.cranes, plain)
    assert set(taught) == set(plain)


def test_a_dislike_moves_what_looks_like_it_down(harbours, ada):
    plain = order(ada)
    do(ada, "dislike", harbours.boats[0])
    assert mean_rank(harbours.boats, order(ada)) > mean_rank(harbours.boats, plain)


def test_taken_back_it_is_as_if_it_had_never_been(harbours, ada):
    plain = order(ada)
    token = do(ada, "like", harbours.cranes[3])
    assert order(ada) != plain
    event_withdraw(user=ada, token=token, kind="like")
    assert order(ada) == plain


def test_another_person_s_answer_is_unaffected(harbours, ada):
    """And comes from the kept answer that both shared before."""
    bob = factories.make_user()
    before = ask(bob)
    do(ada, "like", harbours.cranes[3])
    assert ask(bob).pk == before.pk
    stranger = ask(factories.make_user())
    assert (stranger.scene_ids, stranger.scores) == (before.scene_ids, before.scores)
    assert stranger.took_ms["retrieve"] == 0


def _hide_in_a_private_collection(scene: Scene) -> None:
    Scene.objects.filter(pk=scene.pk).update(collection=factories.make_collection())


def _embargo(scene: Scene) -> None:
    Scene.objects.filter(pk=scene.pk).update(embargo_until=timezone.now() + timedelta(days=1))


def _fail(scene: Scene) -> None:
    Scene.objects.filter(pk=scene.pk).update(status=Scene.Status.FAILED)


def _delete(scene: Scene) -> None:
    Scene.objects.get(pk=scene.pk).delete()


@pytest.mark.parametrize("hide", [_hide_in_a_private_collection, _embargo, _fail, _delete])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_hidden_scene_s_like_has_no_effect_at_once(hide, elsewhere, harbours, ada):
    """Also when it lies in a collection that is not asked for."""
    other = factories.make_collection("other", visibility=Visibility.ALL_USERS)
    liked = harbours.scene([1, 0, 0.62, 0, 0, 0, 0, 0], other if elsewhere else harbours.collection)
    plain = order(ada, collections=["coast"])
    do(ada, "like", liked)
    assert order(ada, collections=["coast"]) != plain
    hide(liked)
    assert [pk for pk in plain if pk != liked.pk] == order(ada, collections=["coast"])


def test_a_member_who_is_one_no_more_keeps_nothing_of_what_they_saw(harbours, ada):
    private = factories.make_collection("club", visibility=Visibility.MEMBERS, viewers=[ada])
    liked = harbours.scene([1, 0, 0.62, 0, 0, 0, 0, 0], private)
    plain = order(ada, collections=["coast"])
    do(ada, "like", liked)
    assert order(ada, collections=["coast"]) != plain
    CollectionMember.objects.filter(collection=private).delete()
    assert order(ada, collections=["coast"]) == plain


def test_erased_it_is_as_if_it_had_never_been(harbours, ada):
    plain = order(ada)
    do(ada, "like", harbours.cranes[3])
    do(ada, "like", harbours.cranes[4], "pier")
    assert order(ada) != plain
    history_erase(user=ada)
    assert order(ada) == plain


def test_without_history_nothing_has_a_say(harbours, ada):
    plain = order(ada)
    do(ada, "like", harbours.cranes[3])
    ranking = ask(ada, history=False)
    assert ranking.scene_ids == plain
    assert ranking.query.without_history
    assert not any("feedback" in reason for reason in ranking.reasons)


def test_who_wants_nothing_learnt_gets_what_everybody_gets(harbours, ada):
    plain = order(ada)
    do(ada, "like", harbours.cranes[3])
    choice = LearningChoice.objects.create(user=ada, for_me=False)
    assert order(ada) == plain
    choice.for_me = True
    choice.save()
    assert order(ada) != plain


def test_a_similar_query_learns_and_another_does_not(harbours, ada):
    plain, forest = order(ada, "pier"), ask(ada, "forest")
    do(ada, "like", harbours.cranes[0])
    assert mean_rank(harbours.cranes, order(ada, "pier")) < mean_rank(harbours.cranes, plain)
    unmoved = ask(ada, "forest")
    assert (unmoved.scene_ids, unmoved.scores) == (forest.scene_ids, forest.scores)


def levels(user, text: str = "harbour") -> set[str]:
    """The levels that had a say in an answer."""
    return {reason["feedback"]["level"] for reason in ask(user, text).reasons if "feedback" in reason}


def test_a_session_ends_after_two_hours(harbours, ada):
    do(ada, "like", harbours.cranes[0])
    assert levels(ada) == levels(ada, "a harbour") == {"session"}
    assert levels(ada, "pier") == {"own"}
    Event.objects.update(created_at=timezone.now() - timedelta(hours=2, minutes=1))
    assert levels(ada) == {"own"}


def test_the_last_word_on_a_scene_counts(harbours, ada):
    """Whether it was said of this showing or of an earlier one."""
    plain = order(ada)
    do(ada, "like", harbours.cranes[3])
    liked = order(ada)
    do(ada, "dislike", harbours.cranes[3], "a harbour")
    disliked = order(ada)
    assert mean_rank(harbours.cranes, liked) < mean_rank(harbours.cranes, plain) < mean_rank(harbours.cranes, disliked)


def test_what_is_said_while_an_answer_is_computed_does_not_stay_in_it(harbours, ada, monkeypatch):
    """An answer that knows of a like may not be kept as one from before it: taken back, it would come again."""
    token = do(ada, "click", harbours.boats[0])
    clicked = order(ada)
    event_withdraw(user=ada, token=token, kind="click")
    event_record(user=ada, token=token, kind="click")
    real = engine.request_answer

    def answer(**arguments):
        event_record(user=ada, token=token, kind="like")
        return real(**arguments)

    monkeypatch.setattr(runs, "request_answer", answer)
    order(ada)
    monkeypatch.setattr(runs, "request_answer", real)
    event_withdraw(user=ada, token=token, kind="like")
    assert order(ada) == clicked


def test_the_query_keeps_what_was_asked_together(harbours, ada):
    ask(ada)
    ask(factories.make_user())  # An answer that is taken over.
    first, second = Query.objects.order_by("pk")
    for query in (first, second):
        assert query.asked_under_id == harbours.encoder.pk
        assert list(query.asked) == [1, 0, 0, 0, 0, 0, 0, 0]


def test_judging_hits_makes_no_further_entries_of_the_history(harbours, ada, settings):
    do(ada, "like", harbours.cranes[3])
    first = ask(ada)
    for scene in harbours.boats[:2]:
        do(ada, "like", scene)
    last = ask(ada)
    assert last.pk != first.pk
    assert Query.objects.filter(user=ada).count() == 1
    ask(ada, "pier")
    ask(ada, history=False)
    ask(ada, collections=["coast"])
    assert Query.objects.filter(user=ada).count() == 4
    settings.SEARCH_REUSE_MINUTES = 0
    ask(ada)
    assert Query.objects.filter(user=ada).count() == 5
