"""The states of a fill's items and who may move them: like ``imagery.jobs``, for scenes that get a second vector.

QUEUED -> RUNNING -> gone (the vectors are stored), or FAILED; RUNNING -> QUEUED after a crash. A worker owns an item
while the row says RUNNING with the attempt number of its claim.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.leases import has_attempts_left, is_out_of_attempts, stale_before
from imagery.models import EncoderFill, FillItem, Scene
from imagery.models.encoder import HEAVY_FIELDS
from imagery.tiling import FINEST_SIDE_PIXELS

State = FillItem.State


def fills_waiting() -> QuerySet[EncoderFill]:
    """Return the fills a worker can go on with, the one with the least left first."""
    items = FillItem.objects.filter(fill=OuterRef("pk"))
    queued = Exists(items.filter(state=State.QUEUED))
    dead = Exists(items.filter(state=State.RUNNING, heartbeat_at__lt=stale_before()))
    rows = EncoderFill.objects.filter(Q(planned_at=None) | queued | dead, state=EncoderFill.State.RUNNING)
    rows = rows.select_related("encoder").defer(*(f"encoder__{name}" for name in HEAVY_FIELDS))
    return rows.order_by(F("total") - F("done") - F("failed"), "pk")


def items_claim(fill: EncoderFill, *, most: int) -> list[FillItem]:
    """Take the oldest claimable item and, if it is small and new, up to ``most`` like it; return them RUNNING.

    An item whose worker died before is taken alone, so that a picture that kills workers cannot use up the attempts
    of its neighbours; out of attempts, it becomes FAILED. Workers never wait for each other here (SKIP LOCKED).
    """
    with transaction.atomic():
        rows = FillItem.objects.filter(fill=fill).select_related("scene").order_by("pk")
        rows = rows.select_for_update(skip_locked=True, of=("self",))
        dead = rows.filter(state=State.RUNNING, heartbeat_at__lt=stale_before())
        queued = rows.filter(state=State.QUEUED)
        while True:
            first = dead.first() or queued.first()
            if first is None:
                return []
            if not is_out_of_attempts(first):
                break
            _finish_failed(first, first.reason or _stopped_workers(first))
        items = [first]
        if most > 1 and first.attempts == 0 and _is_small(first.scene):
            side = FINEST_SIDE_PIXELS
            small = queued.filter(attempts=0, scene__width__lte=side, scene__height__lte=side)
            items += list(small.exclude(pk=first.pk)[: most - 1])
        now = timezone.now()
        FillItem.objects.filter(pk__in=[item.pk for item in items]).update(
            state=State.RUNNING, attempts=F("attempts") + 1, reason="", heartbeat_at=now
        )
        for item in items:
            item.state, item.attempts, item.heartbeat_at = State.RUNNING, item.attempts + 1, now
        return items


def _is_small(scene: Scene) -> bool:
    return max(scene.width, scene.height) <= FINEST_SIDE_PIXELS


def _stopped_workers(item: FillItem) -> str:
    return _("The worker stopped %(times)d times while it was working on this file; it was not tried again.") % {
        "times": item.attempts
    }


def owned(items: Sequence[FillItem]) -> QuerySet[FillItem]:
    """Return those of ``items`` (of one claim) that are still the caller's."""
    by_attempts: dict[int, list[int]] = {}
    for item in items:
        by_attempts.setdefault(item.attempts, []).append(item.pk)
    claims = Q(pk__in=[])
    for attempts, ids in by_attempts.items():
        claims |= Q(pk__in=ids, attempts=attempts)
    return FillItem.objects.filter(claims, state=State.RUNNING)


def items_lock_owned(items: Sequence[FillItem]) -> set[int]:
    """Lock (until the transaction ends) those of ``items`` that are still the caller's; return their ids."""
    return set(owned(items).order_by("pk").select_for_update().values_list("pk", flat=True))


def items_hand_back(items: Sequence[FillItem]) -> None:
    """Queue owned items again through no fault of theirs; the claim does not count."""
    owned(items).update(state=State.QUEUED, attempts=F("attempts") - 1)


def item_failed(item: FillItem, reason: str) -> bool:
    """End an owned item as FAILED. Return False when it is no longer owned."""
    with transaction.atomic():
        if item.pk not in items_lock_owned([item]):
            return False
        _finish_failed(item, reason)
        return True


def _finish_failed(item: FillItem, reason: str) -> None:
    FillItem.objects.filter(pk=item.pk).update(state=State.FAILED, reason=reason)
    EncoderFill.objects.filter(pk=item.fill_id).update(failed=F("failed") + 1, updated_at=timezone.now())


def item_crashed(item: FillItem, error: BaseException) -> None:
    """Queue an owned item again after an unexpected error, or end it when it is out of attempts."""
    said = " ".join(str(error).split())[:500]
    reason = _("Unexpected error (%(kind)s: %(message)s).") % {"kind": type(error).__name__, "message": said}
    if owned([item]).filter(has_attempts_left()).update(state=State.QUEUED, reason=reason):
        return
    tried = _("It was tried %(times)d times; the worker's log has the details.") % {"times": item.attempts}
    item_failed(item, f"{reason} {tried}")


def items_got_on(items: Sequence[FillItem]) -> None:
    """Note that vectors of owned, locked items were stored: what cuts this attempt off does not count against them."""
    owned(items).exclude(got_on_at=F("attempts")).update(got_on_at=F("attempts"))


def items_done(ids: Collection[int]) -> None:
    """Take away owned, locked items whose vectors are stored."""
    FillItem.objects.filter(pk__in=ids).delete()
