"""Measures one synthetic portal against its rivals; ``bench/search.py`` starts it with the portal's environment.

Every round asks every way the same kind of question, way after way, so that a busy machine slows all alike.
"""

import json
import os
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

import django
import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
django.setup()

from bench import search_rivals  # noqa: E402
from bench.search_archive import ROOT, SEARCHER, arrays, built  # noqa: E402
from bench.search_cases import MOST, Case, cases_make, recall, truths_find  # noqa: E402
from bench.search_hand import HandWritten  # noqa: E402

RECALLS = (10, 20, 100, 1_000)
CLIENTS = (1, 4, 16)
REQUESTS_A_QUERY = {1: 0.8, 4: 1.6, 16: 4.8}
"""HTTP requests a round and filter, by clients, for each query that the candidates are measured with."""
START_SECONDS = 60


class Timings:
    """Seconds and recalls, by case and way."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.recalls: dict[tuple[str, str, int], list[float]] = defaultdict(list)
        self.short = 0

    def add(self, case: str, way: str, seconds: float) -> None:
        self.seconds[case, way].append(seconds)

    def judge(
        self, case: str, way: str, found: NDArray[np.int64], truth: NDArray[np.int64], at: tuple[int, ...]
    ) -> None:
        for k in at:
            self.recalls[case, way, k].append(recall(found, truth, k))

    def as_json(self) -> list[dict[str, Any]]:
        lines = []
        for (case, way), seconds in self.seconds.items():
            ms = 1000 * np.array(seconds)
            line: dict[str, Any] = {
                "case": case,
                "way": way,
                "runs": len(ms),
                "p50_ms": float(np.percentile(ms, 50)),
                "p95_ms": float(np.percentile(ms, 95)),
            }
            for k in (1, *RECALLS):
                if values := self.recalls.get((case, way, k)):
                    line[f"recall@{k}"] = float(np.mean(values))
            lines.append(line)
        return lines


class Measurement:
    """One portal, opened: what is asked and what may be asked of it."""

    def __init__(
        self, folder: Path, *, queries: int, rounds: int, rivals: list[str], graphs: list[str], loop: bool
    ) -> None:
        from imagery.services.encoders import encoder_active
        from imagery.services.partitions import partition_name
        from imagery.services.synthetic import synthetic_source
        from imagery.services.vector_index_warm import vectors_warm
        from rsportal.accounts.models import User
        from search.engine import ranker_of
        from search.models import Query
        from search.ranking import RankQuery, retrieval_vector
        from search.services.synthetic import QUERIES

        self.folder, self.rounds = folder, rounds
        self.each = max(1, queries // rounds)
        Query.objects.all().delete()  # Answers kept by an earlier run would be found again.
        self.user = User.objects.get(username=SEARCHER)
        self.encoder = encoder_active()
        self.rows, self.tiles = arrays(folder)
        self.row_of = {int(tile): row for row, tile in enumerate(self.tiles)}
        texts, classes = synthetic_source(self.encoder).queries(QUERIES)
        self.cases = cases_make(self.tiles, classes)
        ranker = ranker_of(self.encoder)
        halves = texts.astype(np.float16).astype(np.float32)  # As they are kept.
        self.asked = {
            number: retrieval_vector(
                query=RankQuery(vector=halves[number]), geometry=ranker.geometry, settings=ranker.settings
            )
            for case in self.cases
            for number in case.queries[: self.each * rounds]
        }
        truths_find(self.cases, self.rows, self.asked)
        parameters = _connection_parameters()
        table = partition_name(self.encoder.pk)
        self.hands = [
            HandWritten(parameters=parameters, table=table, dimension=self.encoder.dimension, exact=exact)
            for exact in (False, True)
        ]
        self.rivals: list[tuple[search_rivals.Rival, int]] = [
            (search_rivals.NumpyMatmul(self.rows), self.each),
            *_rivals(folder, rivals, graphs, self.rows, self.each),
        ]
        if loop:
            self.rivals.append((search_rivals.TutorialLoop(np.array(self.rows)), 1))
        self.timings = Timings()
        self.failures: list[str] = []
        self.http: dict[str, dict[str, Any]] = {}
        self.warmed = vectors_warm()

    def run(self, *, http: bool) -> dict[str, Any]:
        with _server(self.user) if http else _nothing() as server:
            for number in range(self.rounds):
                for case in self.cases:
                    queries = case.queries[number * self.each : (number + 1) * self.each]
                    self._vectors(case, queries, turn=number)
                    self._service(case, queries)
                self._others(self.cases[0].queries[number * self.each : (number + 1) * self.each])
                if server is not None:
                    self._http(server, number)
                _say(f"round {number + 1} of {self.rounds} done")
        return {
            "scenes": len(self.rows),
            "dimension": self.encoder.dimension,
            "shares": {case.name: case.share for case in self.cases},
            "built_seconds": built(self.folder),
            "lines": self.timings.as_json(),
            "http": [self._http_line(*key) for key in self._http_keys()],
            "failures": self.failures[:20],
            "failed": len(self.failures),
            "short_pages": self.timings.short,
            "notes": {rival.name: rival.note for rival, _ in self.rivals},
        }

    def _vectors(self, case: Case, queries: list[int], *, turn: int) -> None:
        """Candidates of the portal and the same by hand, on the same vectors; who goes first changes."""
        from search.candidates import candidates_find
        from search.query import SearchRequest

        request = SearchRequest(text="bench", **case.request)

        def portal(query: NDArray[np.float32]) -> NDArray[np.int64]:
            found = candidates_find(vector=query, encoder=self.encoder, request=request, user=self.user, k=MOST)
            return np.asarray(found.tile_ids)

        ways: list[tuple[str, Callable[[NDArray[np.float32]], NDArray[np.int64]]]] = [("candidates", portal)]
        ways += [(hand.name, lambda query, hand=hand: hand.find(query, MOST, case.hand)[0]) for hand in self.hands]
        for place, query in enumerate(queries):
            for way, find in ways if (place + turn) % 2 else reversed(ways):
                if way == "plain SQL, exact" and place and case.passes.sum() > 20_000:
                    continue  # Measuring every row of a large archive takes long: once a round shows it.
                begun = perf_counter()
                tiles = find(self.asked[query])
                self.timings.add(case.name, way, perf_counter() - begun)
                truth = case.truth[query]
                self.timings.short += way == "candidates" and len(tiles) < len(truth)
                found = np.array([self.row_of[int(tile)] for tile in tiles], dtype=np.int64)
                if not case.passes[found].all():
                    self.failures.append(f"{way} gave rows that do not pass {case.name}")
                self.timings.judge(case.name, way, found, truth, RECALLS)

    def _service(self, case: Case, queries: list[int]) -> None:
        """The whole service with stored query vectors: answer, ranking stages, storing, the first page."""
        from search.query import SearchRequest
        from search.services import ranking_page, search_run
        from search.services.synthetic import query_text

        for query in queries:
            request = SearchRequest(text=query_text(query), **case.request)
            begun = perf_counter()
            ranking = search_run(user=self.user, request=request)
            ran = perf_counter()
            page = ranking_page(user=self.user, ranking=ranking)
            self.timings.add(case.name, "service", perf_counter() - begun)
            self.timings.add(case.name, "service: search and store", ran - begun)
            if len(page.hits) < min(24, len(case.truth[query])):
                self.timings.short += 1
            begun = perf_counter()
            ranking_page(user=self.user, ranking=search_run(user=self.user, request=request))
            self.timings.add(case.name, "service, asked again", perf_counter() - begun)

    def _others(self, queries: list[int]) -> None:
        """The rivals, without filter or permission; their answers are judged among all rows."""
        everything: dict[int, NDArray[np.int64]] = {}
        for rival, most in self.rivals:
            for k in (10, MOST):
                for query in queries[:most]:
                    vector = self.asked[query]
                    begun = perf_counter()
                    found = rival.find(vector, min(k, len(self.rows)))
                    self.timings.add("all rows", f"{rival.name}, k {k:,}", perf_counter() - begun)
                    if query not in everything:
                        everything[query] = search_rivals.NumpyMatmul(self.rows).find(vector, min(MOST, len(self.rows)))
                    at = (10,) if k == 10 else RECALLS
                    self.timings.judge("all rows", f"{rival.name}, k {k:,}", found, everything[query], at)

    def _http(self, server: dict[str, Any], number: int) -> None:
        from search.services.synthetic import query_text

        for case in self.cases:
            fresh = iter(case.queries[self.each * self.rounds :][number :: self.rounds])
            for clients in CLIENTS:
                count = max(clients, round(REQUESTS_A_QUERY[clients] * self.each))
                texts = [query_text(query) for query in islice(fresh, count)]
                asked = {**server, "clients": clients, "paths": [case.path(text) for text in texts]}
                done = subprocess.run(
                    [sys.executable, "-m", "bench.search_http"],
                    cwd=ROOT, input=json.dumps(asked), capture_output=True, text=True, check=True,
                )  # fmt: skip
                answer = json.loads(done.stdout)
                kept = self.http.setdefault(f"{case.name}|{clients}", {"seconds": [], "failed": 0, "wall": 0.0})
                kept["seconds"] += answer["seconds"]
                kept["failed"] += len(answer["failures"])
                kept["wall"] += answer["wall"]
                self.failures += answer["failures"]

    def _http_keys(self) -> list[tuple[str, int]]:
        return [(name, int(clients)) for name, clients in (key.rsplit("|", 1) for key in self.http)]

    def _http_line(self, case: str, clients: int) -> dict[str, Any]:
        kept = self.http[f"{case}|{clients}"]
        ms = 1000 * np.array(kept["seconds"] or [float("nan")])
        return {
            "case": case,
            "clients": clients,
            "requests": len(kept["seconds"]),
            "failed": kept["failed"],
            "p50_ms": float(np.percentile(ms, 50)),
            "p95_ms": float(np.percentile(ms, 95)),
            "per_second": len(kept["seconds"]) / kept["wall"],
        }


def _rivals(
    folder: Path, names: list[str], graphs: list[str], rows: NDArray[np.float32], each: int
) -> Iterator[tuple[search_rivals.Rival, int]]:
    if "faiss" in names:
        yield search_rivals.FaissFlat(rows), each
    if "faiss" in graphs:
        yield search_rivals.FaissHnsw(folder / "faiss.index"), each
    if "hnswlib" in graphs:
        yield search_rivals.Hnswlib(folder / "hnswlib.index", rows.shape[1]), each


def _connection_parameters() -> dict[str, Any]:
    from django.db import connection

    connection.ensure_connection()
    wanted = ("host", "port", "user", "dbname", "password")
    return {name: value for name, value in connection.get_connection_params().items() if name in wanted and value}


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


@contextmanager
def _server(user: Any) -> Iterator[dict[str, Any]]:
    """The portal's own web server, as `manage.py serve` starts it, and a session of ``user``."""
    from django.conf import settings
    from django.test import Client

    from rsportal.management.commands.serve import WEB_THREADS, gunicorn_command

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = Client()
    client.force_login(user, backend="rsportal.accounts.backends.CaseInsensitiveModelBackend")
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    command = gunicorn_command(host="127.0.0.1", port=port, threads=WEB_THREADS)
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT)
    try:
        deadline = monotonic() + START_SECONDS
        while not _listens(port):
            if process.poll() is not None or monotonic() > deadline:
                sys.exit("The web server did not start; see above.")
            sleep(0.1)
        yield {"port": port, "cookie": cookie, "marker": "data-hit"}
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    asked = json.loads(sys.argv[1])
    measurement = Measurement(
        Path(asked["folder"]),
        queries=asked["queries"],
        rounds=asked["rounds"],
        rivals=asked["rivals"],
        graphs=asked["graphs"],
        loop=asked["loop"],
    )
    Path(asked["result"]).write_text(json.dumps(measurement.run(http=asked["http"])))


if __name__ == "__main__":
    main()
