"""What the queue calls for archives. Each task works for a while and queues what is left."""

from imagery.services import archive_folders, archive_scan, fixity, scene_hashes
from imagery.services.queue import archive_scan_enqueue, verify_enqueue
from rsportal.errors import Conflict


def scan(folder_id: int, accept_missing: bool = False) -> str:
    """Scan an archive folder; return how it ended. Of two at once, the second does nothing."""
    try:
        report = archive_scan.archive_folder_scan(
            folder_id=folder_id, seconds=archive_scan.SLICE_SECONDS, accept_missing=accept_missing
        )
    except Conflict:
        return "busy"
    if report.state == "continued":
        archive_scan_enqueue(folder_id, accept_missing=accept_missing)
    return report.state


def scans_due() -> list[int]:
    """Queue the scans whose time has come (every ten minutes)."""
    return archive_folders.archive_scans_due()


def verify_nightly() -> int:
    """Begin the night's share of the check that originals are unchanged; return its number of files."""
    share = fixity.nightly_share()
    return verify_some(share) if share else 0


def verify_some(left: int) -> int:
    """Check up to ``left`` originals, for a while; queue the rest. Return how many were checked."""
    report = fixity.originals_verify(most=left, seconds=archive_scan.SLICE_SECONDS, pace=fixity.pace_of_settings())
    if report.over and left > report.read:
        verify_enqueue(left - report.read)
    return report.read


def scene_hashes_missing() -> int:
    """Give scenes without a perceptual hash theirs, for a while (every hour); return how many got one."""
    return scene_hashes.scene_hashes_fill(seconds=archive_scan.SLICE_SECONDS)[0]
