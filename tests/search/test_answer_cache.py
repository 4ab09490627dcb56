"""Answers that are used again: by whom, for how long, and what makes them old. Every change is a real one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from imagery.models import Collection, CollectionMember, Embedding, Encoder, Scene, Tile
from imagery.models.collection import Visibility
from imagery.services.partitions import partition_name
from search import engine
from search.models import Query, Ranking
from search.selectors import ranking_get
from search.services import ranking_page, search_request_parse, search_run
from search.services import runs as runs_module
from tests import factories
from tests.pages import client_of, count_queries

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return factories.make_user()


@pytest.fixture
def coast(owner):
    factories.make_encoder()
    factories.know_query("harbour")
    collection = factories.make_collection("coast", owner=owner, visibility=Visibility.MEMBERS, license="CC-BY-4.0")
    for number in range(4):
        factories.make_scene(collection, vector=[1, 0.1 * number, 0, 0, 0, 0, 0, 0], gsd=1.0)
    return collection


def ask(user, text="harbour", channel=Query.Channel.WEB, **filters) -> Ranking:
    return search_run(user=user, request=search_request_parse(user=user, text=text, **filters), channel=channel)


def measured(user, **asked) -> tuple[Ranking, bool]:
    """Ask; return the ranking and whether distances were measured for it."""
    with CaptureQueriesContext(connection) as statements:
        ranking = ask(user, **asked)
    return ranking, any("<=>" in row["sql"] for row in statements)


def test_the_same_question_is_one_entry_and_computed_once(owner, coast):
    first, computed = measured(owner)
    assert computed
    again, computed = measured(owner)
    assert not computed
    assert (again.pk, Query.objects.count(), Ranking.objects.count()) == (first.pk, 1, 1)
    assert ranking_page(user=owner, ranking=again).total == 4
    factories.know_query("Harbour")
    others: list[dict[str, Any]] = [{"text": "Harbour"}, {"gsd_max": 5}, {"collections": ["coast"]}]
    for other in others:
        assert measured(owner, **other)[1], other


def test_another_channel_gets_an_entry_of_its_own_without_computing(owner, coast):
    first = ask(owner)
    second, computed = measured(owner, channel=Query.Channel.API)
    assert not computed
    assert second.pk != first.pk
    assert (second.query.channel, second.scene_ids, second.reasons) == ("api", first.scene_ids, first.reasons)
    assert second.took_ms["retrieve"] == 0 < second.took_ms["total"]


def test_people_who_see_the_same_share_the_computation_and_nothing_else(owner, coast):
    """And who sees something else does not."""
    friend, stranger = factories.make_user(), factories.make_user()
    CollectionMember.objects.create(collection=coast, user=friend)
    mine = ask(owner)
    ranking_page(user=owner, ranking=mine)
    theirs, computed = measured(friend)
    assert not computed
    assert theirs.query.user == friend and theirs.query_id != mine.query_id
    assert (theirs.scene_ids, theirs.tile_ids, theirs.scores) == (mine.scene_ids, mine.tile_ids, mine.scores)
    assert (theirs.cut_to, theirs.dropped_ranks, theirs.computed_at) == (0, [], mine.computed_at)
    nothing, computed = measured(stranger)
    assert computed or nothing.searched == 0
    assert (nothing.scene_ids, nothing.searched) == ([], 0)
    mine.query.delete()
    assert ranking_page(user=friend, ranking=ranking_get(friend, theirs.pk)).total == 4


def some_scene(collection: Collection) -> Scene:
    scene: Scene = Scene.objects.filter(collection=collection).order_by("title")[0]
    return scene


def _new_scene(coast: Collection) -> None:
    factories.make_scene(coast)


def _deleted_scene(coast: Collection) -> None:
    some_scene(coast).delete()


def _sql(statement: str) -> Callable[[Collection], None]:
    def run(coast: Collection) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement.format(part=partition_name(Encoder.objects.get(state="active").pk)))

    return run


def _copied_vectors(coast: Collection) -> None:
    """As a bulk load does: COPY, by the name of the partition."""
    scene = some_scene(coast)
    tile = Tile.objects.create(scene=scene, level=1, x=0, y=0, width=8, height=8)
    encoder = Encoder.objects.get(state="active")
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {partition_name(encoder.pk)} (encoder_id, tile_id, vector) FROM STDIN") as copy,
    ):
        copy.write_row((encoder.pk, tile.pk, str([1, 0, 0, 0, 0, 0, 0, 0])))


def _status(coast: Collection) -> None:
    Scene.objects.filter(pk=some_scene(coast).pk).update(status=Scene.Status.FAILED)


def _moved(coast: Collection) -> None:
    Scene.objects.filter(pk=some_scene(coast).pk).update(collection=factories.make_collection())


def _encoder(**changes: object) -> Callable[[Collection], None]:
    def run(coast: Collection) -> None:
        assert Encoder.objects.filter(state="active").update(**changes) == 1

    return run


def _another_encoder(coast: Collection) -> None:
    other = factories.make_encoder()
    factories.know_query("harbour", encoder=other)
    for scene in Scene.objects.all():
        factories.add_tile(scene, other, [1, 0, 0, 0, 0, 0, 0, 0])


def _made_private(coast: Collection) -> None:
    Collection.objects.filter(pk=coast.pk).update(visibility=Visibility.PRIVATE)


def _member_gone(coast: Collection) -> None:
    CollectionMember.objects.filter(collection=coast).delete()


def _another_collection(coast: Collection) -> None:
    factories.make_scene(factories.make_collection(visibility=Visibility.ALL_USERS))


CHANGES = {
    "a new scene": _new_scene,
    "a deleted scene": _deleted_scene,
    "a scene put right by hand": _sql("UPDATE imagery_scene SET gsd = 2"),
    "a vector written by hand": _sql("UPDATE imagery_embedding SET vector = '[0,1,0,0,0,0,0,0]'"),
    "a vector erased by the name of its partition": _sql("DELETE FROM {part}"),
    "a tile moved": _sql("UPDATE imagery_tile SET x = 1"),
    "tiles erased by hand": _sql("DELETE FROM imagery_embedding; DELETE FROM imagery_tile"),
    "vectors loaded in bulk": _copied_vectors,
    "a scene that failed": _status,
    "a scene in another collection": _moved,
    "stage settings": _encoder(ranking={"windows": {"weight": 0.5}}),
    "means": _encoder(text_mean=[0.1] * 8, image_mean=[0.2] * 8),
    "prompts": _encoder(languages=["en", "de"]),
    "another encoder": _another_encoder,
    "a collection made private": _made_private,
    "a member less": _member_gone,
    "a further collection": _another_collection,
    "a licence": _sql("UPDATE imagery_collection SET license = 'MIT'"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_the_answer_an_old_one(name, owner, coast):
    """The next answer is what a first one would be."""
    viewer = factories.make_user()
    CollectionMember.objects.create(collection=coast, user=viewer)
    first = ask(viewer)
    assert ask(viewer).pk == first.pk
    CHANGES[name](coast)
    second, computed = measured(viewer)
    assert second.pk != first.pk
    assert computed or second.searched == 0
    Query.objects.all().delete()
    fresh = ask(viewer)
    assert (second.scene_ids, second.scores, second.searched) == (fresh.scene_ids, fresh.scores, fresh.searched)


@pytest.mark.parametrize(
    "unseen",
    [
        lambda coast: factories.make_scene(factories.make_collection()),
        lambda coast: factories.make_scene(
            coast, status=Scene.Status.PENDING, encoder=factories.make_encoder(active=False)
        ),
        lambda coast: factories.make_collection(visibility=Visibility.PRIVATE),
        lambda coast: factories.add_tile(some_scene(coast), factories.make_encoder(active=False), factories.axis(1)),
        lambda coast: Collection.objects.filter(pk=coast.pk).update(title="Renamed"),
    ],
)
def test_what_does_not_concern_the_answer_leaves_it(unseen, owner, coast):
    first = ask(owner)
    unseen(coast)
    assert ask(owner).pk == first.pk


def test_an_embargo_that_ends_by_the_clock_makes_the_answer_an_old_one(owner, coast):
    scene = factories.make_scene(coast, embargo_until=timezone.now() + timedelta(hours=1))
    first = ask(owner)
    assert scene.pk not in first.scene_ids
    with connection.cursor() as cursor:
        # As if an hour passed: without the triggers, which see every write.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE imagery_scene DISABLE TRIGGER USER")
        Scene.objects.filter(pk=scene.pk).update(embargo_until=timezone.now() - timedelta(minutes=1))
        cursor.execute("ALTER TABLE imagery_scene ENABLE TRIGGER USER")
    assert scene.pk in ask(owner).scene_ids


def test_after_a_while_it_is_asked_anew(owner, coast, settings):
    first = ask(owner)
    Ranking.objects.filter(pk=first.pk).update(computed_at=timezone.now() - timedelta(minutes=61))
    assert ask(owner).pk != first.pk
    settings.SEARCH_REUSE_MINUTES = 0
    assert ask(owner).pk != ask(owner).pk


def test_settings_of_the_house_are_part_of_the_answer(owner, coast, settings):
    first = ask(owner)
    settings.SEARCH_LICENSES = ["CC0-*"]
    assert ask(owner).searched == 0
    settings.SEARCH_LICENSES = []
    assert ask(owner).pk == first.pk


def test_an_answer_that_lost_hits_is_made_anew(owner, coast):
    """What is visible again comes back in a new search, not in the ranking it dropped out of."""
    first = ask(owner)
    Ranking.objects.filter(pk=first.pk).update(dropped_ranks=[2])
    again, computed = measured(owner)
    assert (computed, again.pk == first.pk, again.dropped_ranks) == (False, False, [])


def _during(monkeypatch, change: Callable[[], object]) -> None:
    """Have ``change`` happen while the next answer is computed: after its key was made, before it is stored."""
    real = engine.request_answer
    done: list[int] = []

    def answer(**arguments):
        found = real(**arguments)
        if not done:
            done.append(1)
            change()
        return found

    monkeypatch.setattr(runs_module, "request_answer", answer)


def test_a_scene_that_comes_during_the_computation_is_not_missed_later(owner, coast, monkeypatch):
    made = []
    _during(monkeypatch, lambda: made.append(factories.make_scene(coast)))
    first = ask(owner)
    assert made[0].pk not in first.scene_ids
    second = ask(owner)
    assert made[0].pk in second.scene_ids


def test_permission_given_and_taken_back_during_the_computation_reaches_nobody_else(owner, coast, monkeypatch):
    viewer, other = factories.make_user(), factories.make_user()
    open_to_all = factories.make_collection(visibility=Visibility.ALL_USERS)
    factories.make_scene(open_to_all)
    real = engine.request_answer

    def answer(**arguments):
        member = CollectionMember.objects.create(collection=coast, user=viewer)
        found = real(**arguments)
        member.delete()
        return found

    monkeypatch.setattr(runs_module, "request_answer", answer)
    assert ask(viewer).searched > 1
    monkeypatch.setattr(runs_module, "request_answer", real)
    for user in (other, viewer):
        assert ask(user).searched == 1


def test_the_encoder_changed_during_the_computation(owner, coast, monkeypatch):
    _during(monkeypatch, lambda: Encoder.objects.update(ranking={"windows": {"weight": 0.5}}))
    first = ask(owner)
    assert ask(owner).pk != first.pk
    assert Embedding.objects.exists()


def test_a_reloaded_page_asks_and_writes_little(owner, coast):
    """Neither a ranking nor a count is made again; how many statements it takes does not hang on what is shown."""
    client = client_of(owner)
    first = count_queries(client, "/?q=harbour")
    with CaptureQueriesContext(connection) as statements:
        client.get("/?q=harbour")
    told = [row["sql"] for row in statements]
    assert len(told) == first <= 23
    assert not any("<=>" in sql or "AS MATERIALIZED" in sql for sql in told)
    writes = [sql.split()[2] for sql in told if sql.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert writes == ['"search_impression"']
