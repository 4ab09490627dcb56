"""What feedback adds to a ranking of 1,000 candidates x 1,024 with 200 lessons, in one run.

    OMP_NUM_THREADS=1 .venv/bin/python bench/feedback.py

Prints milliseconds of ranking without lessons, with them, and the difference, in both bases, beside one product of the
candidates with themselves (1,000 x 1,024 by 1,024 x 1,000) as a measure of the machine. Lessons are half a person's
own, half everybody's, and half of them are no candidates. Times are medians; the least is what a quiet machine takes.
"""

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

ROOT: Final = Path(__file__).resolve().parents[1]
LESSONS: Final = 200


def evidence(found: Any) -> Any:
    """Return lessons of one's own and of everybody: every other one a candidate."""
    from search.ranking import Evidence, Lessons, Votes

    rng = np.random.default_rng(2)
    rows = 2 * np.arange(LESSONS)
    vectors = found.vectors[rows].copy()
    away = np.arange(LESSONS) % 2 == 1
    vectors[away] += 0.02 * rng.normal(size=(int(away.sum()), vectors.shape[1])).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scenes = np.array([f"elsewhere {n}" if away[n] else found.scene_ids[rows[n]] for n in range(LESSONS)], dtype=object)
    half = LESSONS // 2
    own = Lessons(vectors[:half], np.full(half, 0.8), scenes[:half], ("click",) * half, ("1",) * half)
    votes = Votes(
        vectors=np.repeat(vectors[half:], 2, axis=0),
        weights=np.full(LESSONS, 0.8),
        scene_ids=np.repeat(scenes[half:], 2),
        deeds=("click",) * LESSONS,
        sources=("",) * LESSONS,
        voters=np.tile([0, 1], half),
    )
    nothing = Evidence.none(vectors.shape[1])
    return replace(nothing, own=own, everybody=votes)


def main() -> None:
    """The command."""
    from ranking import CANDIDATES, DIMENSION, tiles, times_ms

    from search.ranking import Geometry, RankQuery, StageSettings, candidates_rank
    from search.ranking.stages import Stage

    found = tiles(1)
    query = RankQuery(vector=found.vectors[3])
    geometry = Geometry(text_mean=found.vectors[:50].mean(axis=0), image_mean=found.vectors.mean(axis=0))
    plain = StageSettings()
    full = replace(plain, normalise=Stage(on=True), diffuse=Stage(on=True, weight=0.7))
    print(f"threads {os.environ.get('OMP_NUM_THREADS', 'all')}, load {os.getloadavg()[0]:.1f}; ms: median (least)")
    median, least = times_ms(lambda: found.vectors @ found.vectors.T)
    print(f"{f'{CANDIDATES} x {DIMENSION} with itself':<28} {median:6.1f} ({least:.1f})")
    for name, settings in (("plain cosine", plain), ("normalised and diffused", full)):
        run = partial(
            candidates_rank, candidates=found, query=query, settings=settings, geometry=geometry, limit=CANDIDATES
        )
        before, before_least = times_ms(run)
        after, after_least = times_ms(partial(run, evidence=evidence(found)))
        print(
            f"{name:<28} {before:6.1f} ({before_least:.1f}) without, {after:6.1f} ({after_least:.1f}) with "
            f"{LESSONS} lessons: {after - before:+.1f} ({after_least - before_least:+.1f})"
        )


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "bench")]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    import django

    django.setup()
    main()
