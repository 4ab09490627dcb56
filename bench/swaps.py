"""How many searches it takes until swaps tell what positions are worth: simulated people, known propensities.

``.venv/bin/python bench/swaps.py``: a line for each size of the log; nothing is read or written.
"""

import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")

SIZES = ((50, 20), (100, 50), (200, 100), (400, 200))
"""People, and searches of each."""
SHARES = (0.02, 0.1)
SHOWN = (2, 5, 10, 24)
DRAWS = 4


def main() -> None:
    """Print how wide the intervals are and how often they hold the truth, eta 1 and 0.5."""
    import django

    django.setup()
    from search.exploration.estimate import propensities_fit
    from tests.search.exploration.simulated import RANKS, people_counts

    heads = " ".join(f"{f'rank {rank}':>12}" for rank in SHOWN)
    print(f"{'eta':>4} {'share':>5} {'searches':>8} {'estimated':>9} {heads}   holds")
    for eta in (1.0, 0.5):
        truth = RANKS**-eta
        for share in SHARES:
            for people, searches in SIZES:
                found = [
                    propensities_fit(
                        people_counts(truth, people=people, searches=searches, share=share, seed=seed), min_shows=30
                    )
                    for seed in range(DRAWS)
                ]
                enough = [each for each in found if each.enough]
                holds = [
                    ((each.low <= t) & (t <= each.high)).mean() for each in enough for t in [truth[: len(each.ranks)]]
                ]
                factors = []
                for rank in SHOWN:
                    wide = [each.high[rank - 1] / each.low[rank - 1] for each in enough if len(each.ranks) >= rank]
                    factors.append(f"{np.median(wide):11.1f}x" if wide else f"{'-':>12}")
                held = f"{np.mean(holds):.2f}" if holds else "-"
                size = f"{eta:>4} {share:>5} {people * searches:>8} {f'{len(enough)} of {DRAWS}':>9}"
                print(f"{size} {' '.join(factors)}   {held}", flush=True)


if __name__ == "__main__":
    main()
