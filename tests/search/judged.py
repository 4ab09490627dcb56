"""A small judged set whose measures can be computed by hand."""

import numpy as np

from search.models import JudgedQuery, JudgedSet, RelevanceJudgement
from tests.factories import axis, make_collection, make_scene


def at_angle(degrees: float) -> np.ndarray:
    """Return the vector that stands at this angle to the query "harbour" (the first axis)."""
    return np.cos(np.radians(degrees)) * axis(0) + np.sin(np.radians(degrees)) * axis(1)


def make_judged_set(owner, name: str = "bays", **fields) -> JudgedSet:
    """Return a new set of this person."""
    return JudgedSet.objects.create(owner=owner, name=name, **fields)


def make_judged_query(judged_set: JudgedSet, text: str = "harbour", **fields) -> JudgedQuery:
    """Return a new query of the set."""
    key = fields.pop("key", str(judged_set.queries.count() + 1))
    return JudgedQuery.objects.create(judged_set=judged_set, text=text, key=key, **fields)


def judge(query: JudgedQuery, scene, grade: int, by=None) -> RelevanceJudgement:
    """Write down a judgement."""
    return RelevanceJudgement.objects.create(query=query, scene=scene, grade=grade, judged_by=by)


def make_ranked_scenes(owner, count: int, *, collection=None, **fields) -> list:
    """Return scenes that "harbour" ranks in this order."""
    collection = collection or make_collection(owner=owner)
    return [
        make_scene(collection, title=f"rank {number}", vector=at_angle(10 * number), **fields)
        for number in range(1, count + 1)
    ]
