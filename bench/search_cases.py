"""What is asked: queries, filters that pass a known share of the scenes, and the exact answers by brute force."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from bench.search_hand import HandCase

MOST = 1_000
CORRELATED = ("synthetic-disasters", "synthetic-mountains")
RARE = "kompsat-3a"
"""The platform of 0.07 % of the scenes."""
SHARES = {"1 %": 0.01, "5 %": 0.05, "95 %": 0.95}


@dataclass
class Case:
    """One filter: how the portal, plain SQL and numpy each say it.

    ``passes`` (n,) bool marks the rows that this person may see and that pass; ``queries`` are numbers of synthetic
    queries to use; ``truth`` holds, per query, the rows of its exact answer.
    """

    name: str
    request: dict[str, Any]
    hand: HandCase
    passes: NDArray[np.bool_]
    queries: list[int]
    truth: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def share(self) -> float:
        return float(self.passes.mean())

    def path(self, text: str) -> str:
        """Return the address of the search page for this text and filter."""
        asked = {"start": "start", "end": "end"}
        pairs = [("q", text), *(("collection", slug) for slug in self.request.get("collections", ()))]
        pairs += [("platform", name) for name in self.request.get("platform", ())]
        pairs += [(name, self.request[key].isoformat()) for name, key in asked.items() if key in self.request]
        return f"/?{urlencode(pairs)}"


def cases_make(tile_ids: NDArray[np.int64], query_classes: NDArray[np.int64]) -> list[Case]:
    """Return no filter, four shares (platform and dates, which nothing shown depends on), one about what is asked."""
    from bench.search_archive import SEARCHER
    from imagery.models import Collection, Scene, Tile
    from imagery.synthetic.scenes import COLLECTIONS, home_collections
    from rsportal.accounts.models import User

    user = User.objects.get(username=SEARCHER)
    visible = dict(Collection.objects.visible_to(user).values_list("slug", "pk"))
    fields = ("pk", "collection_id", "datetime", "start_datetime", "end_datetime", "platform")
    scenes = {row[0]: row[1:] for row in Scene.objects.filter(status="ready").values_list(*fields).iterator(50_000)}
    of_tile = dict(Tile.objects.values_list("pk", "scene_id").iterator(50_000))
    facts = [scenes[of_tile[int(tile)]] for tile in tile_ids]
    collections = np.array([fact[0] for fact in facts])
    first = np.array([_seconds(fact[1] or fact[2]) for fact in facts])
    last = np.array([_seconds(fact[1] or fact[3]) for fact in facts])
    seen = np.isin(collections, list(visible.values()))
    everyone = list(visible.values())
    rare = seen & np.array([fact[4] == RARE for fact in facts])
    numbers = list(range(len(query_classes)))
    cases = [
        Case("none", {}, HandCase(everyone), seen, numbers),
        Case("0.07 %", {"platform": (RARE,)}, HandCase(everyone, platform=RARE), rare, numbers),
    ]
    for name, share in SHARES.items():
        start, end = _days(first[seen], share)
        moments = (datetime.combine(start, time.min, tzinfo=UTC), datetime.combine(end, time.max, tzinfo=UTC))
        passes = seen & (last >= moments[0].timestamp()) & (first <= moments[1].timestamp())
        hand = HandCase(everyone, *moments)
        cases.append(Case(name, {"start": start, "end": end}, hand, passes, numbers))
    wanted = [visible[slug] for slug in CORRELATED]
    passes = np.isin(collections, wanted)
    home = home_collections(query_classes)
    about = [n for n in numbers if COLLECTIONS[home[n]].slug in CORRELATED]
    name = f"{100 * passes.mean():.0f} %, about what is asked"
    cases.append(Case(name, {"collections": CORRELATED}, HandCase(wanted), passes, about))
    return cases


def truths_find(cases: Sequence[Case], rows: NDArray[np.float32], asked: dict[int, NDArray[np.float32]]) -> None:
    """Fill in the exact answers to all queries in ``asked`` (number: vector), from one product with all rows."""
    numbers = sorted(asked)
    matrix = np.stack([asked[number] for number in numbers]).T
    scores = np.concatenate([rows[start : start + 50_000] @ matrix for start in range(0, len(rows), 50_000)])
    for case in cases:
        passing = np.flatnonzero(case.passes)
        for column, number in enumerate(numbers):
            if number not in case.queries:
                continue
            own = scores[passing, column]
            k = min(MOST, len(own))
            best = np.argpartition(-own, k - 1)[:k] if k < len(own) else np.arange(len(own))
            case.truth[number] = passing[best[np.argsort(-own[best], kind="stable")]]


def recall(found: NDArray[np.int64], truth: NDArray[np.int64], k: int) -> float:
    """Return the share of the exact ``k`` best (fewer if fewer pass) among the first ``k`` found; both row numbers."""
    best = truth[:k]
    return len(np.intersect1d(found[: len(best)], best)) / len(best) if len(best) else 1.0


def _days(seconds: NDArray[np.float64], share: float) -> tuple[date, date]:
    """Return the days, both included, that about ``share`` of the scenes were taken on; the middle of the archive."""
    known = np.sort(seconds[~np.isnan(seconds)])
    begin = int(len(known) * (0.5 - share / 2))
    start = datetime.fromtimestamp(known[begin], tz=UTC).date()
    wanted = max(1, round(share * len(seconds)))
    end = start
    while end < start + timedelta(days=20_000):
        until = datetime.combine(end, time.max, tzinfo=UTC).timestamp()
        since = datetime.combine(start, time.min, tzinfo=UTC).timestamp()
        if np.searchsorted(known, until) - np.searchsorted(known, since) >= wanted:
            break
        end += timedelta(days=1)
    return start, end


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment is not None else float("nan")
