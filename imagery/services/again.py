"""Encoding the scenes of a collection once more, by its present band recipe and rule of windows.

The scenes stay READY: searches find each by its old vectors until the new ones take their place. New scenes go first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.models import Asset, Collection, Embedding, Encoder, IngestJob, Scene
from imagery.services.collections import collection_owned_by
from imagery.services.queue import job_enqueue
from rsportal.accounts.models import User
from rsportal.errors import Conflict, NotAllowed

State = IngestJob.State
_OPEN: Final = (State.QUEUED, State.RUNNING)
_RULES: Final = ("rendering", "tile_overlap", "tile_gsd_min", "tile_gsd_max", "tile_most")
"""Fields of a collection by which its scenes are drawn and cut."""


@dataclass(frozen=True)
class AgainProgress:
    """How far the last run over a collection is, in scenes; ``batch`` are its jobs."""

    batch: UUID
    total: int
    done: int
    failed: int
    waiting: int

    @property
    def percent(self) -> int:
        """Share of scenes that are through, 0 to 100; 100 only when none waits."""
        through = self.total - self.waiting
        return 100 * through // self.total if self.total else 100


def collection_encode_again(*, collection: Collection, user: User) -> tuple[UUID, int]:
    """Queue every READY scene of the collection once more; return the batch of the jobs and how many they are.

    What waits of an earlier run is taken back, and what runs of it is dropped. Raises NotAllowed unless ``user`` owns
    the collection, Conflict when it has no scene with files to read.
    """
    _owner_require(collection, user)
    batch = uuid4()
    with transaction.atomic(), connection.cursor() as cursor:
        Collection.objects.select_for_update().get(pk=collection.pk)  # Of two who ask at once, the later one counts.
        _cancel(collection)
        rows = Scene.objects.ready().filter(collection=collection)
        rows = rows.filter(pk__in=Asset.objects.filter(role=Asset.Role.DATA).values("scene"))
        inner, parameters = rows.order_by().values("pk", "title").query.sql_with_params()
        cursor.execute(
            f"""
            INSERT INTO {IngestJob._meta.db_table}
                (id, batch, collection_id, scene_id, source_name, state, attempts, got_on_at, done, total, reason,
                 retryable, again, created_by_id, created_at)
            SELECT gen_random_uuid(), %s, %s, scene.id, scene.title, %s, 0, 0, 0, 0, '', false, true, %s, %s
            FROM ({inner} FOR KEY SHARE OF {Scene._meta.db_table}) AS scene (id, title)
            RETURNING id
            """,
            [batch, collection.pk, State.QUEUED, user.pk, timezone.now(), *parameters],
        )
        first = cursor.fetchone()
        if first is None:
            transaction.set_rollback(True)
            raise Conflict(_("“%s” has no scene whose files could be read again.") % collection.title)
        job_enqueue(first[0])
        return batch, cursor.rowcount


def collection_encode_again_cancel(*, collection: Collection, user: User) -> int:
    """Take back what is not done of the last run; return how many. What is done stays. Raises NotAllowed, Conflict."""
    _owner_require(collection, user)
    with transaction.atomic():
        if not (count := _cancel(collection)):
            raise Conflict(_("Nothing of “%s” waits to be encoded again.") % collection.title)
    return count


def again_progress(collection: Collection) -> AgainProgress | None:
    """Return how far the last run is; None when there was none."""
    rows = IngestJob.objects.filter(collection=collection, again=True)
    batch = rows.order_by("-created_at").values_list("batch", flat=True).first()
    if batch is None:
        return None
    counted = rows.filter(batch=batch).aggregate(
        total=Count("pk"),
        done=Count("pk", filter=Q(state=State.READY)),
        failed=Count("pk", filter=Q(state=State.FAILED)),
        waiting=Count("pk", filter=Q(state__in=_OPEN)),
    )
    return AgainProgress(batch=batch, **counted)


def rules_changed(jobs: Iterable[IngestJob]) -> list[IngestJob]:
    """Return the jobs whose collection is drawn or cut by other rules than when the job was claimed."""
    claimed = list(jobs)
    ids = {job.collection_id for job in claimed}
    now: dict[Any, dict[str, Any]] = {
        row["pk"]: row for row in Collection.objects.filter(pk__in=ids).values("pk", *_RULES)
    }
    return [
        job
        for job in claimed
        if job.collection_id in now
        and any(getattr(job.collection, name) != now[job.collection_id][name] for name in _RULES)
    ]


def scenes_encode_again(jobs: Sequence[IngestJob]) -> None:
    """Queue the scenes of jobs that just ended once more, for whoever added them."""
    made = IngestJob.objects.bulk_create(
        IngestJob(
            batch=job.batch,
            collection_id=job.collection_id,
            scene_id=job.scene_id,
            source_name=job.source_name,
            created_by_id=job.created_by_id,
            again=True,
        )
        for job in jobs
    )
    if made:
        job_enqueue(made[0].pk)


def vectors_outdated_drop(*, scene_ids: Sequence[UUID], encoder: Encoder) -> None:
    """Drop what other encoders made of scenes that now look otherwise; encoders kept current make them anew."""
    Embedding.objects.filter(tile__scene__in=scene_ids).exclude(encoder=encoder).delete()


def _cancel(collection: Collection) -> int:
    rows = IngestJob.objects.filter(collection=collection, again=True, state__in=_OPEN)
    return rows.update(state=State.CANCELLED, retryable=False, finished_at=timezone.now())


def _owner_require(collection: Collection, user: User) -> None:
    if not collection_owned_by(collection=collection, user=user):
        raise NotAllowed(
            _("Only %(owner)s, who owns “%(title)s”, can have it encoded again.")
            % {"owner": collection.owner, "title": collection.title}
        )
