"""The figures of docs/learning.md: simulated people on labelled images, in one run.

    RSPORTAL_TEST_DATA=... OMP_NUM_THREADS=1 .venv/bin/python bench/feedback_table.py --out docs/learning

Writes OUT.json (every configuration), OUT.md (the table) and OUT.svg (the plot). Ten minutes on two cores.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
MODELS: Final = ("GeoRSCLIP_ViT-L-14", "RemoteCLIP_ViT-B-32", "RemoteCLIP_ViT-L-14")
ETAS: Final = (0.5, 1.0, 1.5)
NOISES: Final = (0.05, 0.3)
ATTACKERS: Final = (0.0, 0.1, 0.3)
EVERY: Final = 4
"""Of RSICD's phrases one in four is asked: three of each class."""


def cases() -> Iterator[dict[str, Any]]:
    """Yield what is varied: clicks and rounds of people alone, then attackers among pooled ones."""
    for base in ("raw", "full"):
        for rounds in (1, 3):
            for noise in NOISES:
                for eta in ETAS:
                    shipped = rounds == 1 and noise == NOISES[0] and eta == 1.0
                    users = 20 if shipped else 4
                    yield {"base": base, "eta": eta, "noise": noise, "rounds": rounds, "users": users}
        for share in ATTACKERS:
            yield {"base": base, "eta": 1.0, "noise": NOISES[0], "rounds": 1, "users": 20, "pooled": share}


def measured(archives: list[Any], case: dict[str, Any]) -> dict[str, Any]:
    """Return a case with what came out."""
    from search.simulation.clicks import ClickModel
    from search.simulation.hits import pages_to_hits
    from search.simulation.run import Simulation, simulate

    simulation = Simulation(
        base=case["base"],
        model=ClickModel(eta=case["eta"], noise=case["noise"]),
        rounds=case["rounds"],
        users=case["users"],
        pooled="pooled" in case,
        attackers=case.get("pooled", 0.0),
    )
    found = {**case, **simulate(archives, simulation)[0].as_json()}
    if "pooled" not in case and case["rounds"] == 1:
        pages = pages_to_hits(archives, simulation)
        found["pages"], found["pages_without"] = round(pages.with_feedback, 2), round(pages.without, 2)
    return found


def sets(data: Path) -> Iterator[tuple[str, list[Any]]]:
    """Yield the archives by name."""
    from search.embeddings_file import embeddings_read
    from search.simulation.archive import archive_of
    from search.simulation.captioned import CaptionedFiles, archive_encode

    paths = [data / "whu_rs19" / f"{name}.npz" for name in MODELS]
    yield "WHU-RS19, three models", [archive_of(embeddings_read(path), name=path.name) for path in paths]
    files = CaptionedFiles(
        data / "rsicd" / "images", data / "rsicd" / "captions.jsonl", ROOT / "bench" / "queries.jsonl"
    )
    for language, told in (("en", "English"), ("zh", "Chinese")):
        archive = archive_encode(files, language=language)
        yield f"RSICD val, built-in, {told}", [replace(archive, queries=archive.queries[::EVERY])]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table in Markdown."""
    heads = [
        "set",
        "base",
        "people",
        "eta",
        "noise",
        "rounds",
        "AP",
        "95 %",
        "nDCG@10",
        "worse",
        "promoted",
        "pages to 10",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|" + "|".join("---" for _ in heads) + "|"]
    for row in rows:
        people = "alone" if "pooled" not in row else f"pooled, {row['pooled']:.0%} attack"
        pages = f"{row['pages']:.2f} ({row['pages_without']:.2f})" if "pages" in row else ""
        cells = [
            row["set"], row["base"], people, f"{row['eta']:g}", f"{row['noise']:g}", str(row["rounds"]),
            f"{row['gain_ap']:+.2f}", f"{row['ci95'][0]:+.2f} to {row['ci95'][1]:+.2f}", f"{row['gain_ndcg10']:+.2f}",
            f"{row['worse_share']:.1%}", f"{row['promoted_share']:.1%}" if "pooled" in row else "", pages,
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where to write, without an ending")
    options = parser.parse_args()
    data = Path(os.environ.get("RSPORTAL_TEST_DATA", ROOT.parent / "shared" / "data"))
    rows: list[dict[str, Any]] = []
    for name, archives in sets(data):
        for case in cases():
            if "Chinese" in name and (case["eta"] != 1.0 or case["noise"] != NOISES[0]):
                continue
            users = case["users"] if "pooled" in case or "WHU" in name else min(case["users"], 4)
            rows.append({"set": name, **measured(archives, {**case, "users": users})})
            print(table(rows[-1:]).splitlines()[-1], flush=True)
        options.out.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        options.out.with_suffix(".md").write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    import django

    django.setup()
    main()
