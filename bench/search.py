"""Search of large archives: the portal against other ways, in one run, on synthetic portals of its own.

    .venv/bin/pip install -r bench/requirements.txt
    .venv/bin/python bench/search.py --work DIR --prepare          # once: a minute for 100,000, an hour for 1,000,000
    .venv/bin/python bench/search.py --work DIR                    # measures both: 10 minutes

Each portal (database, index, arrays, the rivals' indexes) lives in a folder below --work and is used again. Measured
are candidates and recall against exact answers, the whole search service without text encoding, HTTP requests of 1, 4
and 16 clients to the real web server, and the rivals; every way for itself on one core, in rounds that take turns.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.search_archive import environment, prepare  # noqa: E402
from bench.search_tables import tables  # noqa: E402

LOOP_UP_TO = 100_000
"""Scenes that the tutorial loop is asked about; a million would take it over a minute a query."""
GRAPHS_UP_TO = 100_000
"""Scenes up to which the rivals build their graphs: a million takes each half an hour and 4.5 GB of memory."""
RIVALS = ("faiss", "hnswlib")


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="rsportal-bench-") as temporary:
        work = Path(options.work or temporary).resolve()
        report: dict[str, Any] = {"machine": _machine(), "command": " ".join(sys.argv), "sizes": []}
        for size in options.sizes:
            folder = work / f"{size}x{options.dimension}"
            graphs = options.rivals if size <= options.graphs_up_to else []
            prepare(folder, scenes=size, dimension=options.dimension, graphs=graphs)
            if options.prepare:
                continue
            measured = _measure(folder, size, graphs, options)
            report["sizes"].append(measured)
            print(tables(measured), flush=True)
    if options.json and not options.prepare:
        Path(options.json).write_text(json.dumps(report, indent=1), encoding="utf-8")


def _measure(folder: Path, size: int, graphs: list[str], options: argparse.Namespace) -> dict[str, Any]:
    result = folder / "result.json"
    asked = {
        "folder": str(folder),
        "queries": options.queries,
        "rounds": options.rounds,
        "rivals": options.rivals,
        "graphs": graphs,
        "loop": size <= LOOP_UP_TO,
        "http": not options.no_http,
        "result": str(result),
    }
    command = [sys.executable, "-m", "bench.search_measure", json.dumps(asked)]
    subprocess.run(command, cwd=ROOT, env=environment(folder), check=True)
    measured: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    measured["left_out"] = [name for name in options.rivals if name not in graphs]
    measured["loop"] = asked["loop"]
    return measured


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=_numbers, default=[100_000, 1_000_000], metavar="N,N", help="100000,1000000")
    parser.add_argument("--dimension", type=int, default=1_024, metavar="D", help="numbers of a vector (1024)")
    parser.add_argument("--queries", type=int, default=32, metavar="Q", help="queries a case and way (32)")
    parser.add_argument("--rounds", type=int, default=4, metavar="R", help="in so many turns (4)")
    parser.add_argument("--rivals", type=_words, default=list(RIVALS), help="faiss,hnswlib or none")
    parser.add_argument(
        "--graphs-up-to",
        type=int,
        default=GRAPHS_UP_TO,
        metavar="N",
        help="scenes up to which rivals build their graphs",
    )
    parser.add_argument("--no-http", action="store_true", help="leave out the web server")
    parser.add_argument("--prepare", action="store_true", help="make what is missing in --work and stop")
    parser.add_argument("--work", metavar="DIR", help="folder that keeps portals and indexes for the next run")
    parser.add_argument("--json", metavar="FILE", help="file for all figures")
    options = parser.parse_args()
    if unknown := set(options.rivals) - set(RIVALS):
        parser.error(f"--rivals: {', '.join(sorted(unknown))} is not one of {', '.join(RIVALS)}.")
    if options.prepare and not options.work:
        parser.error("--prepare needs --work, where it keeps what it makes.")
    if min(options.sizes) < 1 or options.queries < 1 or not 1 <= options.rounds <= options.queries:
        parser.error("--sizes, --queries and --rounds must be 1 or more, --rounds at most --queries.")
    return options


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _words(text: str) -> list[str]:
    return [] if text == "none" else text.split(",")


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
