"""One encoder in all its smaller forms, side by side: speed, agreement with float32, and what is still found.

    python bench/compression.py                                  # the built-in encoder on RSICD's val
    python bench/compression.py --encoder DIR --student DIR2     # any checkpoint or training, and a student of it
    python bench/compression.py --images DIR --captions FILE --split val --limit 300 --card MODEL_CARD.md

float32 in torch is the reference: cosines, the ten nearest and the ratio of speeds are against it. Every form is run in
a process of its own, on the same pictures (decoding included) and captions. A student (`manage.py distill`) is compared
with its teacher's vectors; "its texts only" is its text tower searching the teacher's float32 pictures. --card puts the
table into a model card, in place of the one that was put there before.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from imagery.encoders.base import EncoderKind, EncoderSpec  # noqa: E402
from imagery.encoders.builtin.corpus import captioned_images  # noqa: E402
from imagery.encoders.registry import checksum, make_encoder  # noqa: E402
from imagery.encoders.runtime import gate  # noqa: E402
from imagery.encoders.runtime.agreement import agreement, nearest, top_overlap  # noqa: E402
from imagery.encoders.runtime.child import plan_as_json, plan_from_json, spec_as_json  # noqa: E402
from imagery.encoders.runtime.plan import Plan, Precision, Runtime, this_machine  # noqa: E402
from imagery.evaluation.recall import retrieval_recall  # noqa: E402
from rsportal.errors import RsportalError  # noqa: E402

BEGIN, END = "<!-- compression: written by bench/compression.py -->", "<!-- end of compression -->"
GATE_IMAGES, GATE_TEXTS = 200, 50
TEXT_BLOCK = 256


@dataclass
class Form:
    """One line of the table: how the vectors are made, and what came of it."""

    name: str
    spec: EncoderSpec
    runtime: Runtime = Runtime.TORCH
    precision: Precision = Precision.FLOAT32
    told: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass
class Corpus:
    """Pictures, captions and the picture of each caption."""

    pictures: list[str]
    texts: list[str]
    owner: NDArray[np.int64]
    name: str


Rows = tuple[NDArray[np.float32], NDArray[np.float32]]


def main() -> None:
    options = _options()
    try:
        _measure(options)
    except RsportalError as error:
        raise SystemExit(f"compression: {error.message}") from error


def _measure(options: argparse.Namespace) -> None:
    spec, corpus = _spec(options.encoder), _corpus(options)
    with tempfile.TemporaryDirectory(prefix="rsportal-bench-") as temporary:
        work = Path(options.work or temporary)
        work.mkdir(parents=True, exist_ok=True)
        reference: Rows | None = None
        lines: list[Form] = []
        begun = checksum(spec)
        for form in [
            *_forms(spec),
            *(Form(f"student {Path(folder).name}", _spec(folder)) for folder in options.student),
        ]:
            lines.append(form)
            rows = _encoded(form, corpus, work, options, reference[0].shape if reference else None)
            if rows is not None:
                reference = reference or rows
                _judge(form, rows, reference, lines[0], corpus)
            print(f"{form.name}: {form.problem or json.dumps(form.told)}", flush=True)
            if form.spec == spec and checksum(spec) != begun:
                raise SystemExit("compression: the encoder's files were changed during the measurement: start again.")
            if rows is not None and form.spec != spec and reference is not None:
                lines.append(Form(f"{form.name}: its texts only", form.spec))
                _judge(lines[-1], (reference[0], rows[1]), reference, lines[0], corpus)
        _gate(lines, spec, corpus, work, options)
    text = _report(lines, corpus, options)
    print(f"\n{text}")
    if options.json:
        told = [{"form": form.name, **form.told, "problem": form.problem} for form in lines]
        Path(options.json).write_text(json.dumps({"machine": this_machine().as_json(), "forms": told}, indent=1))
    if options.card:
        _into_card(Path(options.card), text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("RSPORTAL_TEST_DATA", ROOT.parent / "shared" / "data")) / "rsicd"
    parser.add_argument("--encoder", default="builtin", help="“builtin” or the folder of a checkpoint or training")
    parser.add_argument("--student", action="append", default=[], help="folder of a distillation; may be repeated")
    parser.add_argument("--images", type=Path, default=data / "images", help="folder of pictures (default: RSICD)")
    parser.add_argument("--captions", type=Path, default=data / "captions.jsonl", help="JSON Lines with captions")
    parser.add_argument("--split", default="val", help="which lines of the captions (default %(default)s)")
    parser.add_argument("--limit", type=int, default=0, help="pictures at most (default: all)")
    parser.add_argument("--threads", type=int, default=this_machine().cores, help="cores (default: all)")
    parser.add_argument("--rounds", type=int, default=1, help="the fastest of so many counts")
    parser.add_argument("--work", help="folder to keep exported towers in, for the next run")
    parser.add_argument("--json", help="file for all figures")
    parser.add_argument("--card", help="model card to put the table into")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _spec(source: str) -> EncoderSpec:
    if source == "builtin":
        return EncoderSpec(EncoderKind.BUILTIN, source)
    folder = Path(source).resolve()
    checkpoint = (folder / "config.json").is_file()
    return EncoderSpec(EncoderKind.TRANSFORMERS if checkpoint else EncoderKind.BUILTIN, str(folder))


def _forms(spec: EncoderSpec) -> Iterator[Form]:
    yield Form("float32 (torch)", spec)
    if spec.kind is EncoderKind.TRANSFORMERS:
        yield Form("bf16 (torch)", spec, precision=Precision.BFLOAT16)
    for name, precision in (("float32", Precision.FLOAT32), ("bf16", Precision.BFLOAT16), ("int8", Precision.INT8)):
        yield Form(f"{name} (OpenVINO)", spec, Runtime.OPENVINO, precision)


def _corpus(options: argparse.Namespace) -> Corpus:
    items = captioned_images(options.images, options.captions, split=options.split)
    items = items[:: max(1, len(items) // options.limit)][: options.limit] if options.limit else items
    return Corpus(
        pictures=[str(item.path) for item in items],
        texts=[caption for item in items for caption in item.captions],
        owner=np.repeat(np.arange(len(items)), [len(item.captions) for item in items]),
        name=f"{options.captions.parent.name}/{options.captions.name}, split {options.split}",
    )


def _plan(form: Form, work: Path, options: argparse.Namespace) -> Plan:
    return Plan(
        runtime=form.runtime,
        precision=form.precision,
        threads=options.threads,
        checksum=checksum(form.spec),
        folder=work / "towers",
    )


def _encoded(
    form: Form, corpus: Corpus, work: Path, options: argparse.Namespace, expected: tuple[int, ...] | None
) -> Rows | None:
    """The rows of pictures and captions, made in a process of its own; None if this machine cannot."""
    file = work / "rows.npz"
    request = {
        "kind": form.spec.kind.value,
        "source": form.spec.source,
        "plan": plan_as_json(_plan(form, work, options)),
        "pictures": corpus.pictures,
        "texts": corpus.texts,
        "rounds": options.rounds,
        "threads": options.threads,
        "rows": str(file),
    }
    done = subprocess.run(
        [sys.executable, __file__, "--child"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(options.threads)},
        check=False,
    )
    if done.returncode != 0:
        form.problem = f"cannot be run: {(done.stderr.strip().splitlines() or ['no reason told'])[-1]}"
        return None
    form.told |= json.loads(done.stdout)
    with np.load(file) as stored:
        rows = stored["images"], stored["texts"]
    if expected is not None and rows[0].shape != expected:
        raise SystemExit(
            f"compression: {form.name} has vectors of {rows[0].shape[1]} numbers, its teacher {expected[1]}."
        )
    return rows


def _child() -> None:
    """Encode what the request on stdin names; the rows go to its file, the figures to stdout."""
    import resource

    import encode_ways

    request = json.load(sys.stdin)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: request["threads"]])
    figures = encode_ways.ours({**request, "texts": [], "rows": f"{request['rows']}.images.npy"})
    encoder = make_encoder(
        EncoderSpec(EncoderKind(request["kind"]), request["source"]), plan=plan_from_json(request["plan"])
    )
    starts = range(0, len(request["texts"]), TEXT_BLOCK)
    texts = [encoder.encode_texts(request["texts"][start : start + TEXT_BLOCK]) for start in starts]
    np.savez(request["rows"], images=np.load(f"{request['rows']}.images.npy"), texts=np.concatenate(texts))
    figures["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    json.dump(figures, sys.stdout)


def _judge(form: Form, rows: Rows, reference: Rows, first: Form, corpus: Corpus) -> None:
    """Add cosines, overlap of the ten nearest and recall; captions are the queries."""
    if "images_per_second" in form.told:
        form.told["ratio"] = form.told["images_per_second"] / first.told["images_per_second"]
    told = agreement(rows[0], reference[0]).as_json()
    form.told |= told | {f"text_{name}": value for name, value in agreement(rows[1], reference[1]).as_json().items()}
    form.told["overlap"] = top_overlap(nearest(reference[1], reference[0]), nearest(rows[1], rows[0]))
    form.told |= retrieval_recall(*rows, corpus.owner)


def _gate(forms: list[Form], spec: EncoderSpec, corpus: Corpus, work: Path, options: argparse.Namespace) -> None:
    """What the portal asks of 8-bit weights before it uses them, on these pictures."""
    (eight,) = (form for form in forms if form.precision is Precision.INT8)
    if eight.problem:
        return
    single = Form("", spec, Runtime.OPENVINO, Precision.FLOAT32)
    step = max(1, len(corpus.pictures) // GATE_IMAGES)
    found = gate.compared(
        {
            "spec": spec_as_json(spec),
            "reference": plan_as_json(_plan(single, work, options)),
            "plan": plan_as_json(_plan(eight, work, options)),
            "pictures": corpus.pictures[::step][:GATE_IMAGES],
            "texts": corpus.texts[:: max(1, len(corpus.texts) // GATE_TEXTS)][:GATE_TEXTS],
        }
    )
    passed = found["overlap"] >= gate.LEAST_OVERLAP and found["best_kept"] >= gate.LEAST_BEST_KEPT
    eight.told["gate"] = {**found, "passed": passed and found["images"] >= gate.FEWEST_PICTURES}


def _report(forms: list[Form], corpus: Corpus, options: argparse.Namespace) -> str:
    columns = ["form", "images/s", "ratio", "cosine mean", "min", "top-10 overlap"]
    columns += [f"{way} R@{cut}" for way in ("t2i", "i2t") for cut in (1, 5, 10)] + ["mR", "peak MB"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for form in forms:
        told = form.told
        if form.problem or not told:
            lines.append(f"| {form.name} | {form.problem} |" + " |" * (len(columns) - 2))
            continue
        speed = [f"{told['images_per_second']:.1f}", f"{told['ratio']:.2f}"] if "ratio" in told else ["", ""]
        figures = [f"{told['mean_cosine']:.5f}", f"{told['min_cosine']:.5f}", f"{told['overlap']:.3f}"]
        recalls = [f"{told[f'{w}_r{c}']:.1f}" for w in ("text_to_image", "image_to_text") for c in (1, 5, 10)]
        peak = str(told.get("peak_rss_mb", ""))
        lines.append(f"| {' | '.join([form.name, *speed, *figures, *recalls, format(told['mr'], '.2f'), peak])} |")
    machine = this_machine()
    lines += [
        "",
        f"{len(corpus.pictures):,} pictures and {len(corpus.texts):,} captions ({corpus.name}); {machine.processor}, "
        f"{options.threads} threads. Recall in percent, ties count against us.",
    ]
    for form in forms:
        if "gate" in form.told:
            found = form.told["gate"]
            lines.append(
                f"The gate of 8-bit weights, on {found['images']} of the pictures and {found['queries']} captions: "
                f"{found['overlap']:.3f} of the ten nearest stay ({gate.LEAST_OVERLAP} needed), "
                f"{found['best_kept']:.3f} of the best ({gate.LEAST_BEST_KEPT}): "
                f"{'passed' if found['passed'] else 'not passed'}."
            )
    return "\n".join(lines)


def _into_card(path: Path, table: str) -> None:
    """Put the section into the card, in place of an earlier one, else at its end."""
    card = path.read_text(encoding="utf-8")
    section = f"{BEGIN}\n{table}\n{END}"
    before, begin, rest = card.partition(BEGIN)
    if begin:
        _old, end, after = rest.partition(END)
        if not end:
            raise SystemExit(f"compression: {path} has the mark “{BEGIN}” but not “{END}”: correct it.")
        card = before + section + after
    else:
        card = f"{card.rstrip()}\n\n## Compression\n{section}\n"
    path.write_text(card, encoding="utf-8")


if __name__ == "__main__":
    _child() if "--child" in sys.argv[1:] else main()
