"""Ranking: pure functions on arrays, from candidate tiles to ordered scenes, their bands and their pages."""

from search.ranking.bands import Band, bands, probabilities, weaker_from
from search.ranking.paging import PageCut, page_cut
from search.ranking.scenes import RANKER_VERSION, WINDOW_WEIGHT, RankedScenes, scenes_rank

__all__ = [
    "RANKER_VERSION",
    "WINDOW_WEIGHT",
    "Band",
    "PageCut",
    "RankedScenes",
    "bands",
    "page_cut",
    "probabilities",
    "scenes_rank",
    "weaker_from",
]
