"""Candidates: the tiles nearest to a query vector among those a person may see, with their vectors."""

from search.candidates.find import candidates_find
from search.candidates.shape import MAX_CANDIDATE_SCENES, MAX_CANDIDATES, Candidates, Route

__all__ = ["MAX_CANDIDATES", "MAX_CANDIDATE_SCENES", "Candidates", "Route", "candidates_find"]
