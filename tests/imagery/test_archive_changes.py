"""The counters of changes: what is committed at once, whatever writes, and that upkeep changes no sum."""

import threading

import pytest
from django.db import connection, transaction

from imagery.models import ArchiveChange, Collection, CollectionMember, Scene
from imagery.selectors_archive import archive_state
from imagery.services.archive import archive_changes_fold, archive_counts_correct
from tests import factories
from tests.threads import THREADS, at_once


def state(collection: Collection):
    return archive_state(Collection.objects.filter(pk=collection.pk))


@pytest.mark.django_db
def test_the_number_of_ready_scenes_follows_every_statement():
    one, two = factories.make_collection(), factories.make_collection()
    scenes = [factories.make_scene(one) for _ in range(5)]
    factories.make_scene(one, status=Scene.Status.PENDING)
    assert (state(one).scenes, state(two).scenes) == (5, 0)
    Scene.objects.filter(pk__in=[scene.pk for scene in scenes[:2]]).update(collection=two)
    assert (state(one).scenes, state(two).scenes) == (3, 2)
    Scene.objects.filter(collection=one).update(status=Scene.Status.FAILED)
    scenes[0].delete()
    assert (state(one).scenes, state(two).scenes) == (0, 1)
    Scene.objects.bulk_create(
        [Scene(collection=two, title="x", content_hash=f"{n}", status="ready") for n in range(3)],
        update_conflicts=True, unique_fields=["id"], update_fields=["title"],
    )  # fmt: skip
    assert state(two).scenes == 4
    everything = archive_state(Collection.objects.all())
    assert everything.scenes == Scene.objects.ready().count()


@pytest.mark.django_db
def test_states_differ_by_what_is_seen_and_by_rules():
    one = factories.make_collection()
    before = state(one)
    CollectionMember.objects.create(collection=one, user=factories.make_user())
    after = state(one)
    assert (before.collections, before.scenes) == (after.collections, after.scenes)
    assert after.rules > before.rules and after.changes > before.changes
    factories.make_collection()
    assert state(one) == after, "an empty collection changes nothing"
    assert archive_state(Collection.objects.none()).scenes == 0


@pytest.mark.django_db
def test_folding_leaves_every_sum_and_correcting_puts_wrong_ones_right():
    one = factories.make_collection()
    for number in range(4):
        ArchiveChange.objects.create(collection_id=one.pk, transaction=number, changes=2, scenes=1)
        factories.make_scene(one)
    before = state(one)
    assert before.scenes == 8
    archive_changes_fold()
    assert ArchiveChange.objects.filter(collection_id=one.pk, encoder_id=0).count() == 1
    assert state(one) == before
    assert archive_counts_correct() == 1
    assert state(one).scenes == 4 and state(one).changes > before.changes
    assert archive_counts_correct() == 0


@pytest.mark.django_db(transaction=True)
def test_a_change_counts_when_it_is_committed_and_writers_do_not_wait_for_each_other():
    """A sequence would tell of the change too early, one counter row would make the second writer wait."""
    collection, encoder = factories.make_collection(), factories.make_encoder()
    before = state(collection)
    written, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            factories.make_scene(collection, encoder=encoder)
            written.set()
            assert go_on.wait(timeout=20)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(timeout=20)
    assert state(collection) == before, "what is not committed changes nothing"
    factories.make_scene(collection, encoder=encoder)  # Does not wait for the open transaction.
    between = state(collection)
    assert between.scenes == 1
    go_on.set()
    thread.join(timeout=20)
    assert state(collection).scenes == 2
    assert state(collection).changes > between.changes


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_when_many_write_and_fold_at_once():
    collection, encoder = factories.make_collection(), factories.make_encoder()

    def work() -> None:
        for _ in range(4):
            factories.make_scene(collection, encoder=encoder)
            archive_changes_fold()

    assert at_once(work) == []
    assert state(collection).scenes == 4 * THREADS == Scene.objects.ready().count()
