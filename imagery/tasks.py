"""What the queue calls: an id in, a service called. Tasks may run twice; the services make that harmless."""

from uuid import UUID

from imagery.services import (
    archive,
    encoder_upkeep,
    fill_run,
    sketch_fit,
    switch,
    upload_intake,
    uploads,
    vector_index_upkeep,
)
from imagery.services import ingest as services


def ingest(job_id: str) -> None:
    """Work on whatever waits, this job among it. Late or repeated calls find nothing to do."""
    if services.ingest_jobs_drain():
        services.ingest_job_run(job_id=UUID(job_id))


def fill() -> None:
    """Go on with the encoder fills, new scenes first. Late or repeated calls find nothing to do."""
    fill_run.fills_drain()


def requeue_stale() -> int:
    """Take up jobs and fills whose worker died, and finish what a retired encoder has left (every minute)."""
    archive.archive_changes_fold()
    fill_run.fills_wake()
    switch.retired_partitions_drop()
    return services.stale_jobs_requeue()


def encoder_means() -> None:
    """Compute the active encoder's means when it has none or the archive has grown (every hour, and after a switch)."""
    archive.archive_counts_correct()
    encoder_upkeep.active_means_ensure()


def vector_indexes() -> list[str]:
    """Build the indexes over vectors that are wanted and missing (every hour). Another call meanwhile is refused."""
    return vector_index_upkeep.vector_indexes_ensure()


def fit_sketch(encoder_id: int) -> None:
    """Teach an encoder to read sketches (the administration's button). Another call learns it again."""
    sketch_fit.sketch_bridge_refit(encoder_id=encoder_id)


def take_in_uploads() -> int:
    """Remove what nobody goes on with and take in what has arrived (every minute, and when something large has)."""
    uploads.uploads_sweep()
    return upload_intake.uploads_drain()
