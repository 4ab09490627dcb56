"""How fast a fill goes and when it will be done: measured between stored counts, so that any process can tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from imagery.models import EncoderFill

_WINDOW: Final = timedelta(seconds=20)  # A rate is measured over at least this long.
_SMOOTHING: Final = 0.3  # The share of the newest window in the rate that is shown.
_SILENT_AFTER: Final = timedelta(minutes=3)
"""Without progress for this long a running fill is said to stand still."""


def fill_advance(fill_id: int, *, done: int) -> str:
    """Add ``done`` scenes to a fill's count (called at the end of a transaction); return the fill's state."""
    fill = EncoderFill.objects.select_for_update().get(pk=fill_id)
    now = timezone.now()
    fill.done += done
    fill.updated_at = now
    measure(fill, now)
    fill.save(update_fields=["done", "updated_at", "rate", "measured_at", "measured_done"])
    return fill.state


def measure(fill: EncoderFill, now: datetime) -> None:
    """Bring ``rate`` up to date when the window is over."""
    began = fill.measured_at or fill.started_at
    if now - began < _WINDOW:
        return
    rate = max(0, fill.done - fill.measured_done) / (now - began).total_seconds()
    fill.rate = rate if fill.rate is None else (1 - _SMOOTHING) * fill.rate + _SMOOTHING * rate
    fill.measured_at, fill.measured_done = now, fill.done


def fill_rate(fill: EncoderFill, now: datetime | None = None) -> float | None:
    """Return scenes per second at present; None before anything was measured, or when nothing goes on."""
    now = now or timezone.now()
    if fill.state != EncoderFill.State.RUNNING or fill_silent(fill, now):
        return None
    if fill.rate is not None:
        return fill.rate or None
    began = fill.measured_at or fill.started_at
    passed = ((fill.updated_at or now) - began).total_seconds()
    gained = fill.done - fill.measured_done
    return gained / passed if gained > 0 and passed > 0 else None


def fill_eta(fill: EncoderFill, now: datetime | None = None) -> timedelta | None:
    """Return how long the rest will take at the present rate; None when that is not known."""
    rate = fill_rate(fill, now)
    return timedelta(seconds=round(fill.remaining / rate)) if rate and fill.remaining else None


def fill_silent(fill: EncoderFill, now: datetime | None = None) -> bool:
    """Tell whether a running fill has made no progress for minutes: is a worker running?"""
    latest = max(filter(None, (fill.updated_at, fill.measured_at, fill.started_at)))
    return fill.state == EncoderFill.State.RUNNING and (now or timezone.now()) - latest > _SILENT_AFTER
