"""Which encoder is in use: the switch, the way back, and giving an encoder up.

A switch is one transaction that changes the states of two rows. A search reads the active row once and takes its query
vector and its candidates from that encoder, so it is answered by the old one or by the new one, never by both.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.models import Encoder, EncoderFill, FillItem, Scene
from imagery.services.encoder_files import files_verify
from imagery.services.fill import (
    KEPT,
    OPEN,
    encoders_lock,
    fill_drop_locked,
    fill_start_locked,
    scenes_without_vectors,
)
from imagery.services.partitions import partition_create, partition_drop, partitions_of_nobody
from imagery.services.queue import indexes_enqueue, means_enqueue
from imagery.services.runtime import encoder_runtime_forget, encoder_runtime_prepare
from rsportal.errors import Conflict, InvalidInput, Unavailable


def encoder_activate(*, encoder: Encoder, partial: bool = False) -> Encoder:
    """Make this the encoder of every search and ingest from now on; the one before stays READY for the way back.

    Raises Conflict while scenes lack its vectors, because they would not be found; ``partial`` switches all the same
    and has the rest filled. Raises Unavailable when its files are missing or are not those that were registered.
    """
    files_verify(encoder)
    if not partial:
        _complete_require(encoder)
    if not encoder.runtime.get("runtime"):  # A fill has chosen it already.
        encoder_runtime_prepare(encoder=encoder)
    with transaction.atomic():
        rows = encoders_lock()
        chosen = rows.get(encoder.pk)
        if chosen is None:
            raise InvalidInput(_("Encoder %(name)s is no longer registered.") % {"name": encoder.name}, field="name")
        if chosen.state == Encoder.State.ACTIVE:
            return chosen
        if not partial:
            _complete_require_locked(chosen)
        before = next((row for row in rows.values() if row.state == Encoder.State.ACTIVE), None)
        if before is not None:
            _keep(before)
        kept = chosen.state in KEPT
        partition_create(chosen)
        chosen.state = Encoder.State.ACTIVE
        chosen.activated_at = timezone.now()
        chosen.previous = before or chosen.previous
        chosen.save(update_fields=["state", "activated_at", "previous"])
        if partial and not (kept and _complete(chosen)) and Scene.objects.ready().exists():
            fill_start_locked(chosen)
        means_enqueue()
        indexes_enqueue()
    return chosen


def _keep(before: Encoder) -> None:
    """Go on giving the replaced encoder the vectors of new scenes, so that the way back is open at any moment."""
    before.state = Encoder.State.READY
    before.save(update_fields=["state"])
    now = timezone.now()
    done = {"state": EncoderFill.State.DONE, "planned_at": now, "finished_at": now}
    EncoderFill.objects.get_or_create(encoder=before, defaults=done)
    EncoderFill.objects.filter(encoder=before, state=EncoderFill.State.CANCELLED).update(**done)


def encoder_rollback(*, partial: bool = False, active: Encoder | None = None) -> Encoder:
    """Go back to the encoder that the active one replaced. Raises Conflict like :func:`encoder_activate`.

    ``active`` is the encoder that the caller takes for the active one; another one is not replaced by mistake.
    """
    now = Encoder.objects.filter(state=Encoder.State.ACTIVE).select_related("previous").first()
    if active is not None and active != now:
        raise Conflict(_("Encoder %(name)s is not active.") % {"name": active.name})
    previous = now.previous if now else None
    if previous is None:
        raise Conflict(_("There is no encoder to go back to: the active one has replaced no other."))
    if previous.state == Encoder.State.RETIRED:
        raise Conflict(
            _("Encoder %(name)s was retired; its vectors are gone. Fill it again, then activate it.")
            % {"name": previous.name}
        )
    return encoder_activate(encoder=previous, partial=partial)


def encoder_retire(*, encoder: Encoder) -> Encoder:
    """Give an encoder up: its vectors, their index and its exported towers are dropped at once, its row stays.

    Raises Conflict for the active one, and Unavailable when searches never paused long enough for the drop; the
    worker tries again every minute then.
    """
    with transaction.atomic():
        chosen = encoders_lock()[encoder.pk]
        if chosen.state == Encoder.State.ACTIVE:
            raise Conflict(
                _("Encoder %(name)s is active: every search needs it. Activate another one first.")
                % {"name": encoder.name}
            )
        chosen.state = Encoder.State.RETIRED
        chosen.save(update_fields=["state"])
        for fill in EncoderFill.objects.filter(encoder=chosen):
            fill_drop_locked(fill)
    encoder_runtime_forget(encoder=chosen)
    if not partition_drop(chosen.pk):
        raise Unavailable(
            _("Encoder %(name)s is retired, but searches were so busy that its vectors could not be dropped yet. The "
              "worker tries again every minute.")
            % {"name": encoder.name}
        )  # fmt: skip
    return chosen


def retired_partitions_drop() -> int:
    """Finish what a killed or refused :func:`encoder_retire` has left; return how many partitions went."""
    return sum(partition_drop(encoder_id, seconds=5.0) for encoder_id in partitions_of_nobody())


def _complete_require(encoder: Encoder) -> None:
    """Count exactly, without a lock; the switch then looks only at what has come since."""
    if encoder.state == Encoder.State.ACTIVE:
        return
    missing = scenes_without_vectors(encoder).count()
    if missing:
        waiting = FillItem.objects.filter(fill__encoder=encoder)
        raise Conflict(
            _("Encoder %(name)s has no vectors of %(missing)d scenes (%(waiting)d wait to be encoded, %(failed)d could "
              "not be read), and they would not be found. Fill it first, or switch with what is there.")
            % {
                "name": encoder.name,
                "missing": missing,
                "waiting": waiting.filter(state__in=OPEN).count(),
                "failed": waiting.filter(state=FillItem.State.FAILED).count(),
            },
            code="incomplete",
        )  # fmt: skip


def _complete_require_locked(encoder: Encoder) -> None:
    # Of a fill that was never planned, the items say nothing.
    noted = encoder.state in KEPT and not EncoderFill.objects.filter(encoder=encoder, planned_at=None).exists()
    complete = _complete(encoder) if noted else not scenes_without_vectors(encoder).exists()
    if not complete:
        raise Conflict(
            _("New scenes are just being encoded for encoder %(name)s; try again in a moment.")
            % {"name": encoder.name},
            code="incomplete",
        )


def _complete(encoder: Encoder) -> bool:
    """Whether nothing waits for a kept encoder: whatever became READY since the fill began has an item."""
    return not FillItem.objects.filter(fill__encoder=encoder, state__in=OPEN).exists() and (
        not EncoderFill.objects.filter(encoder=encoder, planned_at=None).exists()
    )
