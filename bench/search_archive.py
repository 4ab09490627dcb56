"""A synthetic portal in a folder of its own: made once, used again; its vectors as an array beside the database."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
SEARCHER = "bench-searcher"
_HEAD_BYTES, _TAIL = 19, b"\xff\xff"  # of binary COPY
_BLOCK_ROWS = 4_096
HIDDEN_FROM_SEARCHER = ("synthetic-survey", "synthetic-drafts")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment in which Django is the portal in ``folder``, with one thread for arithmetic."""
    mine = {
        name: value for name, value in os.environ.items() if not name.startswith("RSPORTAL_") and name != "DATABASE_URL"
    }
    return mine | {
        "RSPORTAL_VAR_DIR": str(folder / "var"),
        "RSPORTAL_LOG_LEVEL": "WARNING",
        "RSPORTAL_PROFILE": "development",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }


def manage(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment(folder), check=True)


def prepare(folder: Path, *, scenes: int, dimension: int, graphs: list[str]) -> None:
    """Make what is missing: the portal with ``scenes`` scenes and its index, the arrays, the graphs of these rivals."""
    (folder / "var").mkdir(parents=True, exist_ok=True)
    manage(folder, "migrate", "--skip-checks", "--noinput", "--verbosity", "0")
    subprocess.run(
        [sys.executable, "-m", "bench.search_archive", str(folder), str(scenes), str(dimension), ",".join(graphs)],
        cwd=ROOT, env=environment(folder), check=True,
    )  # fmt: skip


def arrays(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the stored vectors (n, d), mapped from the disk, and their tile ids (n,)."""
    return np.load(folder / "rows.npy", mmap_mode="r"), np.load(folder / "tiles.npy")


def built(folder: Path) -> dict[str, Any]:
    """Return how long each index took to build, in seconds."""
    file = folder / "built.json"
    return json.loads(file.read_text()) if file.exists() else {}


def _main() -> None:
    folder, scenes, dimension = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    graphs = [name for name in sys.argv[4].split(",") if name]
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    django.setup()
    _portal(folder, scenes, dimension)
    _searcher()
    _arrays(folder)
    _graphs(folder, graphs)


def _portal(folder: Path, scenes: int, dimension: int) -> None:
    from time import perf_counter

    from django.core.management import call_command

    from imagery.services.encoders import encoder_active
    from imagery.services.synthetic import synthetic_encoders, synthetic_scenes
    from imagery.services.vector_index import vector_index_ready
    from imagery.services.vector_index_build import vector_index_build

    if not synthetic_encoders().exists():
        call_command("seed_synthetic", scenes=scenes, dimension=dimension, no_index=True)
    if (found := synthetic_scenes().count()) != scenes or encoder_active().dimension != dimension:
        sys.exit(f"{folder} holds {found} scenes, not {scenes} of {dimension} numbers: remove the folder.")
    encoder = encoder_active()
    if vector_index_ready(encoder.pk) is None:
        begun = perf_counter()
        vector_index_build(encoder=encoder, in_place=True)
        _note(folder, "portal", perf_counter() - begun)
    if not (folder / "var" / "static").is_dir():
        call_command("collectstatic", interactive=False, verbosity=0)


def _searcher() -> None:
    """The person who searches: sees what everybody sees and one collection as a member; two stay hidden."""
    from imagery.models import Collection, CollectionMember
    from rsportal.accounts.models import User

    user, _made = User.objects.get_or_create(username=SEARCHER, defaults={"password": "!"})
    for collection in Collection.objects.filter(visibility="members").exclude(slug__in=HIDDEN_FROM_SEARCHER):
        CollectionMember.objects.get_or_create(collection=collection, user=user)


def _arrays(folder: Path) -> None:
    from django.db import connection

    from imagery.services.encoders import encoder_active
    from imagery.services.partitions import partition_name

    if (folder / "rows.npy").exists():
        return
    encoder = encoder_active()
    table, dimension = partition_name(encoder.pk), encoder.dimension
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        count = cursor.fetchone()[0]
    # Fields, their lengths, tile, and halfvec_send: dimension, unused, the numbers; all big-endian.
    layout = np.dtype([("head", "V6"), ("tile", ">i8"), ("length", ">i4"), ("d", ">i4"), ("x", ">f2", dimension)])
    tiles = np.empty(count, dtype=np.int64)
    rows = np.lib.format.open_memmap(folder / "rows.part", mode="w+", dtype=np.float32, shape=(count, dimension))
    done, waiting, size = 0, [b""], 0
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} (tile_id, vector) TO STDOUT (FORMAT BINARY)") as copy,
    ):
        for data in copy:
            waiting.append(bytes(data)[_HEAD_BYTES:] if not (done or size) else bytes(data))
            size += len(waiting[-1])
            if size >= _BLOCK_ROWS * layout.itemsize:
                done, rest = _taken(b"".join(waiting), layout, rows, tiles, done)
                waiting, size = [rest], len(rest)
    done, rest = _taken(b"".join(waiting), layout, rows, tiles, done)
    if done != count or rest != _TAIL:
        sys.exit(f"{done} of {count} vectors were read: remove {folder} and start again.")
    rows.flush()
    np.save(folder / "tiles.npy", tiles)
    (folder / "rows.part").rename(folder / "rows.npy")


def _taken(
    data: bytes, layout: np.dtype[Any], rows: NDArray[np.float32], tiles: NDArray[np.int64], done: int
) -> tuple[int, bytes]:
    whole = len(data) // layout.itemsize
    block = np.frombuffer(data, dtype=layout, count=whole)
    vectors = block["x"].astype(np.float32)
    rows[done : done + whole] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    tiles[done : done + whole] = block["tile"]
    return done + whole, data[whole * layout.itemsize :]


def _graphs(folder: Path, names: list[str]) -> None:
    from bench.search_rivals import FaissHnsw, Hnswlib

    kinds = {"faiss": (FaissHnsw, "faiss.index"), "hnswlib": (Hnswlib, "hnswlib.index")}
    for name in names:
        kind, file = kinds[name]
        if not (folder / file).exists():
            rows, _tiles = arrays(folder)
            _note(folder, name, kind.build(rows, folder / file))


def _note(folder: Path, name: str, seconds: float) -> None:
    (folder / "built.json").write_text(json.dumps(built(folder) | {name: round(seconds, 1)}))


if __name__ == "__main__":
    _main()
