"""The check that originals are the bytes that came."""

import io
import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from imagery import tasks_archive
from imagery.models import Asset
from imagery.services.fixity import Pace, nightly_share, originals_verify
from imagery.services.ingest import SourceFile, source_ingest
from imagery.storage import AssetChanged, asset_path
from tests import images

pytestmark = pytest.mark.django_db
Fixity = Asset.Fixity


@pytest.fixture
def originals(collection, owner, tmp_path) -> list[Path]:
    """Three pictures of an archive that were taken in where they lie."""
    paths = [images.draw(tmp_path / "in" / f"{number}.png", seed=number) for number in range(3)]
    for path in paths:
        source_ingest(files=[SourceFile(path, path.name)], collection=collection, user=owner, copy=False)
    return paths


def fixities() -> dict[str, str]:
    return dict(Asset.objects.filter(role="data").values_list("filename", "fixity"))


def test_good_changed_and_missing_are_told_apart(originals, caplog):
    content = originals[1].read_bytes()
    originals[1].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    originals[2].unlink()
    with caplog.at_level(logging.WARNING):
        report = originals_verify()
    assert report.counts == {"good": 1, "changed": 1, "missing": 1, "unreadable": 0, "unreachable": 0}
    assert fixities() == {"0.png": Fixity.GOOD, "1.png": Fixity.CHANGED, "2.png": Fixity.MISSING}
    assert str(originals[1]) in report.names["changed"][0] and str(originals[1]) in caplog.text
    changed = Asset.objects.get(filename="1.png")
    with pytest.raises(AssetChanged, match="changed"):
        asset_path(changed)
    originals[1].write_bytes(content)
    images.draw(originals[2], seed=2)
    assert originals_verify().counts["good"] == 3
    changed.refresh_from_db()
    assert asset_path(changed) == originals[1]


def test_the_oldest_check_comes_first_and_the_number_is_bounded(originals):
    now = timezone.now()
    ages = {"0.png": 5, "1.png": 50, "2.png": None}
    for name, days in ages.items():
        Asset.objects.filter(filename=name).update(verified_at=now - timedelta(days=days) if days else None)
    seen = []
    for _ in range(3):
        originals_verify(most=1)
        seen += [a.filename for a in Asset.objects.filter(role="data", verified_at__gte=now) if a.filename not in seen]
    assert seen == ["2.png", "1.png", "0.png"]
    assert originals_verify(older_than=timedelta(days=1)).read == 0


def test_a_disk_that_is_not_mounted_marks_nothing(originals):
    for path in originals:
        path.unlink()
    report = originals_verify()
    assert report.counts["unreachable"] == 3 and "mounted" in report.names["unreachable"][0]
    assert set(fixities().values()) == {Fixity.UNKNOWN}
    assert originals_verify(accept_missing=True).counts["missing"] == 3


def test_a_folder_that_is_gone_among_others_is_missing(originals, tmp_path):
    images.draw(tmp_path / "other" / "x.png")
    for path in originals:
        path.unlink()
    originals[0].parent.rmdir()
    assert originals_verify().counts["missing"] == 3


def test_reading_is_held_to_a_pace():
    now, paused = [0.0], []

    def pause(seconds):
        paused.append(seconds)
        now[0] += seconds

    pace = Pace(1_000_000, clock=lambda: now[0], pause=pause)
    for _ in range(10):
        now[0] += 0.1  # reading half a megabyte takes a tenth of a second
        pace.spent(500_000)
    assert 4 <= now[0] <= 5.2 and all(each > 0 for each in paused)
    huge = 3_600_000_000_000  # At a megabyte a second six weeks; a task has an hour.
    start = now[0]
    for _ in range(36):
        pace.spent(huge // 3600, of=huge)
    assert now[0] - start < 20


def test_the_night_takes_a_share_and_the_rest_waits(originals, settings):
    settings.VERIFY_DAYS, settings.VERIFY_MB_PER_SECOND = 2, 0
    assert nightly_share() == 2 and tasks_archive.verify_nightly() == 2
    assert sorted(fixities().values()) == ["", "good", "good"]
    assert tasks_archive.verify_nightly() == 2
    settings.VERIFY_DAYS = 0
    assert tasks_archive.verify_nightly() == 0


def test_the_command_names_what_is_wrong_and_fails(originals, collection, capsys):
    call_command("verify", "--collection", collection.slug, "--rate", "0")
    assert "3 good" in capsys.readouterr().out
    originals[0].write_bytes(b"other")
    out = io.StringIO()
    with pytest.raises(CommandError, match="1 originals"):
        call_command("verify", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert (told["changed"], told["good"]) == (1, 2) and str(originals[0]) in told["names"]["changed"][0]
    with pytest.raises(CommandError, match="no collection"):
        call_command("verify", "--collection", "nowhere")
    with pytest.raises(CommandError, match="--limit"):
        call_command("verify", "--limit", "-1")
