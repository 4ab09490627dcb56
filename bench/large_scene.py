"""A scene of 20,000 x 20,000 pixels through the ingest's reading, tiling and drawing: memory and time beside encoding.

    python bench/large_scene.py --work DIR                        # all kinds of file, built-in encoder; 15 minutes
    python bench/large_scene.py --work DIR --kinds cog --most 2000 --side 8000

Each kind of file is made once in DIR (1 GB each). Every measurement runs in a process of its own, which imports what a
worker imports and is then idle; "MB above idle" is its highest resident memory after that, without any model, when it
does all that an ingest does with the scene short of encoding and storing: opening, the overview and thumbnail, which
windows there are, every window's picture and the encoder's input of it. The time of that is told apart from making the
inputs, which belongs to encoding as with any picture. Encoding is measured in another process on pictures of the same
scene. Both use the processor's time (all threads), so that a busy machine spoils neither; the ratio is of the two.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

KINDS: Final = {
    "cog": "8-bit COG, blocks of 512, with overviews",
    "tiled": "8-bit GeoTIFF, blocks of 512, without overviews",
    "striped": "8-bit GeoTIFF in strips of a few rows, without overviews",
    "cog16": "16-bit COG, blocks of 512, with overviews",
    "striped16": "16-bit GeoTIFF in strips, without overviews",
}
ENCODED: Final = 512
"""Pictures that are encoded to learn how long one takes."""


def main() -> None:
    """Make the files that are missing, measure, print."""
    arguments = _arguments()
    if arguments.measure:
        print(json.dumps(MEASURES[arguments.measure](arguments)))
        return
    arguments.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for kind in arguments.kinds:
        path = scene_path(arguments.work, kind, arguments.side)
        if not path.exists():
            scene_make(path, kind, arguments.side)
        drawn, encoded = (_apart(name, arguments, kind) for name in ("draw", "encode"))
        each = encoded["seconds"] / encoded["pictures"]
        row = {
            "kind": kind, "file": KINDS[kind], "bytes": path.stat().st_size, "side": arguments.side,
            **drawn, "encode_seconds": round(each * drawn["windows"], 1),
            "pictures_per_processor_second": round(1 / each, 1),
            "pictures_per_second": round(encoded["pictures"] / encoded["wall"], 1),
        }  # fmt: skip
        row["ratio"] = round(drawn["draw_seconds"] / row["encode_seconds"], 3)
        rows.append(row)
        print(json.dumps(row) if arguments.json else _line(row), flush=True)


def scene_path(folder: Path, kind: str, side: int) -> Path:
    """Return where the scene of a kind is kept."""
    return folder / f"large-{kind}-{side}.tif"


def scene_make(path: Path, kind: str, side: int) -> None:
    """Write a georeferenced scene of land-like patches, lines and grain, row of blocks by row of blocks."""
    import rasterio
    from rasterio.shutil import copy
    from rasterio.transform import from_origin
    from rasterio.windows import Window

    deep = kind.endswith("16")
    layout: dict[str, Any] = {"compress": "deflate", "predictor": 2, "zlevel": 6}
    if not kind.startswith("striped"):
        layout |= {"tiled": True, "blockxsize": 512, "blockysize": 512}
    part = path.with_suffix(".part")
    patch = _patch(2048)
    random = np.random.default_rng(3)
    with rasterio.open(
        part, "w", driver="GTiff", width=side, height=side, count=3, dtype="uint16" if deep else "uint8",
        crs="EPSG:32632", transform=from_origin(300_000, 5_400_000, 0.5, 0.5), interleave="pixel", bigtiff="yes",
        **layout,
    ) as file:  # fmt: skip
        for top in range(0, side, 512):
            high = min(512, side - top)
            rows = np.take(patch, range(top, top + high), axis=1, mode="wrap")
            wide = np.take(rows, range(side), axis=2, mode="wrap").astype(np.float32)
            wide += 30 * np.sin(np.arange(side) / 1700 + top / 900)[None, None]
            # Grain that repeats nowhere, as no camera's does: repeated rows would unpack faster than real ones.
            wide += random.integers(-2, 3, wide.shape, dtype=np.int8)
            wide = np.clip(wide, 0, 255)
            file.write((wide * 40).astype(np.uint16) if deep else wide.astype(np.uint8),
                       window=Window(0, top, side, high))  # fmt: skip
    if kind.startswith("cog"):
        copy(part, path, driver="COG", compress="deflate", predictor="yes", blocksize=512, bigtiff="yes")
        part.unlink()
    else:
        part.rename(path)
    print(f"made {path} ({path.stat().st_size // 1024**2:,} MB)", file=sys.stderr)


def _patch(side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    from PIL import Image, ImageDraw

    random = np.random.default_rng(20_240_607)
    image = Image.fromarray(random.integers(40, 180, (17, 17, 3), dtype=np.uint8)).resize((side, side), 3)
    draw = ImageDraw.Draw(image)
    for _ in range(900):
        x, y, w, h = (int(value) for value in random.integers(0, side, 4))
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        draw.rectangle((x, y, x + 4 + w // 40, y + 4 + h // 40), fill=colour)
        if w % 9 == 0:
            draw.line((x, y, w, h), fill=colour, width=3)
    grain = random.normal(0, 3, (side, side, 1))
    return np.moveaxis(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8), -1, 0)


def _draw(arguments: argparse.Namespace) -> dict[str, Any]:
    """All that an ingest does with a scene short of encoding and storing."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    django.setup()
    import uuid

    import rasterio  # noqa: F401 - an idle worker has read something before
    from django.test import override_settings

    from imagery.services.prepare import Broken, Opened, Pixels, Work, scene_events
    from imagery.tiling import TileRule

    path = scene_path(arguments.work, arguments.kinds[0], arguments.side)
    idle, windows, inputs, began = _memory(), 0, 0.0, time.process_time()
    image_input, image_size = _image_input()
    work = Work(job=None, scene_id=uuid.uuid4(), files={"data": path}, names={"data": path.name},
                rule=TileRule(most=arguments.most))  # fmt: skip
    with override_settings(MEDIA_ROOT=str(arguments.work / "media")):
        for event in scene_events(work, image_size=image_size):
            if isinstance(event, Broken):
                raise event.error
            if isinstance(event, Opened):
                opened, peak_opened = time.process_time() - began, _peak()
            if isinstance(event, Pixels):
                windows += 1
                before = time.process_time()
                image_input(event.image)
                inputs += time.process_time() - before
    took = time.process_time() - began
    return {
        "windows": windows, "draw_seconds": round(took - inputs, 1), "of_it_overview": round(opened, 1),
        "input_seconds": round(inputs, 1), "idle_mb": idle, "mb_above_idle": _peak() - idle,
        "mb_overview": peak_opened - idle,
    }  # fmt: skip


def _encode(arguments: argparse.Namespace) -> dict[str, Any]:
    """Encode pictures cut from the scene, as the portal would on this machine."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    django.setup()
    from imagery.encoders.base import EncoderKind, EncoderSpec
    from imagery.encoders.registry import checksum, make_encoder
    from imagery.encoders.runtime.child import run_apart, spec_as_json
    from imagery.encoders.runtime.plan import Form, Plan, Precision, Runtime
    from imagery.readers import open_scene
    from imagery.rendering import Renderer

    spec = EncoderSpec(EncoderKind.BUILTIN, "")
    asked = {"do": "measure", "spec": spec_as_json(spec), "checksum": checksum(spec),
             "folder": str(arguments.work / "encoders"), "form": Form.FULL.value, "runtime": "auto",
             "precision": "auto", "device": "auto", "threads": 0}  # fmt: skip
    chosen = run_apart(asked)
    plan = Plan(runtime=Runtime(chosen["runtime"]), precision=Precision(chosen["precision"]), device=chosen["device"],
                checksum=asked["checksum"], folder=arguments.work / "encoders")  # fmt: skip
    model = make_encoder(spec, plan=plan)
    path = scene_path(arguments.work, arguments.kinds[0], arguments.side)
    with open_scene({"data": path}) as reader:
        from PIL import Image

        pixels = Renderer(reader).render((0, 0, 8 * 256, 8 * 256)).array
        cut = [Image.fromarray(pixels[y : y + 224, x : x + 224]) for y in range(0, 2048, 256)
               for x in range(0, 2048, 256)]  # fmt: skip
    inputs = [model.image_input(picture) for picture in cut]
    model.encode_inputs(inputs[:16])
    began, wall, count = time.process_time(), time.perf_counter(), 0
    while count < ENCODED:
        inputs = [model.image_input(picture) for picture in cut]
        for start in range(0, len(inputs), 16):
            model.encode_inputs(inputs[start : start + 16])
        count += len(inputs)
    return {
        "pictures": count, "seconds": time.process_time() - began, "wall": time.perf_counter() - wall,
        "runtime": chosen["runtime"], "precision": chosen["precision"],
    }  # fmt: skip


def _image_input() -> tuple[Any, int]:
    from imagery.encoders.base import EncoderKind, EncoderSpec
    from imagery.encoders.registry import make_encoder

    model = make_encoder(EncoderSpec(EncoderKind.BUILTIN, ""))
    return model.image_input, model.image_size


MEASURES: Final = {"draw": _draw, "encode": _encode}


def _apart(measure: str, arguments: argparse.Namespace, kind: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--work", str(arguments.work), "--kinds", kind, "--measure", measure,
               "--side", str(arguments.side), "--most", str(arguments.most)]  # fmt: skip
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    return found


def _memory() -> int:
    """Resident memory now, MB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024**2


def _peak() -> int:
    """Highest resident memory so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _line(row: dict[str, Any]) -> str:
    rate = f"{row['pictures_per_processor_second']}/s of a core, {row['pictures_per_second']}/s"
    return (
        f"{row['file']:<56} {row['windows']:>6,} windows  {row['mb_above_idle']:>4} MB above idle ({row['idle_mb']})  "
        f"drawing {row['draw_seconds']:>5} s (overview {row['of_it_overview']} s)  "
        f"encoding {row['encode_seconds']:>5} s ({rate})  ratio {row['ratio']:.2f}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the scenes; kept for the next run")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--side", type=int, default=20_000, help="pixels")
    parser.add_argument("--most", type=int, default=100_000, help="most windows (default: full coverage)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--measure", choices=["draw", "encode"], help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
