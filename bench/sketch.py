#!/usr/bin/env python3
"""What a sketch finds: edge maps of held-out pictures, encoded plainly and over bridges of several kinds.

    .venv/bin/python bench/sketch.py --images DIR --captions captions.jsonl --work DIR [--json FILE] [--ship]

Pictures of the split "train" teach, those of "val" judge. Each edge map asks for its own picture among all of val
(recall at 1, 5 and 10) and for pictures of its class (mAP, its own picture left out). The four styles go from every
fine line to a few bent and broken ones, which is as near to hand drawings as edge maps come; no drawing by a hand was
measured. Compared are: the plain vector of the edge map; the same with the mean of edge maps exchanged for that of
pictures ("mean"); rotation (orthogonal Procrustes), ridge regression (what is shipped), ridge of rank 64, and kernel
ridge regression (Gaussian); and, as a bound of what a second vector a picture would give, the edge map against edge
maps of all pictures in the finest style. Strengths are chosen by parting "train" again. Vectors are kept below
--work, so that a second run takes a minute; --ship writes the ridge beside the weights of the built-in encoder.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")

if TYPE_CHECKING:
    from imagery.evaluation.sketching import Drawn

Rows = NDArray[np.float32]
_BATCH = 32
_KERNEL_PICTURES = 4_000
_RANK = 64
_SEED = 99
_CHOICE = 3
_STYLE_NAMES = ("fine", "clear", "drawn", "loose")


def main() -> None:
    """The command."""
    options = _options()
    import django

    django.setup()
    from imagery.encoders import registry
    from imagery.encoders.base import EncoderKind, EncoderSpec
    from imagery.encoders.builtin.corpus import captioned_images
    from imagery.encoders.runtime.plan import Plan, Precision, Runtime
    from imagery.evaluation.sketching import Drawn

    spec = EncoderSpec(EncoderKind.BUILTIN, "builtin")
    files = registry.checksum(spec)
    options.work.mkdir(parents=True, exist_ok=True)
    plan = Plan(Runtime.OPENVINO, Precision.FLOAT32, threads=1, checksum=files, folder=options.work / "towers")
    encoder = registry.make_encoder(spec, plan=plan)
    train = captioned_images(options.images, options.captions, split="train")
    # The list goes by class, so a part of it must be drawn by chance.
    chosen = np.random.default_rng(_CHOICE).permutation(len(train))[: options.train_pictures]
    train = [train[place] for place in chosen]
    val = captioned_images(options.images, options.captions, split="val")

    def vectors(name: str, items: Sequence[Any], style: int | None) -> Rows:
        file = options.work / f"{name}-of-{len(items)}-{files[:12]}.npy"
        if not file.is_file():
            np.save(file, np.concatenate(list(_encoded(encoder, items, style, what=name))))
        found: Rows = np.load(file)
        return found

    images, seen = vectors("train-images", train, None), vectors("val-images", val, None)
    taught, owner = [], []
    for style, name in enumerate(_STYLE_NAMES):  # Each picture in --drawings of the styles, by turns.
        mine = [place for place in range(len(train)) if (style - place) % len(_STYLE_NAMES) < options.drawings]
        taught.append(vectors(f"train-{name}-by-{options.drawings}", [train[place] for place in mine], style))
        owner += mine
    drawn = Drawn(images, np.concatenate(taught), np.array(owner), np.arange(len(images)))
    judged = {name: vectors(f"val-{name}", val, style) for style, name in enumerate(_STYLE_NAMES)}
    classes = np.array([item.scene_class or "" for item in val])
    if options.ship:
        _ship(drawn, files)
    figures = measured(drawn, seen, judged, classes)
    figures["pictures"] = {"train": len(train), "val": len(val), "drawings": options.drawings}
    print(_table(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measured(drawn: "Drawn", seen: Rows, judged: dict[str, Rows], classes: NDArray[np.str_]) -> dict[str, Any]:
    """{way: {style: {"r1", "r5", "r10", "class_map", "median_rank"}}} and the strength of the ridge."""
    ways, strength = _ways(drawn)
    found: dict[str, Any] = {"strength": strength, "ways": {}}
    chance = np.random.default_rng(0).standard_normal(seen.shape).astype(np.float32)
    found["ways"]["random"] = {"any": score(chance, seen, classes)}
    for way, ask in ways.items():
        found["ways"][way] = {name: score(ask(rows), seen, classes) for name, rows in judged.items()}
    bound = {name: score(rows, judged["fine"], classes) for name, rows in judged.items() if name != "fine"}
    found["ways"]["edge maps of all pictures"] = bound
    return found


def _ways(drawn: "Drawn") -> tuple[dict[str, Callable[[Rows], Rows]], float]:
    from imagery.encoders.base import unit_rows
    from imagery.evaluation.sketching import strength_chosen

    strength = strength_chosen(drawn)
    ridge = drawn.fit(strength)
    centred = drawn.edges - ridge.edge_mean
    target = drawn.images[drawn.owner] - ridge.image_mean
    left, _values, right = np.linalg.svd(centred.T.astype(np.float64) @ target)
    rotation = replace(ridge, matrix=np.asarray(left @ right, dtype=np.float32))
    # Reduced rank regression (Izenman 1975): the ridge's fit, kept in its strongest directions.
    _rows, _sizes, directions = np.linalg.svd(centred @ ridge.matrix, full_matrices=False)
    kept = directions[:_RANK]
    low = replace(ridge, matrix=np.asarray(ridge.matrix @ kept.T @ kept, dtype=np.float32))
    some = np.random.default_rng(1).permutation(len(centred))[:_KERNEL_PICTURES]
    kernel = _kernel_ridge(unit_rows(centred[some]), target[some])
    mean = replace(ridge, matrix=np.eye(len(ridge.matrix), dtype=np.float32))
    return {
        "plain": lambda rows: rows,
        "mean": mean.apply,
        "rotation": rotation.apply,
        f"ridge of rank {_RANK}": low.apply,
        "ridge": ridge.apply,
        "kernel ridge": lambda rows: unit_rows(
            ridge.image_mean + ridge.spread * unit_rows(kernel(unit_rows(rows - ridge.edge_mean)))
        ),
    }, strength


def _kernel_ridge(edges: Rows, target: Rows, *, width: float = 0.25, strength: float = 0.1) -> Callable[[Rows], Rows]:
    def near(one: Rows, two: Rows) -> NDArray[np.float64]:
        return np.asarray(np.exp(-width * (2 - 2 * one.astype(np.float64) @ two.T)))

    factors = np.linalg.solve(near(edges, edges) + strength * np.eye(len(edges)), target)
    return lambda rows: np.asarray(near(rows, edges) @ factors, dtype=np.float32)


def score(queries: Rows, gallery: Rows, classes: NDArray[np.str_]) -> dict[str, float]:
    """Recalls of the picture of the same row in percent, its median rank, and mAP of the class without that picture."""
    from imagery.encoders.base import unit_rows
    from imagery.evaluation.metrics import average_precision
    from imagery.evaluation.recall import rank_both_ways

    unit, rows = unit_rows(queries), np.arange(len(queries))
    places = rank_both_ways(gallery, unit, rows).text_to_image
    similar = unit @ gallery.T
    values = []
    for row in np.flatnonzero(classes != ""):
        others = rows != row
        value = average_precision(classes[others] == classes[row], scores=similar[row, others])
        if value is not None:
            values.append(value)
    recalls = {f"r{cut}": round(float(100 * places.hits(cut, "expected").mean()), 1) for cut in (1, 5, 10)}
    middle = float(np.median(places.better + places.tied / 2)) + 1
    return {**recalls, "class_map": round(100 * float(np.mean(values)), 1), "median_rank": round(middle)}


def _encoded(encoder: Any, items: Sequence[Any], style: int | None, *, what: str) -> Iterator[Rows]:
    from PIL import Image
    from tqdm import tqdm

    from imagery.encoders.edges import edge_map
    from imagery.evaluation.sketching import STYLES

    for start in tqdm(range(0, len(items), _BATCH), desc=what):
        pictures = []
        for number, item in enumerate(items[start : start + _BATCH], start=start):
            with Image.open(item.path) as opened:
                picture = opened.convert("RGB")
            pictures.append(picture if style is None else edge_map(picture, style=STYLES[style], seed=_SEED + number))
        yield encoder.encode_images(pictures)


def _ship(drawn: "Drawn", files: str) -> None:
    from imagery.encoders import sketch
    from imagery.evaluation.sketching import bridge_learn
    from imagery.services.sketches import SHIPPED, SHIPPED_NUMBERS, bridge_described

    learned = bridge_learn(drawn)
    content = sketch.pack(learned.bridge)
    facts = bridge_described(learned, content=content, learned_from="RSICD train", files=files)
    SHIPPED_NUMBERS.write_bytes(content)
    SHIPPED.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print(SHIPPED.read_text(encoding="utf-8"))


def _table(figures: dict[str, Any]) -> str:
    lines = ["| way | style | R@1 | R@5 | R@10 | median rank | class mAP |", "|---|---|---|---|---|---|---|"]
    for way, styles in figures["ways"].items():
        for style, each in styles.items():
            lines.append(
                f"| {way} | {style} | {each['r1']} | {each['r5']} | {each['r10']} | {each['median_rank']} | "
                f"{each['class_map']} |"
            )
    return "\n".join([*lines, f"strength of the ridge: {figures['strength']:g}"])


def _options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--captions", type=Path, required=True, help="JSON Lines that name pictures, split and class")
    parser.add_argument("--work", type=Path, required=True, help="folder for vectors and the exported tower")
    parser.add_argument("--train-pictures", type=int, default=None, help="default: all of the split")
    parser.add_argument("--drawings", type=int, default=2, help="styles each picture is drawn in, of four")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--ship", action="store_true", help="write the bridge beside the built-in weights")
    return parser.parse_args()


if __name__ == "__main__":
    main()
