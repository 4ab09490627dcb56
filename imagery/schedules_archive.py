"""The repeating work on archives: scans that are due, the night's check of originals, hashes of older scenes."""

from datetime import timedelta
from typing import Final

from django.utils import timezone

from rsportal.schedules import schedule_ensure

SCANS_NAME: Final = "scans of archive folders"
VERIFY_NAME: Final = "check of the originals"
HASHES_NAME: Final = "hashes of scenes without one"
_SCANS_MINUTES: Final = 10
_NIGHT_HOUR: Final = 2  # UTC


def archive_schedules_ensure() -> None:
    """Look every ten minutes which folders are due, every hour for scenes without a hash; every night at originals."""
    schedule_ensure(name=SCANS_NAME, task="imagery.tasks_archive.scans_due", schedule_type="I", minutes=_SCANS_MINUTES)
    night = timezone.now().replace(hour=_NIGHT_HOUR, minute=0, second=0, microsecond=0) + timedelta(days=1)
    schedule_ensure(name=VERIFY_NAME, task="imagery.tasks_archive.verify_nightly", schedule_type="D", next_run=night)
    schedule_ensure(name=HASHES_NAME, task="imagery.tasks_archive.scene_hashes_missing", schedule_type="H")
