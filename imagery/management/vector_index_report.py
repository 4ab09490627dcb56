"""What ``manage.py vector_index status`` says: as lines for people, as a dictionary for programs."""

from __future__ import annotations

from typing import Any

from django.template.defaultfilters import filesizeformat

from imagery.management.encoder_report import duration
from imagery.models import Encoder
from imagery.selectors_encoders import vectors_stored
from imagery.services.vector_index import IndexProgress, IndexState, vector_index_progress, vector_indexes
from imagery.services.vector_index_upkeep import vector_index_wanted

_STATES = {
    IndexState.READY: "in use",
    IndexState.BUILDING: "being built",
    IndexState.BROKEN: "broken off: of no use; the worker drops it or builds it again within the hour",
}


def index_lines(encoder: Encoder) -> list[str]:
    """Return what there is of an encoder's index; the first line begins with its name."""
    stored = vectors_stored([encoder]).get(encoder.pk)
    indexes = vector_indexes(encoder.pk)
    count = f"{'about ' * stored.estimated}{stored.vectors:,} vectors" if stored else "no vectors"
    head = f"{encoder.name:<24} {count}, wanted: {encoder.index_kind}"
    progress = vector_index_progress(encoder.pk)
    if not indexes and progress is None:
        more = "; the worker builds one within the hour" if vector_index_wanted(encoder) else ""
        return [head, f"    no index: every vector is compared{more}"]
    lines = [head]  # An index that is built in place is not seen before it is there, its progress is.
    for index in indexes:
        size = filesizeformat(index.bytes).replace("\xa0", " ")
        lines.append(f"    {index.kind} index {_STATES[index.state]}, {size}")
    if progress is not None:
        lines.append(f"    {progress_line(progress)}")
    return lines


def progress_line(progress: IndexProgress) -> str:
    """Return how far a build is, such as "building index: loading tuples, 43 %, 2 min left"."""
    parts = [progress.phase]
    if progress.percent is not None:
        parts.append(f"{progress.percent:.0f} %")
    if progress.left is not None:
        parts.append(f"{duration(progress.left)} left")
    return ", ".join(parts)


def index_dict(encoder: Encoder) -> dict[str, Any]:
    """Return the same facts; sizes in bytes, times in seconds."""
    stored = vectors_stored([encoder]).get(encoder.pk)
    progress = vector_index_progress(encoder.pk)
    return {
        "encoder": encoder.name,
        "vectors": stored.vectors if stored else 0,
        "vectors_estimated": stored.estimated if stored else False,
        "wanted": encoder.index_kind,
        "indexes": [
            {"kind": index.kind, "state": index.state.value, "bytes": index.bytes}
            for index in vector_indexes(encoder.pk)
        ],
        "building": progress
        and {
            "phase": progress.phase,
            "percent": progress.percent,
            "left_seconds": progress.left.total_seconds() if progress.left else None,
        },
    }
