"""Clients of a portal, each a thread with its own connection; standard library only, in a process of its own.

Reads {"port", "cookie", "clients", "paths"} as JSON from standard input. The clients take the paths in turn, each
asking for its next as soon as it has the last answer in full. Writes {"seconds", "failures", "wall"}.
"""

import http.client
import json
import sys
import threading
from time import perf_counter
from typing import Any

TIMEOUT_SECONDS = 60


def main() -> None:
    json.dump(load(**json.load(sys.stdin)), sys.stdout)


def load(*, port: int, cookie: str, clients: int, paths: list[str], marker: str = "") -> dict[str, Any]:
    """Ask for every path once; a page counts as failed unless it is answered 200 and holds ``marker``."""
    waiting = iter(paths)
    lock, start = threading.Lock(), threading.Barrier(clients + 1)
    seconds: list[float] = []
    failures: list[str] = []

    def client() -> None:
        start.wait()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        while True:
            with lock:
                path = next(waiting, None)
            if path is None:
                break
            begun = perf_counter()
            try:
                connection.request("GET", path, headers={"Cookie": cookie, "Accept-Language": "en"})
                answer = connection.getresponse()
                body = answer.read()
                fault = "" if answer.status == 200 and marker.encode() in body else f"{answer.status} {path}"
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                fault = f"{type(error).__name__}: {error} {path}"
            with lock:
                if fault:
                    failures.append(fault)
                else:
                    seconds.append(perf_counter() - begun)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    start.wait()
    begun = perf_counter()
    for thread in threads:
        thread.join()
    return {"seconds": seconds, "failures": failures, "wall": perf_counter() - begun}


if __name__ == "__main__":
    main()
