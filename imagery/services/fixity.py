"""Fixity: reading originals again and comparing them with the checksums they came with.

A file that is other than it was is reported and marked; nothing else is done to it, and no new checksum is ever taken.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from imagery.models import Asset, Collection
from imagery.storage import AssetMissing, asset_place

_CHUNK_BYTES: Final = 1024 * 1024
_TOGETHER: Final = 200
_NAMES_OF_A_KIND: Final = 1000
_LONGEST_FILE_SECONDS: Final = 1800.0
"""A file that would take longer at the given rate is read faster: the task would be ended before."""
_BURST_SECONDS: Final = 1.0
"""What was not used in the last second may be used now: reading itself takes time."""
KINDS: Final = ("good", "changed", "missing", "unreadable", "unreachable")
"""``unreadable``: there, but reading it failed. ``unreachable``: its whole place is empty or gone (a disk that is not
mounted); neither is marked, and both are tried again."""
_log = logging.getLogger(__name__)


@dataclass
class FixityReport:
    """``counts`` by kind (``KINDS``), the names of all but good files with their place, and what was read in bytes."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    names: dict[str, list[str]] = field(default_factory=dict)
    bytes: int = 0
    over: bool = False
    """Whether the time was over before everything asked for was read."""

    @property
    def read(self) -> int:
        """How many files were compared or found missing."""
        return self.counts["good"] + self.counts["changed"] + self.counts["missing"] + self.counts["unreadable"]

    def note(self, kind: str, asset: Asset, why: str = "") -> None:
        """Count a file; all but good ones are named, and logged."""
        self.counts[kind] += 1
        if kind == "good":
            return
        said = f"{asset.path or asset.filename}{f': {why}' if why else ''} (scene {asset.scene_id})"
        _log.warning("fixity: %s: %s", kind, said)
        names = self.names.setdefault(kind, [])
        if len(names) < _NAMES_OF_A_KIND:
            names.append(said)


class Pace:
    """Holds reading to ``bytes_per_second`` (0: no limit) by pausing."""

    def __init__(
        self,
        bytes_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Any] = time.sleep,
    ) -> None:
        self._rate, self._clock, self._pause = bytes_per_second, clock, pause
        self._free_at = clock()

    def spent(self, count: int, *, of: int = 0) -> None:
        """Account for ``count`` bytes just read from a file of ``of`` bytes, and pause if that was too fast."""
        if not self._rate:
            return
        rate = max(self._rate, of / _LONGEST_FILE_SECONDS)
        now = self._clock()
        self._free_at = max(self._free_at, now - _BURST_SECONDS) + count / rate
        if self._free_at > now:
            self._pause(self._free_at - now)


def pace_of_settings() -> Pace:
    """Return the pace that the operator set (RSPORTAL_VERIFY_MB_PER_SECOND)."""
    return Pace(settings.VERIFY_MB_PER_SECOND * 1_000_000)


def originals_verify(
    *,
    collection: Collection | None = None,
    older_than: timedelta | None = None,
    most: int | None = None,
    seconds: float | None = None,
    pace: Pace | None = None,
    accept_missing: bool = False,
    progress: Callable[[FixityReport], None] | None = None,
) -> FixityReport:
    """Read originals and compare them, those first whose last check is longest ago (or never was).

    At most ``most`` files, for at most ``seconds``, only those not checked for ``older_than``. A file whose whole place
    is empty or gone counts as missing only with ``accept_missing``.
    """
    report = FixityReport()
    pace = pace or Pace(0)
    until = None if seconds is None else time.monotonic() + seconds
    for asset in _waiting(collection, timezone.now() - (older_than or timedelta(0))):
        if most is not None and report.read >= most:
            break
        if until is not None and time.monotonic() > until:
            report.over = True
            break
        _verify(asset, report, pace, accept_missing)
        if progress:
            progress(report)
    return report


def nightly_share() -> int:
    """Return how many originals are read in a night, so that each is read once in RSPORTAL_VERIFY_DAYS; 0: none."""
    if not settings.VERIFY_DAYS:
        return 0
    return math.ceil(_known(None).count() / settings.VERIFY_DAYS)


def _known(collection: Collection | None) -> QuerySet[Asset]:
    rows = Asset.objects.filter(role=Asset.Role.DATA).exclude(Q(sha256="") | Q(path=""))
    return rows.filter(scene__collection=collection) if collection else rows


def _waiting(collection: Collection | None, before: datetime) -> Iterator[Asset]:
    """Yield the originals not checked since ``before``, never checked ones first; each once."""
    never, last = _known(collection).filter(verified_at=None).order_by("pk"), 0
    while rows := list(never.filter(pk__gt=last)[:_TOGETHER]):
        yield from rows
        last = rows[-1].pk
    once = _known(collection).filter(verified_at__lt=before).order_by("verified_at", "pk")
    after = Q()
    while rows := list(once.filter(after)[:_TOGETHER]):
        yield from rows
        at, last = rows[-1].verified_at, rows[-1].pk
        after = Q(verified_at__gt=at) | Q(verified_at=at, pk__gt=last)


def _verify(asset: Asset, report: FixityReport, pace: Pace, accept_missing: bool) -> None:
    try:
        path = asset_place(asset)
    except AssetMissing:
        place = Path(settings.MEDIA_ROOT) / asset.path if asset.managed else Path(asset.path)
        if not accept_missing and (root := _empty_place(place)):
            report.note("unreachable", asset, f"{root} is empty or gone; is a disk not mounted?")
            return
        _mark(asset, Asset.Fixity.MISSING)
        report.note("missing", asset)
        return
    try:
        found = _sha256(path, report, pace)
    except OSError as error:
        report.note("unreadable", asset, error.strerror or str(error))
        return
    good = found == asset.sha256
    _mark(asset, Asset.Fixity.GOOD if good else Asset.Fixity.CHANGED)
    report.note("good" if good else "changed", asset)


def _mark(asset: Asset, fixity: Asset.Fixity) -> None:
    """Store the outcome, unless the file was given another place or other bytes while it was read."""
    same = Asset.objects.filter(pk=asset.pk, sha256=asset.sha256, path=asset.path)
    same.update(fixity=fixity, verified_at=timezone.now())


def _sha256(path: Path, report: FixityReport, pace: Pace) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = path.stat().st_size
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            report.bytes += len(chunk)
            pace.spent(len(chunk), of=size)
    return digest.hexdigest()


def _empty_place(path: Path) -> Path | None:
    """Return the nearest folder above ``path`` if it is empty or cannot be read, as where a disk is not mounted."""
    for folder in path.parents:
        try:
            return None if any(folder.iterdir()) else folder
        except FileNotFoundError:
            continue
        except OSError:
            return folder
    return None
