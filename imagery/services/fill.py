"""Filling an encoder beside the active one: which scenes wait for its vectors, and starting, pausing, ending it.

What is searched is never touched: a fill writes the vectors of its own encoder only. ``services.fill_run`` is the
worker's side. Locks are taken in one order: encoder rows, then items, then the fill's row.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.models import Embedding, Encoder, EncoderFill, FillItem, Scene, Tile
from imagery.models.encoder import HEAVY_FIELDS
from imagery.querysets import SceneQuerySet
from imagery.services.adopt import vectors_adopt
from imagery.services.partitions import partition_create
from imagery.services.queue import fill_enqueue, indexes_enqueue
from rsportal.errors import Conflict

State = EncoderFill.State
KEPT: Final = frozenset({Encoder.State.FILLING, Encoder.State.READY})
"""Encoders in these states get the vectors of every new scene."""
_PLANNING: Final = 0x656E63  # The first half of the advisory lock under which one process plans a fill.
OPEN: Final = (FillItem.State.QUEUED, FillItem.State.RUNNING)


def scenes_without_vectors(encoder: Encoder) -> SceneQuerySet:
    """Return the READY scenes of everybody of which a tile has no vector of this encoder."""
    encoded = Embedding.objects.filter(encoder=encoder, tile=OuterRef("pk"))
    lacking = Tile.objects.filter(~Exists(encoded), scene=OuterRef("pk"))
    rows: SceneQuerySet = Scene.objects.ready().filter(Exists(lacking))
    return rows


def encoder_fill(*, encoder: Encoder) -> EncoderFill:
    """Start (or go on with) encoding every scene that lacks this encoder's vectors; the worker does it.

    A paused fill goes on; one that is done looks for what is missing now. Scenes that could not be read stay failed
    (:func:`encoder_fill_retry`). Harmless to repeat.
    """
    with transaction.atomic():
        return fill_start_locked(encoders_lock()[encoder.pk])


def fill_start_locked(encoder: Encoder) -> EncoderFill:
    """Do :func:`encoder_fill` for a row that the caller has locked (:func:`encoders_lock`)."""
    partition_create(encoder)
    if encoder.state in {Encoder.State.NEW, Encoder.State.RETIRED}:
        encoder.state = Encoder.State.FILLING
        encoder.save(update_fields=["state"])
    fill, _made = EncoderFill.objects.select_for_update().get_or_create(encoder=encoder)
    if fill.state in {State.DONE, State.CANCELLED}:
        fill.planned_at = None
    _run(fill)
    return fill


def _run(fill: EncoderFill) -> None:
    if fill.state != State.RUNNING:
        fill.state, fill.reason, fill.finished_at = State.RUNNING, "", None
        fill.rate, fill.measured_at, fill.measured_done = None, timezone.now(), fill.done
        fill.save()
    fill_enqueue()


def fill_plan(fill_id: int) -> bool:
    """Write down the scenes that lack vectors as items; return False if that is done or somebody else is at it.

    Scenes that become READY meanwhile add themselves (:func:`scenes_fill`), so that none falls between.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_PLANNING, fill_id])
        if not cursor.fetchone()[0]:
            return False
        fill = EncoderFill.objects.select_related("encoder").filter(pk=fill_id, planned_at=None).first()
        if fill is None:
            return False
        vectors_adopt(encoder=fill.encoder)
        scenes = scenes_without_vectors(fill.encoder).order_by("created_at", "pk").values("pk")
        inner, parameters = scenes.query.sql_with_params()
        cursor.execute(
            f"""
            INSERT INTO {FillItem._meta.db_table} (fill_id, scene_id, state, attempts, reason)
            SELECT %s, scene.id, %s, 0, '' FROM ({inner} FOR KEY SHARE OF {Scene._meta.db_table}) AS scene (id)
            ON CONFLICT DO NOTHING
            """,
            [fill.pk, FillItem.State.QUEUED, *parameters],
        )
        fill = EncoderFill.objects.select_for_update().get(pk=fill_id)
        if fill.state == State.CANCELLED:
            transaction.set_rollback(True)
            return False
        counts = FillItem.objects.filter(fill=fill).aggregate(
            total=Count("pk"), failed=Count("pk", filter=Q(state=FillItem.State.FAILED))
        )
        fill.total, fill.done, fill.failed = counts["total"], 0, counts["failed"]
        fill.planned_at = fill.started_at = fill.measured_at = timezone.now()
        fill.measured_done, fill.rate = 0, None
        fill.save()
    fill_settle(fill_id)
    return True


def scenes_fill(scene_ids: Collection[UUID]) -> None:
    """Have scenes that become READY in this transaction encoded for every encoder that is kept current.

    The caller holds :func:`encoders_lock_shared`, so that no fill starts or ends unseen.
    """
    if not scene_ids:
        return
    for fill in EncoderFill.objects.filter(encoder__state__in=KEPT).order_by("encoder_id"):
        known = FillItem.objects.filter(fill=fill, scene__in=scene_ids)
        failed = known.filter(state=FillItem.State.FAILED).count()
        again = known.update(state=FillItem.State.QUEUED, attempts=0, got_on_at=0, reason="")
        FillItem.objects.bulk_create([FillItem(fill=fill, scene_id=pk) for pk in scene_ids], ignore_conflicts=True)
        mine = EncoderFill.objects.filter(pk=fill.pk)
        mine.update(total=F("total") + len(scene_ids) - again, failed=F("failed") - failed)
        mine.filter(state=State.DONE).update(
            state=State.RUNNING, finished_at=None, rate=None, measured_at=timezone.now(), measured_done=F("done")
        )
        fill_enqueue()


def encoder_fill_pause(*, encoder: Encoder, reason: str = "") -> EncoderFill:
    """Stop after the batch at hand; what is stored stays. Raises Conflict when nothing is being filled.

    New scenes are noted meanwhile. A finished fill can be paused, too: its encoder is then not kept current.
    """
    with transaction.atomic():
        fill = _locked(encoder)
        if fill.state not in {State.RUNNING, State.DONE}:
            raise Conflict(
                _("The fill of encoder %(name)s is not running; there is nothing to pause.") % {"name": encoder.name}
            )
        fill.state, fill.reason = State.PAUSED, reason
        fill.save(update_fields=["state", "reason"])
    return fill


def encoder_fill_resume(*, encoder: Encoder) -> EncoderFill:
    """Go on with a paused fill. Raises Conflict when it is not paused."""
    with transaction.atomic():
        chosen = encoders_lock()[encoder.pk]
        if _locked(chosen).state != State.PAUSED:
            raise Conflict(_("The fill of encoder %(name)s is not paused.") % {"name": encoder.name})
        return fill_start_locked(chosen)


def encoder_fill_cancel(*, encoder: Encoder) -> EncoderFill:
    """Give a fill up: nothing more is encoded, also of new scenes; the vectors made so far stay. Raises Conflict."""
    with transaction.atomic():
        chosen = encoders_lock()[encoder.pk]
        fill = EncoderFill.objects.filter(encoder=chosen).exclude(state=State.CANCELLED).first()
        if fill is None:
            raise Conflict(_("Encoder %(name)s is not being filled.") % {"name": encoder.name})
        if chosen.state in KEPT:
            chosen.state = Encoder.State.NEW
            chosen.save(update_fields=["state"])
        return fill_drop_locked(fill)


def fill_drop_locked(fill: EncoderFill) -> EncoderFill:
    """End a fill whose encoder the caller has locked; running workers notice at their next batch."""
    FillItem.objects.filter(fill=fill).delete()
    fill = EncoderFill.objects.select_for_update().get(pk=fill.pk)
    fill.state, fill.reason, fill.failed, fill.total = State.CANCELLED, "", 0, fill.done
    fill.finished_at = timezone.now()
    fill.save()
    return fill


def encoder_fill_retry(*, encoder: Encoder) -> int:
    """Queue the scenes that could not be read once more; return how many. Raises Conflict when there are none."""
    with transaction.atomic():
        chosen = encoders_lock()[encoder.pk]
        failed = FillItem.objects.filter(fill__encoder=chosen, state=FillItem.State.FAILED)
        count = failed.update(state=FillItem.State.QUEUED, attempts=0, got_on_at=0, reason="")
        if not count:
            raise Conflict(_("No scene of encoder %(name)s has failed.") % {"name": encoder.name})
        fill = _locked(chosen)
        fill.failed -= count
        fill.save(update_fields=["failed"])
        _run(fill)
    return count


def fill_settle(fill_id: int) -> bool:
    """Make a fill DONE (and its encoder READY) once nothing waits any more; return whether it is."""
    fill = EncoderFill.objects.filter(pk=fill_id, state=State.RUNNING, planned_at__isnull=False).first()
    if fill is None or _waits(fill):
        return False
    with transaction.atomic():
        encoder = encoders_lock()[fill.encoder_id]
        fill = EncoderFill.objects.select_for_update().get(pk=fill_id)
        # Looked at again under the lock: a scene may have become READY in between.
        if fill.state != State.RUNNING or fill.planned_at is None or _waits(fill):
            return False
        now = timezone.now()
        fill.failed = FillItem.objects.filter(fill=fill).count()
        fill.total = fill.done + fill.failed  # Scenes that were deleted meanwhile are not waited for.
        fill.state, fill.finished_at, fill.updated_at = State.DONE, now, now
        fill.save()
        if encoder.state == Encoder.State.FILLING:
            encoder.state = Encoder.State.READY
            encoder.save(update_fields=["state"])
            indexes_enqueue()
    return True


def encoders_lock() -> dict[int, Encoder]:
    """Lock all encoder rows, in one order, until the transaction ends; return them by id."""
    rows = Encoder.objects.select_for_update().order_by("pk").defer(*HEAVY_FIELDS)
    return {row.pk: row for row in rows}


def encoders_lock_shared() -> dict[int, str]:
    """Return the state of every encoder by id; none changes until the transaction ends.

    KEY SHARE makes a switch or the start of a fill wait for us, and not workers for each other.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, state FROM {Encoder._meta.db_table} ORDER BY id FOR KEY SHARE")
        return dict(cursor.fetchall())


def _waits(fill: EncoderFill) -> bool:
    return FillItem.objects.filter(fill=fill, state__in=OPEN).exists()


def _locked(encoder: Encoder) -> EncoderFill:
    fill = EncoderFill.objects.select_for_update().filter(encoder=encoder).first()
    if fill is None:
        raise Conflict(_("Encoder %(name)s is not being filled.") % {"name": encoder.name})
    return fill
