"""What ranking 1,000 candidates costs, stage by stage, in one run: .venv/bin/python bench/ranking.py

Vectors are random directions around a common mean, as a model's are; the time does not depend on what they show. Set
OMP_NUM_THREADS to say how many cores the products may use. Prints milliseconds; compare them within one run.
"""

import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ROOT: Final = Path(__file__).resolve().parents[1]
CANDIDATES: Final = 1_000
DIMENSION: Final = 1_024
ROUNDS: Final = 25


@dataclass(frozen=True)
class Tiles:
    """Candidates as ``search.candidates.Candidates`` has them."""

    tile_ids: NDArray[np.int64]
    scene_ids: NDArray[np.object_]
    windows: NDArray[np.int32]
    vectors: NDArray[np.float32]


def tiles(of_a_scene: int) -> Tiles:
    """Return candidates with as many tiles a scene: the whole, and windows side by side."""
    rng = np.random.default_rng(1)
    rows = (rng.normal(size=(CANDIDATES, DIMENSION)) + 2 * rng.normal(size=DIMENSION)).astype(np.float32)
    place = np.arange(CANDIDATES) % of_a_scene
    windows = np.stack(
        [place > 0, 200 * np.maximum(place - 1, 0), 0 * place, np.where(place, 256, 800), np.where(place, 256, 800)],
        axis=1,
    )
    return Tiles(
        tile_ids=np.arange(CANDIDATES),
        scene_ids=np.array([uuid.UUID(int=n // of_a_scene) for n in range(CANDIDATES)], dtype=object),
        windows=windows.astype(np.int32),
        vectors=rows / np.linalg.norm(rows, axis=1, keepdims=True),
    )


def times_ms(run: Callable[[], Any]) -> tuple[float, float]:
    """Return the median and the least time of a call, the first one left out."""
    run()
    times = []
    for _round in range(ROUNDS):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return 1_000 * float(np.median(times)), 1_000 * min(times)


def main() -> None:
    """The command."""
    from search.ranking import Geometry, RankQuery, StageSettings, candidates_rank
    from search.ranking.stages import Stage

    plain = StageSettings()
    normalised = replace(plain, normalise=Stage(on=True))
    settings = {
        "windows alone": plain,
        "and normalise": normalised,
        "and diffuse": replace(normalised, diffuse=Stage(on=True, weight=0.7)),
    }
    print(
        f"{CANDIDATES} x {DIMENSION}, threads {os.environ.get('OMP_NUM_THREADS', 'all')}, load {os.getloadavg()[0]:.1f}"
    )
    for of_a_scene in (1, 4):
        found = tiles(of_a_scene)
        query = RankQuery(vector=found.vectors[3])
        geometry = Geometry(text_mean=found.vectors[:50].mean(axis=0), image_mean=found.vectors.mean(axis=0))
        for name, chosen in settings.items():
            run = partial(
                candidates_rank, candidates=found, query=query, settings=chosen, geometry=geometry, limit=CANDIDATES
            )
            median, least = times_ms(run)
            print(f"{of_a_scene} tiles a scene, {name:<15} {median:6.1f} ms {least:6.1f} ms")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    import django

    django.setup()
    main()
