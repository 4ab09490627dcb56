#!/usr/bin/env python3
"""Thousands of damaged files through the real ingest: what a hostile or a worn-out archive does to a worker.

    .venv/bin/python bench/fuzz_ingest.py [--files 5000] [--first 0] [--json FILE] [--keep DIR]

Whole files of every format, compression and kind of georeference (and zip archives, honest and not) are damaged by
rules that follow from a number (tests/fuzzing.py), then uploaded, accepted, read, tiled and encoded by the built-in
encoder in a worker process of its own, on an empty database and media folder that are removed afterwards. A file must
end as a whole scene or be refused in a sentence that names it; nothing may be left of what was refused. The process
must live; a file that takes longer than LIMIT_SECONDS, or for which its memory grows by more than LIMIT_MB, is told.
Files with findings are kept in ``--keep``. The exit status is 1 when there are any.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))
LIMIT_SECONDS = 30.0
LIMIT_MB = 400


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "rsportal.settings"
    os.environ["RSPORTAL_TEST_DB_SUFFIX"] = f"fuzz_{os.getpid()}"
    os.environ["RSPORTAL_LOG_LEVEL"] = "ERROR"
    os.environ["RSPORTAL_ENCODER_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="rsportal-fuzz-") as folder:
        os.environ["RSPORTAL_MEDIA_DIR"] = f"{folder}/media"
        told = _run(options, Path(folder))
    print(json.dumps(told, indent=2))
    if options.json:
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return 1 if told["findings"] else 0


def _run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    import django

    django.setup()
    from django.db import connection

    name = connection.settings_dict["NAME"]
    test_name = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    connection.close()
    try:
        return _fuzz(options, folder, test_name)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def _fuzz(options: argparse.Namespace, folder: Path, database: str) -> dict[str, Any]:
    """Give the numbers to a worker one by one; a worker that dies or hangs is replaced."""
    from tests.fuzzing import mutant, seeds

    (folder / "seeds").mkdir()
    whole = seeds(folder / "seeds")
    fates: Counter[str] = Counter()
    seconds: list[float] = []
    grown: list[float] = []
    findings: list[dict[str, Any]] = []
    worker, pipe = _worker(folder, database)
    begun = time.monotonic()
    for number in range(options.first, options.first + options.files):
        made = mutant(number, whole)
        path = folder / made.name
        path.write_bytes(made.content)
        pipe.send(str(path))
        problem = ""
        if not pipe.poll(LIMIT_SECONDS):
            problem = f"took longer than {LIMIT_SECONDS:.0f} s"
        else:
            try:
                answer = pipe.recv()
            except EOFError:
                problem = "ended the worker"
            else:
                fates[answer["fate"]] += 1
                seconds.append(answer["seconds"])
                grown.append(answer["grown_mb"])
                problem = "; ".join(answer["faults"])
                if answer["grown_mb"] > LIMIT_MB:
                    problem += f" memory grew by {answer['grown_mb']:.0f} MB"
        if problem:
            findings.append({"number": number, "seed": made.seed, "way": made.way, "problem": problem})
            options.keep.mkdir(exist_ok=True)
            (options.keep / made.name).write_bytes(made.content)
            print(f"{number} ({made.seed}, {made.way}): {problem}", file=sys.stderr, flush=True)
        path.unlink()
        if problem.startswith(("took longer", "ended")):
            worker.kill()
            worker.join()
            worker, pipe = _worker(folder, database)
        if (number + 1) % 250 == 0:
            print(f"{number + 1 - options.first} files, {dict(fates)}", file=sys.stderr, flush=True)
    whole_seconds = time.monotonic() - begun
    pipe.send("")
    rest = pipe.recv()
    worker.join()
    return {
        "files": options.files,
        "fates": dict(fates.most_common()),
        "findings": findings,
        "left over": rest,
        "seconds": round(whole_seconds),
        "slowest file, s": round(max(seconds), 2),
        "median file, s": round(sorted(seconds)[len(seconds) // 2], 3),
        "most memory grown for a file, MB": round(max(grown)),
        "median memory grown, MB": round(sorted(grown)[len(grown) // 2], 1),
    }


def _worker(folder: Path, database: str) -> tuple[multiprocessing.Process, Connection]:
    """Start a worker process; it is ready when this returns."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    worker = multiprocessing.get_context("spawn").Process(target=_work, args=(theirs, database), daemon=True)
    worker.start()
    theirs.close()
    ours.recv()
    return worker, ours  # type: ignore[return-value]


def _work(pipe: Connection, database: str) -> None:
    """Take files in, one by one, until an empty name comes."""
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection

    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = database
    settings.INGEST_STALE_SECONDS = 3600
    from imagery.models import Collection
    from imagery.services.encoders import builtin_encoder_ensure, encoder_active
    from imagery.services.selftest import encoder_ready
    from rsportal.accounts.models import User
    from tests.factories import make_collection, make_user
    from tests.fuzzing_ingest import archive_faults, mutant_ingest

    builtin_encoder_ensure()
    encoder_ready(encoder=encoder_active(), image=True)
    user = User.objects.filter(username="fuzz").first() or make_user("fuzz")
    collection = Collection.objects.filter(slug="fuzz").first() or make_collection("fuzz", owner=user)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # What image libraries print about damaged files.
    pipe.send("ready")
    while path := pipe.recv():
        Path("/proc/self/clear_refs").write_text("5")  # The peak is counted anew.
        before, begun = _memory_mb("VmRSS"), time.monotonic()
        try:
            fate, faults = mutant_ingest(Path(path), collection=collection, user=user)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            fate, faults = "unexpected", [f"{type(error).__name__}: {error}"]
        pipe.send(
            {
                "fate": fate,
                "faults": faults,
                "seconds": time.monotonic() - begun,
                "grown_mb": _memory_mb("VmHWM") - before,
            }
        )
    pipe.send(archive_faults())


def _memory_mb(field: str) -> float:
    """Return a line of /proc/self/status in MB: VmRSS is the memory now, VmHWM the most since it was reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"{field} is not told here")


if __name__ == "__main__":
    sys.exit(main())
