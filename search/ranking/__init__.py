"""Ranking: pure functions on arrays, from candidate tiles to ordered scenes, their bands and their pages."""

from search.ranking.bands import Band, bands_in_order, probabilities, weaker_from
from search.ranking.evidence import Evidence, Lessons, Votes
from search.ranking.paging import PageCut, page_cut
from search.ranking.pipeline import candidates_rank, retrieval_vector
from search.ranking.query import ExamplePart, Geometry, RankClause, RankExample, RankQuery, RankRelation
from search.ranking.scenes import RankedScenes
from search.ranking.stages import StageSettings, stage_defaults, stage_settings, stages_usable

__all__ = [
    "Band",
    "Evidence",
    "ExamplePart",
    "Geometry",
    "Lessons",
    "PageCut",
    "RankClause",
    "RankExample",
    "RankQuery",
    "RankRelation",
    "RankedScenes",
    "StageSettings",
    "Votes",
    "bands_in_order",
    "candidates_rank",
    "page_cut",
    "probabilities",
    "retrieval_vector",
    "stage_defaults",
    "stage_settings",
    "stages_usable",
    "weaker_from",
]
