"""The figures of one size as tables in plain text."""

from typing import Any

_RECALLS = ("recall@10", "recall@20", "recall@100", "recall@1000")
_SERVICE = ("candidates", "service", "service: search and store", "service, asked again")


def tables(measured: dict[str, Any]) -> str:
    """Return all tables of one size; times are medians (and 95th percentiles) in milliseconds."""
    lines = {(line["case"], line["way"]): line for line in measured["lines"]}
    cases = list(measured["shares"])
    out = [f"\n=== {measured['scenes']:,} scenes x {measured['dimension']:,} numbers ==="]
    out += ["", "Candidates, k 1,000: p50 (p95) ms, recall against exact", *_candidates(lines, cases, measured)]
    out += ["", "The whole service, stored query vectors, storing and first page included: p50 (p95) ms"]
    out += [_row("filter", ["whole", "search and store", "asked again"])]
    for case in cases:
        out.append(_row(case, [_times(lines[case, way]) for way in _SERVICE[1:] if (case, way) in lines]))
    if measured["http"]:
        out += ["", *_http(measured["http"], cases)]
    out += ["", *_rivals(lines, cases, measured)]
    if measured["failed"]:
        out += ["", f"{measured['failed']} FAILURES, such as: {measured['failures'][0]}"]
    if measured["short_pages"]:
        out += ["", f"{measured['short_pages']} answers were SHORT of what passes the filter"]
    return "\n".join(out)


def _candidates(lines: dict[tuple[str, str], Any], cases: list[str], measured: dict[str, Any]) -> list[str]:
    out = [_row("filter", ["passes", "portal", *_RECALLS, "plain HNSW", "recall@1000", "plain exact", "ratio to best"])]
    for case in cases:
        ours = lines[case, "candidates"]
        graph, exact = (lines[case, f"plain SQL, {kind}"] for kind in ("HNSW", "exact"))
        # A plan that loses the answers is no rival: it must find as much as ours, less five in a hundred.
        fit = [line for line in (graph, exact) if line["recall@1000"] >= ours["recall@1000"] - 0.05]
        best = min(fit or [exact], key=lambda line: line["p50_ms"])
        cells = [f"{100 * measured['shares'][case]:.2f} %", _times(ours), *(f"{ours[name]:.3f}" for name in _RECALLS)]
        cells += [_times(graph), f"{graph['recall@1000']:.3f}", _times(exact), f"{ours['p50_ms'] / best['p50_ms']:.2f}"]
        out.append(_row(case, cells))
    return out


def _http(http: list[dict[str, Any]], cases: list[str]) -> list[str]:
    clients = sorted({line["clients"] for line in http})
    out = ["HTTP, the search page in full: p50 / p95 ms, p95 to p50, requests a second, failed"]
    out.append(_row("filter", [f"{number} client{'s' if number > 1 else ''}" for number in clients], width=36))
    found = {(line["case"], line["clients"]): line for line in http}
    for case in cases:
        cells = []
        for number in clients:
            if (line := found.get((case, number))) is None:
                continue
            ratio = line["p95_ms"] / line["p50_ms"]
            times = f"{line['p50_ms']:.0f} / {line['p95_ms']:.0f}"
            cells.append(f"{times}, {ratio:.1f}, {line['per_second']:.1f}/s, {line['failed']}")
        out.append(_row(case, cells, width=36))
    return out


def _rivals(lines: dict[tuple[str, str], Any], cases: list[str], measured: dict[str, Any]) -> list[str]:
    out = ["Other ways, one core, all rows, no filter and no permission (portal's candidates: with permission)"]
    out.append(_row("way", ["p50 (p95) ms", "recall@10", "recall@1000", "time to portal's"], first=44))
    ours = lines[cases[0], "candidates"]
    out.append(_row("portal, candidates, k 1,000", _rival(ours, ours), first=44))
    out += [_row(way, _rival(line, ours), first=44) for (case, way), line in lines.items() if case == "all rows"]
    if not measured["loop"]:
        out.append("The tutorial loop was not run at this size: it would need over a minute a query.")
    for name in measured["left_out"]:
        out.append(f"{name}'s graph was not built at this size: half an hour and over 4 GB of memory of its own.")
    if measured["built_seconds"]:
        built = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in measured["built_seconds"].items())
        out.append(f"Building the graphs took: {built}.")
    return out


def _rival(line: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    recalls = [f"{line[name]:.3f}" if name in line else "" for name in ("recall@10", "recall@1000")]
    return [_times(line), *recalls, f"{line['p50_ms'] / ours['p50_ms']:.2f}"]


def _times(line: dict[str, Any]) -> str:
    digits = 1 if line["p95_ms"] < 1000 else 0
    return f"{line['p50_ms']:.{digits}f} ({line['p95_ms']:.{digits}f})"


def _row(first_cell: str, cells: list[str], *, width: int = 17, first: int = 28) -> str:
    return first_cell.ljust(first) + "".join(cell.rjust(width) for cell in cells)
