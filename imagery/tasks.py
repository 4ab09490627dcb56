"""What the queue calls: an id in, a service called. Tasks may run twice; the services make that harmless."""

from uuid import UUID

from imagery.services import ingest as services


def ingest(job_id: str) -> None:
    """Work on whatever waits, this job among it. Late or repeated calls find nothing to do."""
    if services.ingest_jobs_drain():
        services.ingest_job_run(job_id=UUID(job_id))


def requeue_stale() -> int:
    """Take up jobs whose worker died (scheduled every minute)."""
    return services.stale_jobs_requeue()
