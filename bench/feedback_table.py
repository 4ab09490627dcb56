"""The figures of docs/learning.md: simulated people on labelled images, in one run.

    RSPORTAL_TEST_DATA=... OMP_NUM_THREADS=1 .venv/bin/python bench/feedback_table.py --out /tmp/learning

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
EVERY: Final = 6
"""Of RSICD's phrases one in six is asked: two of each class."""


def cases(*, brief: bool) -> Iterator[dict[str, Any]]:
    """Yield what is varied: clicks and rounds of people alone, then attackers among pooled ones."""
    for base in ("raw", "full"):
        for rounds in (1, 3):
            for noise in NOISES:
                for eta in ETAS:
                    shipped = rounds == 1 and noise == NOISES[0] and eta == 1.0
                    if brief and (eta != 1.0 or (rounds == 3 and noise != NOISES[0])):
                        continue
                    users = 20 if shipped and not brief else 4
                    yield {"base": base, "eta": eta, "noise": noise, "rounds": rounds, "users": users}
        for share in ATTACKERS[:: 2 if brief else 1]:
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


_COLOURS: Final = ("#1f6fb2", "#c2571a")


def plot(rows: list[dict[str, Any]]) -> str:
    """Return the gain of one round in WHU-RS19 as an SVG: by eta and noise in both bases, and under attack."""
    from search.judged.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Values, linear, nice_ticks, series

    whu = [row for row in rows if row["set"].startswith("WHU") and row["rounds"] == 1]
    alone = [row for row in whu if "pooled" not in row]
    panels: list[tuple[str, str, str, list[tuple[str, list[dict[str, Any]]]]]] = [
        (f"people alone, base {base}", "eta", "severity of position bias (eta)",
         [(f"noise {noise:g}", [row for row in alone if row["base"] == base and row["noise"] == noise])
          for noise in NOISES])
        for base in ("raw", "full")
    ]  # fmt: skip
    attacked = [(base, [row for row in whu if "pooled" in row and row["base"] == base]) for base in ("raw", "full")]
    panels.append(("everybody, with attackers", "pooled", "share of attackers", attacked))
    parts = []
    for number, (title, key, label, lines) in enumerate(panels):
        ends = [end for _name, points in lines for row in points for end in row["ci95"]]
        ticks = nice_ticks(0, max(ends))
        x = linear(0.4 if key == "eta" else -0.02, 1.6 if key == "eta" else 0.32, LEFT, RIGHT)
        y = linear(ticks[0], ticks[-1], BOTTOM, TOP)
        drawn = [f'<g transform="translate({number * WIDTH} 0)">', _text(LEFT, 16, title, weight="bold")]
        for tick in ticks:
            drawn.append(f'<path d="M{LEFT},{y(tick)}H{RIGHT}" stroke="#ddd"/>')
            drawn.append(_text(LEFT - 6, y(tick) + 4, f"{tick:g}", anchor="end"))
        values, form = (ETAS, "g") if key == "eta" else (ATTACKERS, ".0%")
        drawn += [_text(x(value), BOTTOM + 16, format(value, form), anchor="middle") for value in values]
        drawn.append(_text((LEFT + RIGHT) / 2, BOTTOM + 34, label, anchor="middle"))
        for line, (name, points) in enumerate(lines):
            found = sorted(points, key=lambda row: row[key])
            gains = [(row["gain_ap"], *row["ci95"]) for row in found]
            shape = series(line + 1, Values(name, [row[key] for row in found], gains), x, y)
            colour = _COLOURS[line]
            drawn.append(f'<polygon points="{shape.band}" fill="{colour}" opacity=".15"/>')
            drawn.append(f'<polyline points="{shape.line}" fill="none" stroke="{colour}" stroke-width="2"/>')
            drawn += [f'<path d="{mark.path}" fill="{colour}"/>' for mark in shape.marks]
            drawn.append(_text(RIGHT - 4, TOP + 14 + 16 * line, name, anchor="end", colour=colour))
        parts += [*drawn, "</g>"]
    size = f"{len(panels) * WIDTH} {HEIGHT}"
    told = "Points of residual average precision that one round of clicks gains, with 95 % intervals"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="sans-serif" font-size="12" '
        f'role="img" aria-label="{told}"><title>{told}</title><rect width="100%" height="100%" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal", colour: str = "#333") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}">{text}</text>'


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where to write, without an ending")
    options = parser.parse_args()
    data = Path(os.environ.get("RSPORTAL_TEST_DATA", ROOT.parent / "shared" / "data"))
    rows: list[dict[str, Any]] = []
    for name, archives in sets(data):
        for case in cases(brief="RSICD" in name):
            rows.append({"set": name, **measured(archives, case)})
            print(table(rows[-1:]).splitlines()[-1], flush=True)
        options.out.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        options.out.with_suffix(".md").write_text(table(rows), encoding="utf-8")
        options.out.with_suffix(".svg").write_text(plot(rows), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    import django

    django.setup()
    main()
