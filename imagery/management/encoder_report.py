"""What ``manage.py encoder list`` says of an encoder: as a dictionary for programs, as lines for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.template.defaultfilters import filesizeformat

from imagery.fill_progress import fill_eta, fill_rate, fill_silent
from imagery.models import Encoder, EncoderFill
from imagery.selectors_encoders import EncoderRow
from imagery.services.adapters import adapter_line
from imagery.services.runtime import encoder_runtime_line
from imagery.services.selftest import TowerCheck


def encoder_lines(row: EncoderRow) -> list[str]:
    """Return an encoder's lines; the first begins with its name."""
    encoder, stored = row.encoder, row.stored
    count = "no vectors" if stored is None else f"{'about ' * stored.estimated}{stored.vectors:,} vectors"
    size = "" if stored is None else f", {filesizeformat(stored.bytes)}".replace("\xa0", " ")
    lines = [
        f"{encoder.name:<24} {encoder.state:<8} {encoder.kind:<12} {encoder.dimension:>5} numbers  "
        f"{encoder.image_size:>4} px  {', '.join(encoder.languages) or '-':<8} {count}{size}",
        f"    {encoder.source}{_pinned(encoder)}  checksum {encoder.checksum[:12]}",
    ]
    if encoder.runtime:
        lines.append(f"    runs as {encoder_runtime_line(encoder)}")
    if encoder.means_at:
        lines.append(f"    {means_line(encoder)}")
    if encoder.adapter:
        lines.append(f"    adapter: {adapter_line(encoder)}")
    if row.fill is not None:
        lines.append(f"    fill {fill_line(row.fill)}")
    return lines


def fill_line(fill: EncoderFill) -> str:
    """Return how far a fill is, such as "running: 120 of 1,094 scenes (10 %), 3.1 scenes/s, 5 min left"."""
    if fill.planned_at is None and fill.state == EncoderFill.State.RUNNING:
        text = "running: looking for scenes without vectors"
    else:
        text = f"{fill.state}: {fill.done:,} of {fill.total:,} scenes ({fill.percent} %)"
    parts = [text]
    if fill.failed:
        parts.append(f"{fill.failed:,} could not be read")
    if rate := fill_rate(fill):
        parts.append(f"{rate:.1f} scenes/s")
    if eta := fill_eta(fill):
        parts.append(f"{duration(eta)} left")
    if fill_silent(fill):
        parts.append("no progress for minutes: is a worker running?")
    if fill.reason:
        parts.append(fill.reason)
    return ", ".join(parts)


def means_line(encoder: Encoder) -> str:
    """Return what the encoder's means were made of, and when."""
    made = encoder.means_of
    text = f"means of {made.get('terms', 0):,} terms and {made.get('vectors', 0):,} image vectors"
    when = f", {encoder.means_at:%Y-%m-%d %H:%M}" if encoder.means_at else ""
    return f"{text}{when}{', ' + made['reason'] if made.get('reason') else ''}"


def check_line(check: TowerCheck) -> str:
    """Return the result of one part of the self-test."""
    if not check.ok:
        return f"CHANGED: {check.reason}"
    if check.recorded:
        return "known vectors recorded; there was nothing to compare with yet"
    return (
        f"as before, distance {check.distance:.1e} of {check.tolerance:.1e} allowed" if check.tolerance else "as before"
    )


def duration(value: timedelta) -> str:
    """Return a length of time in its two largest units, such as "2 h 5 min"."""
    seconds = round(value.total_seconds())
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def encoder_dict(row: EncoderRow) -> dict[str, Any]:
    """Return the same facts for programs; rates in scenes a second, times in seconds, sizes in bytes."""
    encoder, stored, fill = row.encoder, row.stored, row.fill
    eta = fill_eta(fill) if fill else None
    return {
        "name": encoder.name,
        "state": encoder.state,
        "kind": encoder.kind,
        "source": encoder.source,
        "revision": encoder.revision,
        "commit": encoder.resolved_revision,
        "checksum": encoder.checksum,
        "dimension": encoder.dimension,
        "image_size": encoder.image_size,
        "languages": encoder.languages,
        "runtime": encoder.runtime,
        "adapter": encoder.adapter or None,
        "vectors": stored.vectors if stored else 0,
        "vectors_estimated": stored.estimated if stored else False,
        "bytes": stored.bytes if stored else 0,
        "activated_at": encoder.activated_at.isoformat() if encoder.activated_at else None,
        "fill": fill
        and {
            "state": fill.state,
            "total": fill.total,
            "done": fill.done,
            "failed": fill.failed,
            "rate": fill_rate(fill),
            "eta_seconds": eta.total_seconds() if eta else None,
            "reason": fill.reason,
        },
    }


def _pinned(encoder: Encoder) -> str:
    revision = encoder.resolved_revision or encoder.revision
    return f" @ {revision[:12]}" if revision else ""
