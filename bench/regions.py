#!/usr/bin/env python3
"""What vectors of regions are worth: cells of the encoder's own feature map against real crops of the picture.

    .venv/bin/python bench/regions.py --images DIR --captions captions.jsonl [--json FILE]

Mosaics of 2 x 2 and 4 x 4 pictures stand for scenes with several things in them. A caption of one picture asks for
its mosaic (mean of the recalls at 1, 5 and 10) and for the right place in it; on plain pictures it asks for its
picture, and the judged phrases for those of their class (mAP). Compared are the vector of the whole; whole and cells,
score = max(whole, w * best cell) or (1 - w) * whole + w * best cell; whole and real crops, each encoded by itself.
Cells are the 2 x 2 and 4 x 4 parts of the maps that the built-in encoder pools, pooled and projected by the same
head: with the head's own centre and spread ("same"), or with those of the cells over the training split ("own").
"best" is the form and w that do best on mosaics of the training split; "harmless" the best of those that lose nothing
on plain pictures (chosen on one half of the queries, measured on the other). Intervals are 95 % bootstrap over
pictures (classes for phrases), of the difference to the whole vector alone.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")

if TYPE_CHECKING:
    import torch

Rows = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Rows]
_SIDE = 224
_GRIDS = (2, 4)
_MOSAICS = ("2x2", "4x4")
_BATCH = 16
_WEIGHTS = tuple(round(0.6 + 0.05 * step, 2) for step in range(15))  # of max
_SHARES = tuple(round(0.1 * step, 1) for step in range(1, 11))  # of the mean
_CUTS = (1, 5, 10)
_SEED = 20240607


class Cells:
    """The built-in image tower, giving a vector of the whole and one for each cell of its maps."""

    def __init__(self) -> None:
        import torch

        from imagery.encoders.base import EncoderKind, EncoderSpec
        from imagery.encoders.builtin.files import tensors, weights_file
        from imagery.encoders.builtin.model import ImageTower

        self.tower = ImageTower()
        self.tower.backbone.fold()
        state = tensors(weights_file(EncoderSpec(EncoderKind.BUILTIN, "builtin")), "image")
        self.tower.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
        self.tower.eval().requires_grad_(False)
        self.mean: Rows | None = None
        self.statistics: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.seconds = {"backbone": 0.0, "whole": 0.0, "cells": 0.0}

    def maps(self, pixels: NDArray[np.uint8]) -> "tuple[torch.Tensor, torch.Tensor]":
        """(n, 224, 224, 3) uint8 -> the backbone's two maps."""
        import torch

        from imagery.encoders.builtin.pixels import normalised

        block = torch.from_numpy(normalised(pixels.astype(np.float32))).permute(0, 3, 1, 2)
        with torch.inference_mode():
            return self.tower.backbone(block.contiguous(memory_format=torch.channels_last))

    @staticmethod
    def pooled(maps: "tuple[torch.Tensor, torch.Tensor]", grid: int) -> "torch.Tensor":
        """(n, grid * grid, channels): what the tower pools of a whole map, of each cell (row by row)."""
        import torch
        from torch.nn import functional

        middle, last = maps
        size = middle.shape[-1]
        edges = [(size * cell // grid, -(-size * (cell + 1) // grid)) for cell in range(grid)]
        counts = torch.tensor([[(b - a) * (d - c) for c, d in edges] for a, b in edges], dtype=torch.float32)
        mean = functional.adaptive_avg_pool2d(middle, grid)
        square = functional.adaptive_avg_pool2d(middle * middle, grid)
        spread = ((square - mean * mean).clamp_min(0) * (counts / (counts - 1))).sqrt()
        parts = [functional.adaptive_avg_pool2d(last, grid), functional.adaptive_max_pool2d(last, grid), mean, spread]
        return torch.cat(parts, dim=1).flatten(2).transpose(1, 2)

    def measure(self, blocks: Sequence[NDArray[np.uint8]]) -> None:
        """Centre and spread of the cells' channels over the pictures of these blocks."""
        import torch

        for grid in _GRIDS:
            cells = torch.cat([self.pooled(self.maps(block), grid).flatten(0, 1) for block in blocks])
            self.statistics[grid] = (cells.mean(dim=0), cells.std(dim=0) + 1e-3)

    def encode(self, pixels: NDArray[np.uint8], *, regions: bool = True) -> dict[str, Rows]:
        """``whole`` (n, d), and for each grid ``same2`` and ``own2`` (n, cells, d): unit rows."""
        import torch

        found: dict[str, list[Rows]] = {}
        for start in range(0, len(pixels), _BATCH):
            begun = time.perf_counter()
            maps = self.maps(pixels[start : start + _BATCH])
            known = time.perf_counter()
            with torch.inference_mode():
                found.setdefault("whole", []).append(self.tower.project(self.tower.pooled(maps)).numpy())
                whole = time.perf_counter()
                if regions:
                    for grid in _GRIDS:
                        pooled = self.pooled(maps, grid)
                        found.setdefault(f"same{grid}", []).append(self.tower.project(pooled).numpy())
                        if grid in self.statistics:
                            centre, spread = self.statistics[grid]
                            own = self.tower.head((pooled - centre) / spread)
                            found.setdefault(f"own{grid}", []).append(own.numpy())
            self.seconds["backbone"] += known - begun
            self.seconds["whole"] += whole - known
            self.seconds["cells"] += time.perf_counter() - whole
        return {name: np.concatenate(rows) for name, rows in found.items()}


@dataclass(frozen=True)
class Split:
    """Pictures (n, 224, 224, 3) uint8 with their classes, and captions (m, d) with the picture of each."""

    pixels: NDArray[np.uint8]
    classes: list[str | None]
    captions: Rows
    owner: NDArray[np.int64]


def mosaics(pixels: NDArray[np.uint8], grid: int, *, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Shuffle the pictures into mosaics; return (m, 224, 224, 3) and which picture (m, grid * grid) is in each cell."""
    side = _SIDE // grid
    order = np.random.default_rng(seed).permutation(len(pixels))
    members = order[: len(order) // (grid * grid) * grid * grid].reshape(-1, grid * grid)
    made = np.empty((len(members), _SIDE, _SIDE, 3), dtype=np.uint8)
    for row, cells in enumerate(members):
        for cell, picture in enumerate(cells):
            small = Image.fromarray(pixels[picture]).resize((side, side), Image.Resampling.LANCZOS)
            y, x = divmod(cell, grid)
            made[row, y * side : (y + 1) * side, x * side : (x + 1) * side] = np.asarray(small)
    return made, members


def crops(made: NDArray[np.uint8], grid: int) -> NDArray[np.uint8]:
    """(m, 224, 224, 3) -> (m * grid * grid, 224, 224, 3): each cell cut out and scaled up to what the tower reads."""
    side = _SIDE // grid
    found = np.empty((len(made) * grid * grid, _SIDE, _SIDE, 3), dtype=np.uint8)
    row = 0
    for picture in made:
        for cell in range(grid * grid):
            y, x = divmod(cell, grid)
            part = Image.fromarray(picture[y * side : (y + 1) * side, x * side : (x + 1) * side])
            found[row] = np.asarray(part.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC))
            row += 1
    return found


@dataclass(frozen=True)
class Gallery:
    """Pictures to search and queries, with the scores of every way.

    ``whole`` (queries, m) are scores of the whole vectors, ``best`` those of the best region, by way; ``relevant``
    (queries, m) says which pictures are right; ``group`` (queries,) is what is drawn together by the bootstrap.
    ``place``: whether the best region of the right picture is the one that is asked for, where there is such a thing.
    """

    whole: Rows
    best: dict[str, Rows]
    relevant: NDArray[np.bool_]
    group: NDArray[Any]
    place: dict[str, NDArray[np.bool_]]

    def measured(self, scores: Rows) -> NDArray[np.float64]:
        """(queries,) in percent: mean of the recalls at 1, 5, 10, ties lost; if several are right, AP."""
        from imagery.evaluation.metrics import average_precision

        if (self.relevant.sum(axis=1) > 1).any():
            rows = zip(self.relevant, scores, strict=True)
            return np.array([100 * (average_precision(right, scores=row) or 0.0) for right, row in rows])
        own = scores[self.relevant]
        rank = (scores >= own[:, None]).sum(axis=1)
        return 100 * np.stack([rank <= cut for cut in _CUTS], axis=1).mean(axis=1)


def encoded(model: Cells, made: NDArray[np.uint8], grid: int) -> dict[str, Rows]:
    """The vectors of pictures in every way: ``whole`` (m, d), the others (m, regions, d)."""
    from imagery.encoders.base import unit_rows

    found = model.encode(made)
    for parts in sorted({2, grid} - {1}):
        cut = model.encode(crops(made, parts), regions=False)["whole"]
        found[f"crops{parts}"] = cut.reshape(len(made), parts * parts, -1)
    if model.mean is None:
        return found
    flat = {way: unit_rows(rows.reshape(-1, rows.shape[-1]) - model.mean) for way, rows in found.items()}
    return {way: flat[way].reshape(rows.shape) for way, rows in found.items()}


def caption_gallery(model: Cells, split: Split, grid: int, *, seed: int) -> tuple[Gallery, dict[str, Rows]]:
    """Mosaics of ``grid`` x ``grid`` pictures (1: the pictures themselves), asked for by each picture's captions."""
    made, members = split.pixels, np.arange(len(split.pixels))[:, None]
    if grid > 1:
        made, members = mosaics(split.pixels, grid, seed=seed)
    home, cell = np.full(len(split.pixels), -1), np.full(len(split.pixels), -1)
    home[members.reshape(-1)] = np.repeat(np.arange(len(members)), grid * grid)
    cell[members.reshape(-1)] = np.tile(np.arange(grid * grid), len(members))
    asked = home[split.owner] >= 0
    queries, owner = split.captions[asked], split.owner[asked]
    rows = encoded(model, made, grid)
    best, place = {}, {}
    for way in [way for way in rows if way != "whole"]:
        scores = np.einsum("qd,mcd->qmc", queries, rows[way], optimize=True)
        best[way] = scores.max(axis=2)
        if grid > 1 and rows[way].shape[1] == grid * grid:
            place[way] = scores[np.arange(len(queries)), home[owner]].argmax(axis=1) == cell[owner]
    relevant = home[owner][:, None] == np.arange(len(made))
    return Gallery(queries @ rows["whole"].T, best, relevant, owner, place), rows


def phrase_gallery(split: Split, rows: dict[str, Rows], encode: Encode, queries: Path) -> Gallery:
    """Plain pictures asked for by the judged phrases: right is every picture of the phrase's class."""
    from imagery.evaluation.phrases import phrases_read

    phrases = [phrase for phrase in phrases_read(queries)[0] if phrase.scene_class in split.classes]
    vectors = encode([phrase.text for phrase in phrases])
    told = np.array([name is not None for name in split.classes])
    names = np.array([name or "" for name in split.classes])[told]
    classes = np.array([phrase.scene_class for phrase in phrases])
    best = {
        way: np.einsum("qd,mcd->qmc", vectors, regions[told], optimize=True).max(axis=2)
        for way, regions in rows.items()
        if way != "whole"
    }
    return Gallery(vectors @ rows["whole"][told].T, best, classes[:, None] == names, classes, {})


Fusion = tuple[str, float]
_FUSIONS: list[Fusion] = [("max", weight) for weight in _WEIGHTS] + [("mean", share) for share in _SHARES]


def fused(whole: Rows, best: Rows, how: Fusion) -> Rows:
    """Scores of whole and best region together."""
    kind, weight = how
    return np.maximum(whole, weight * best) if kind == "max" else (1 - weight) * whole + weight * best


def report(galleries: dict[str, Gallery], chosen_on: dict[str, Gallery]) -> dict[str, Any]:
    """Every way with its fusion: what it gains in each gallery.

    ``best``: the fusion with the highest mean over the mosaics of ``chosen_on``. ``harmless``: the one with the highest
    mean over the mosaics among those that lose nothing on plain pictures, captions and phrases; chosen on one half of
    the queries of ``galleries`` and measured on the other, and the other way round, since the encoder has learnt the
    captions of the training split by heart.
    """
    from imagery.evaluation.metrics import bootstrap, paired_bootstrap

    base = {name: each.measured(each.whole) for name, each in galleries.items()}
    found: dict[str, Any] = {"whole": {name: {"value": float(values.mean())} for name, values in base.items()}}
    half = {name: _halves(each.group) for name, each in galleries.items()}
    for way in galleries["4x4"].best:
        here = [name for name in galleries if way in galleries[name].best]
        curve = {
            how: {n: galleries[n].measured(fused(galleries[n].whole, galleries[n].best[way], how)) for n in here}
            for how in _FUSIONS
        }
        tuned = {
            how: np.mean([g.measured(fused(g.whole, g.best[way], how)).mean()
                          for n, g in chosen_on.items() if n in _MOSAICS and way in g.best])
            for how in _FUSIONS
        }  # fmt: skip
        picked = max(_FUSIONS, key=lambda how: tuned[how])
        kinds: dict[str, tuple[Sequence[Fusion | None], dict[str, Any]]] = {"best": ([picked], curve[picked])}
        crossed: dict[str, Any] = {name: np.empty_like(base[name]) for name in here}
        used = []
        for fold in (0, 1):
            how = _harmless(curve, base, {name: half[name] == fold for name in here})
            used.append(how)
            for name in here:
                other = half[name] != fold
                crossed[name][other] = (curve[how] if how else base)[name][other]
        kinds["harmless"] = (used, crossed)
        found[way] = {"curve": {f"{how[0]} {how[1]}": {n: float(v.mean()) for n, v in row.items()}
                                for how, row in curve.items()}}  # fmt: skip
        for kind, (hows, values) in kinds.items():
            found[way][kind] = {"fusions": [list(how) if how else None for how in hows]}
            for name in here:
                gain = paired_bootstrap(base[name], values[name], groups=galleries[name].group)
                found[way][kind][name] = {"value": float(values[name].mean()), "gain": [gain.mean, gain.low, gain.high]}
        for name in here:
            if way in galleries[name].place:
                there = bootstrap(100.0 * galleries[name].place[way], groups=galleries[name].group)
                found[way].setdefault("right_region", {})[name] = [there.mean, there.low, there.high]
    return found


def _harmless(
    curve: dict[Fusion, dict[str, Any]], base: dict[str, Any], rows: dict[str, NDArray[np.bool_]]
) -> Fusion | None:
    def gain(how: Fusion, name: str) -> float:
        return float((curve[how][name] - base[name])[rows[name]].mean())

    allowed = [how for how in curve if all(gain(how, name) >= 0 for name in rows if name not in _MOSAICS)]
    best = max(allowed, key=lambda how: sum(gain(how, name) for name in rows if name in _MOSAICS), default=None)
    return best if best and sum(gain(best, name) for name in rows if name in _MOSAICS) > 0 else None


def _halves(group: NDArray[Any]) -> NDArray[np.int64]:
    names, member = np.unique(group, return_inverse=True)
    return np.random.default_rng(_SEED).permutation(len(names))[member] % 2


def split_read(arguments: argparse.Namespace, name: str, encode: Encode, *, most: int = 0) -> Split:
    """Read a split's pictures and encode its captions; at most ``most`` pictures, drawn with a fixed seed."""
    from imagery.encoders.builtin.pixels import pixel_block
    from imagery.evaluation.captions import captions_read

    pictures = list(captions_read(arguments.captions, split=name).pictures)
    if most and len(pictures) > most:
        drawn = np.sort(np.random.default_rng(_SEED).permutation(len(pictures))[:most])
        pictures = [pictures[row] for row in drawn]
    blocks = []
    for picture in pictures:
        with Image.open(arguments.images / picture.filename) as image:
            blocks.append(pixel_block([image])[0])
    texts = [text for picture in pictures for text in picture.captions]
    owner = np.repeat(np.arange(len(pictures)), [len(picture.captions) for picture in pictures])
    return Split(np.stack(blocks), [picture.scene_class for picture in pictures], encode(texts), owner)


def lines(found: dict[str, Any]) -> list[str]:
    """The figures for people."""

    def told(row: dict[str, Any]) -> str:
        gain = row.get("gain")
        more = f"{gain[0]:+.1f} ({gain[1]:+.1f} to {gain[2]:+.1f})" if gain else ""
        return f"{row['value']:6.1f} {more:24}"

    ways = dict(found)
    whole = ways.pop("whole")
    said = [f"{'':22}" + "".join(f"{name:31}" for name in whole)]
    said.append(f"{'whole':22}" + "".join(told(row) for row in whole.values()))
    for way, row in ways.items():
        for kind in ("best", "harmless"):
            cells = "".join(told(row[kind][name]) if name in row[kind] else " " * 31 for name in whole)
            fusions = ", ".join(f"{how[0]} {how[1]}" if how else "none" for how in row[kind]["fusions"])
            said.append(f"{way + ', ' + kind:22}{cells} {fusions}")
    for way, row in ways.items():
        for name, (mean, low, high) in row.get("right_region", {}).items():
            said.append(f"{way}: the best region is the right one in {mean:.1f} % ({low:.1f} to {high:.1f}) of {name}")
    return said


def main() -> None:
    arguments = _arguments()
    import django

    django.setup()
    import torch

    from imagery.encoders import registry
    from imagery.encoders.base import EncoderKind, EncoderSpec

    torch.set_num_threads(arguments.threads)
    texts = registry.get_encoder(EncoderSpec(EncoderKind.BUILTIN, "builtin"))

    def encode_plain(asked: Sequence[str]) -> Rows:
        distinct = list(dict.fromkeys(asked))
        rows = np.concatenate([texts.encode_texts(distinct[at : at + 128]) for at in range(0, len(distinct), 128)])
        number = {text: row for row, text in enumerate(distinct)}
        return rows[[number[text] for text in asked]]

    encode: Encode = encode_plain
    model = Cells()
    train = split_read(arguments, arguments.train_split, encode, most=arguments.train_pictures)
    val = split_read(arguments, arguments.split, encode, most=arguments.pictures)
    print(
        f"{len(train.pixels)} pictures to choose with, {len(val.pixels)} to measure with", file=sys.stderr, flush=True
    )
    model.measure([train.pixels[at : at + _BATCH] for at in range(0, min(640, len(train.pixels)), _BATCH)])
    if arguments.normalised:
        from imagery.encoders.base import unit_rows
        from imagery.encoders.terms import terms

        model.mean = model.encode(train.pixels, regions=False)["whole"].mean(axis=0)
        middle = encode(terms(texts.languages)).mean(axis=0)
        encode = lambda asked: unit_rows(encode_plain(asked) - middle)  # noqa: E731
        train, val = (replace(each, captions=unit_rows(each.captions - middle)) for each in (train, val))
    tuned = {f"{grid}x{grid}": caption_gallery(model, train, grid, seed=_SEED)[0] for grid in _GRIDS}
    galleries: dict[str, Gallery] = {}
    galleries["plain"], rows = caption_gallery(model, val, 1, seed=0)
    galleries["phrases"] = phrase_gallery(val, rows, encode, arguments.queries)
    for grid in _GRIDS:
        galleries[f"{grid}x{grid}"], _rows = caption_gallery(model, val, grid, seed=_SEED + 1)
    found: dict[str, Any] = {"ways": report(galleries, tuned), "cost": cost(model, val.pixels[: 16 * _BATCH])}
    print("\n".join(lines(found["ways"])))
    print(f"cells of both grids cost {found['cost']['cells_share']:.1%} of a picture's forward pass (torch float32)")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


def cost(model: Cells, pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Seconds of the forward pass and of the cells beside it, in one run."""
    model.statistics, kept = {}, model.statistics
    model.seconds = dict.fromkeys(model.seconds, 0.0)
    model.encode(pixels)
    model.statistics = kept
    forward = model.seconds["backbone"] + model.seconds["whole"]
    return {"forward_s": forward, "cells_s": model.seconds["cells"], "cells_share": model.seconds["cells"] / forward}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, metavar="DIR")
    parser.add_argument("--captions", type=Path, required=True, metavar="FILE.jsonl")
    parser.add_argument("--queries", type=Path, default=_ROOT / "bench" / "queries.jsonl", metavar="FILE.jsonl")
    parser.add_argument("--split", default="val")
    parser.add_argument("--pictures", type=int, default=0, help="measure with so many only, for a trial (0: all)")
    parser.add_argument("--train-split", default="train")
    parser.add_argument("--train-pictures", type=int, default=480)
    parser.add_argument("--normalised", action="store_true", help="without both means (docs/ranking.md)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
