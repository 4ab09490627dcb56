"""What the queue calls for archives: scans of folders. Each works for a while and queues what is left."""

from imagery.services import archive_folders, archive_scan
from imagery.services.queue import archive_scan_enqueue
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
