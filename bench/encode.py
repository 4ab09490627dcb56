"""Encoding speed: the tutorial way against ours, in one run, every configuration in a process of its own.

    python bench/encode.py                          # large, base and built-in, one and two threads: about 15 minutes
    python bench/encode.py --shapes base --threads 1 --images 4 --rounds 1   # under 3 minutes

Large and base are real SigLIP checkpoints of Git-RSCLIP's shapes with random weights, written to disk here: right for
speed, memory and cosines, meaningless for rankings. The overlap of the ten nearest is therefore measured on the trained
weights of the built-in encoder, on real pictures where RSPORTAL_TEST_DATA has them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from imagery.encoders.base import EncoderKind, EncoderSpec  # noqa: E402
from imagery.encoders.registry import checksum, make_encoder  # noqa: E402
from imagery.encoders.runtime import known  # noqa: E402
from imagery.encoders.runtime.agreement import agreement, best_kept, nearest, top_overlap  # noqa: E402
from imagery.encoders.runtime.plan import this_machine  # noqa: E402
from tests.checkpoints import BASE_FULL, Shape, siglip_of_shape  # noqa: E402

SHAPES = {
    "large": Shape(width=1024, layers=24, heads=16, image=256, patch=16, vocabulary=32_000),
    "base": BASE_FULL,
    "builtin": None,
}
IMAGES = {"large": 32, "base": 64, "builtin": 256}
OVERLAP_IMAGES = 300
JPEG_QUALITY = 92
WAYS = ROOT / "bench" / "encode_ways.py"


@dataclass
class Subject:
    """An encoder to measure: where it is, and the pictures it is given."""

    name: str
    kind: EncoderKind
    source: str
    pictures: list[str]
    texts: list[str] = field(default_factory=lambda: list(known.TEXTS))

    @property
    def spec(self) -> EncoderSpec:
        return EncoderSpec(self.kind, self.source)


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="rsportal-bench-") as temporary:
        work = Path(options.work or temporary)
        work.mkdir(parents=True, exist_ok=True)
        report: dict[str, Any] = {"machine": this_machine().as_json(), "command": " ".join(sys.argv), "results": []}
        subjects = [_subject(name, work, options) for name in options.shapes]
        for threads in options.threads:
            peak = _run({"way": "gemm"}, threads)
            report["results"].append({"what": "matrix product", "threads": threads, **peak})
            _say(f"\n{threads} thread(s): float32 {peak['float32_gflops']}, bfloat16 {peak['bfloat16_gflops']} GFLOP/s")
            for subject in subjects:
                report["results"] += _compare(subject, threads, peak, work, options)
        if "builtin" in options.shapes:
            report["overlap"] = _overlap(work)
        if not options.no_database:
            report["queries"] = _run({"way": "queries"}, max(options.threads))
            _say(f"\nrepeated query through the portal's cache: {report['queries']['repeated_ms']:.2f} ms")
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", type=lambda text: text.split(","), default=list(SHAPES), help="large,base,builtin")
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2], help="1,2")
    parser.add_argument("--images", type=int, default=0, help="pictures of a round (default: by shape)")
    parser.add_argument("--rounds", type=int, default=3, help="the best round counts")
    parser.add_argument("--no-eight-bit", action="store_true")
    parser.add_argument("--no-database", action="store_true", help="leave out the query cache, which needs PostgreSQL")
    parser.add_argument("--work", help="folder to keep checkpoints and exported towers in, for the next run")
    parser.add_argument("--json", help="file for all figures")
    options = parser.parse_args()
    if unknown := set(options.shapes) - set(SHAPES):
        parser.error(f"--shapes: {', '.join(sorted(unknown))} is not one of {', '.join(SHAPES)}.")
    cores = this_machine().cores
    if max(options.threads) > cores or min(options.threads) < 1:
        parser.error(f"--threads: this machine lets the process use 1 to {cores} cores.")
    if options.rounds < 1 or options.images < 0:
        parser.error("--rounds and --images must be 1 or more.")
    return options


def _subject(name: str, work: Path, options: argparse.Namespace) -> Subject:
    shape, count = SHAPES[name], options.images or IMAGES[name]
    if shape is None:
        return Subject(name, EncoderKind.BUILTIN, "builtin", _jpegs(work / "p224", 224, count))
    folder = work / name
    if not (folder / "model.safetensors").exists():
        _say(f"writing a checkpoint of the shape {name}")
        siglip_of_shape(folder, shape, spread=False)
    return Subject(name, EncoderKind.TRANSFORMERS, str(folder), _jpegs(work / "p256", shape.image, count))


def _jpegs(folder: Path, side: int, count: int) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path, picture in zip(paths, known.pictures(count), strict=True):
        picture.resize((side, side)).save(path, quality=JPEG_QUALITY)
    return [str(path) for path in paths]


def _compare(
    subject: Subject, threads: int, peak: dict[str, Any], work: Path, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Measure all ways for one encoder and print a line each; the first is what the others are compared with."""
    request = {
        "kind": subject.kind.value,
        "source": subject.source,
        "pictures": subject.pictures,
        "texts": subject.texts,
        "rounds": options.rounds,
    }
    lines = [{"what": "tutorial", **_rows(request, {"way": "tutorial"}, threads, work)}]
    plans = [("ours", _chosen(subject, threads, work, "full"))]
    if subject.kind is EncoderKind.TRANSFORMERS and not options.no_eight_bit:
        plans.append(("ours, 8 bits", _chosen(subject, threads, work, "int8")))
    for what, plan in plans:
        line = {"what": what, "plan": plan, **_rows(request, {"way": "ours", "plan": plan}, threads, work)}
        web = _run({**request, "way": "web", "plan": plan}, threads)
        lines.append({**line, **web, "peak_rss_mb": line["peak_rss_mb"], "web_peak_rss_mb": web["peak_rss_mb"]})
        if what == "ours" and not options.no_database:
            lines[-1] |= {"ingest": _run({**request, "way": "ingest", "plan": plan}, threads)}
    first = lines[0]
    for line in lines:
        _finish(line, first, subject, threads, peak)
    return [{name: value for name, value in line.items() if name != "rows"} for line in lines]


def _rows(request: dict[str, Any], way: dict[str, Any], threads: int, work: Path) -> dict[str, Any]:
    file = work / "rows.npy"
    answer = _run({**request, **way, "rows": str(file)}, threads)
    return {**answer, "rows": np.load(file)}


def _chosen(subject: Subject, threads: int, work: Path, form: str) -> dict[str, Any]:
    """What the portal chooses on this machine; kept in the work folder for the next run."""
    kept_in = work / f"choice-{subject.name}-{form}-{threads}.json"
    if kept_in.exists():
        kept: dict[str, Any] = json.loads(kept_in.read_text(encoding="utf-8"))
        return kept
    prepare = {
        "spec": {"kind": subject.kind.value, "source": subject.source, "revision": ""},
        "checksum": checksum(subject.spec),
        "folder": str(work / "towers"),
        "form": form,
        "runtime": "auto",
        "precision": "int8" if form == "int8" else "auto",
        "device": "cpu",
    }
    found = _run({"way": "prepare", "prepare": prepare}, threads)
    kept = {name: found[name] for name in ("runtime", "precision", "seconds", "candidates")}
    kept |= {"checksum": prepare["checksum"], "folder": prepare["folder"]}
    kept_in.write_text(json.dumps(kept), encoding="utf-8")
    return kept


def _finish(line: dict[str, Any], first: dict[str, Any], subject: Subject, threads: int, peak: dict[str, Any]) -> None:
    rows: NDArray[np.float32] = line["rows"]
    line |= {
        "encoder": subject.name,
        "threads": threads,
        "ratio": line["images_per_second"] / first["images_per_second"],
    }
    line |= agreement(rows, first["rows"]).as_json()
    precision = (line.get("plan") or {"precision": "float32"})["precision"]
    words = f"{subject.name:<8} {line['what']:<13}"
    if "plan" in line:
        words += f"{line['plan']['runtime']} {precision}".ljust(19)
    else:
        words += "torch float32".ljust(19)
    words += f"{line['images_per_second']:7.2f} images/s {line['ratio']:5.2f} x  {line['peak_rss_mb']:>6,} MB peak"
    words += f"  cosine {line['mean_cosine']:.6f} (min {line['min_cosine']:.6f})"
    if "text_ms" in line:
        line["text_ratio"] = first["text_ms"] / line["text_ms"] if "text_ms" in first else None
        words += f"  query {line['text_ms']:.1f} ms" + (f" ({line['text_ratio']:.2f} x)" if line["text_ratio"] else "")
    if shape := SHAPES[subject.name]:
        of = peak["float32_gflops" if precision == "float32" else "bfloat16_gflops"]
        line["share_of_peak"] = line["images_per_second"] * image_flop(shape) / 1e9 / of
        words += f"  {100 * line['share_of_peak']:.0f} % of peak"
    if "rss_mb_with_text_tower" in line:
        words += f"  web {line['rss_mb_with_text_tower']} MB"
    _say(words)
    if whole := line.get("ingest"):
        of = f"{whole['pure_per_second']:.2f} of encoding alone = {100 * whole['share']:.0f} %"
        _say(f"{'':<9}whole ingest {whole['ingest_per_second']:.2f} images/s, {of}")


def image_flop(shape: Shape) -> float:
    """Floating-point operations (two a multiply-add) of the matrix products for one picture.

    A layer of width w on n patches: 4 n w^2 for attention's maps, 2 n^2 w for its products, 8 n w^2 for the two inner
    maps, each twice; before them the patches' own map, after them the pooling head (one query over n patches).
    """
    w, n = shape.width, (shape.image // shape.patch) ** 2
    layer = 12 * n * w**2 + 2 * n**2 * w
    head = 2 * n * w**2 + 2 * w**2 + 2 * n * w + 8 * w**2
    return 2.0 * (shape.layers * layer + n * w * 3 * shape.patch**2 + head)


def _overlap(work: Path) -> dict[str, Any]:
    """The ten nearest on trained weights: the built-in encoder's, pictures and texts as queries."""
    pictures, texts, of = _real_pictures(work)
    subject = Subject("builtin", EncoderKind.BUILTIN, "builtin", pictures, texts)
    request = {"kind": "builtin", "source": "builtin", "pictures": pictures, "texts": [], "rounds": 1}
    queries = make_encoder(subject.spec).encode_texts(texts)
    reference = _rows(request, {"way": "tutorial"}, 1, work)["rows"]
    result: dict[str, Any] = {"pictures": len(pictures), "texts": len(texts), "of": of}
    _say(f"\nten nearest on the built-in encoder's trained weights, {len(pictures)} {of}, {len(texts)} texts:")
    plan = _chosen(subject, 1, work, "full")
    for precision in ("float32", "bfloat16", "int8"):
        rows = _rows(request, {"way": "ours", "plan": {**plan, "runtime": "openvino", "precision": precision}}, 1, work)
        found, told = rows["rows"], {}
        for name, asked, asked_first in (("image", found, reference), ("text", queries, queries)):
            before, after = nearest(asked_first, reference), nearest(asked, found)
            told[f"{name}_overlap"] = round(top_overlap(before, after), 4)
            told[f"{name}_best_kept"] = round(best_kept(before, after), 4)
        result[precision] = {**told, **agreement(found, reference).as_json(), "default": precision == plan["precision"]}
        _say(f"  openvino {precision:<9} {result[precision]}")
    return result


def _real_pictures(work: Path) -> tuple[list[str], list[str], str]:
    folder = Path(os.environ.get("RSPORTAL_TEST_DATA", ROOT.parent / "shared" / "data")) / "rsicd"
    every = sorted(folder.rglob("*.jpg"))
    found = every[:: max(1, len(every) // OVERLAP_IMAGES)][:OVERLAP_IMAGES]
    phrases = [json.loads(line) for line in (ROOT / "bench" / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    texts = [phrase["text"] for phrase in phrases][::3]
    if len(found) < OVERLAP_IMAGES:
        return _jpegs(work / "drawn", 224, OVERLAP_IMAGES), texts, "drawn pictures"
    return [str(path) for path in found], texts, "pictures of RSICD"


def _run(request: dict[str, Any], threads: int) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(
        [sys.executable, str(WAYS)],
        input=json.dumps({**request, "threads": threads}),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{request['way']} broke down:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    main()
