"""Queries by more than text: what hits should be like, and not like, beside the words or in their place.

Similarities to a text and to pictures are not on one scale, so each is divided by its spread before they are added with
their weights (weighted composition as in WeiCom: Psomas et al., "Composed Image Retrieval for Remote Sensing", IGARSS
2024, arXiv 2405.15587). The spread is taken over a sample of the archive, not over the candidates: then the sum is the
cosine with one vector, and asking the archive for that vector brings exactly the candidates that rank highest.
What hits should not be like takes away as "without" does (``search.ranking.clauses``): what a row resembles more than
the average candidate counts against it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from search.ranking.normalise import rows_corrected, target_corrected
from search.ranking.pool import Pool
from search.ranking.query import ExamplePart, Geometry, RankExample, RankQuery, Vector, unit
from search.ranking.stages import StageSettings

Scores = NDArray[np.float64]

NOTE: Final = "examples"
"""What the step notes of a row: ``{"text": share or None, "of": [share of each example in its order]}``, in the unit of
the score: how much better than the average candidate each makes the row."""
GAMMA: Final = 0.3
"""What "not like this" of weight 1 takes away: with the diffusion behind it, .5 takes too much (docs/search.md)."""
PICTURES_SPREAD: Final = 2.0
"""How much more similarities among pictures spread than those with texts where no sample of the archive tells: 1.2 for
the built-in encoder, 1.6 to 2.1 for three CLIP models."""
_TINY: Final = 1e-9
_DIGITS: Final = 3


def examples_step(pool: Pool) -> Pool:
    """Fuse the examples with the scores of the text, or rank by them alone; a query without stays as it is.

    z(text) becomes (z(text) + share * sum of w z(example)) / (1 + share * sum of w) over the wanted examples; then
    GAMMA * w * relu(z(example)) is taken away for each of the others. In the unit of the scores.
    """
    query, settings = pool.asked.query, pool.asked.settings
    if not query.examples:
        return pool
    reference = pool.vectors if query.sample is None else _rows(query.sample, pool.asked.geometry, settings)
    share = settings.examples.weight if query.worded else 1.0
    total = sum((share * each.weight for each in query.examples if each.weight > 0), 1.0 if query.worded else 0.0)
    unit_of_scores = _spread(reference @ pool.target) or float(pool.scores.std())
    # Of a query without text what finer stages saw in a part of a tile counts on.
    of_query = np.asarray(pool.vectors @ pool.target, dtype=np.float64)
    text = (pool.scores - pool.scores.mean()) / total if query.worded else pool.scores - of_query
    told = [
        share * each.weight / total * unit_of_scores * _liked(each, pool, reference)
        if each.weight > 0
        else np.zeros(len(text))
        for each in query.examples
    ]
    fused = sum(told, text)
    spread = float(fused.std())
    for number, each in enumerate(query.examples):
        if each.weight < 0:
            against = _standardised(_cosines(each, pool, pool.vectors))
            told[number] = GAMMA * each.weight * spread * np.maximum(against, 0.0)
            fused = fused + told[number]
    after = replace(pool, scores=np.asarray(pool.scores.mean() + fused, dtype=np.float64))
    return after.noted(NOTE, _notes(text if query.worded else None, told))


def query_composed(query: RankQuery, *, geometry: Geometry, settings: StageSettings) -> Vector:
    """Return the unit vector (d,) of all that a query wants, in the geometry in which vectors are compared.

    That of its text, without examples; else each divided by its spread, weighted and added. What should not be there
    has no part in it: a vector far from something is near nothing in particular.
    """
    text = _text(query.vector, geometry, settings) if query.worded else None
    wanted = [example for example in query.examples if example.weight > 0]
    if not wanted:
        return query.vector if text is None else text
    reference = None if query.sample is None else _rows(query.sample, geometry, settings)
    share = settings.examples.weight if query.worded else 1.0
    composed = np.zeros(len(query.vector), dtype=np.float64)
    if text is not None:
        composed += text / (_over(reference, text) or 1.0)
    for example in wanted:
        direction = _direction(example, reference, geometry, settings)
        composed += share * example.weight * direction / (_over(reference, direction) or 1.0)
    return unit(composed)


def examples_mean(examples: Sequence[RankExample]) -> Vector:
    """Return the unit vector (d,) in the middle of the pictures that are wanted: the plain one of a query without text.

    Raises ValueError if nothing is wanted.
    """
    parts = [
        (example.weight * part.weight, part)
        for example in examples
        for part in example.parts
        if example.weight > 0 and part.weight > 0
    ]
    pictures = [(weight, part) for weight, part in parts if not part.words] or parts
    if not pictures:
        raise ValueError("Of these examples none says what is wanted.")
    return unit(np.sum([weight * part.vector for weight, part in pictures], axis=0))


def examples_taken(pool: Pool) -> Scores:
    """Return what "not like this" took from each row of the pool (m,), as it was noted: numbers of at most 0."""
    taken = np.zeros(len(pool.rows))
    against = [number for number, example in enumerate(pool.asked.query.examples) if example.weight < 0]
    if against and NOTE in pool.notes:
        for row, told in enumerate(pool.notes[NOTE].tolist()):
            taken[row] = sum(told["of"][number] for number in against) if told else 0.0
    return taken


def _liked(example: RankExample, pool: Pool, reference: Vector) -> Scores:
    """Return how much more than the average row each is like an example (m,), in spreads of the reference."""
    cosines = _cosines(example, pool, reference)
    spread = _spread(reference @ _direction(example, reference, pool.asked.geometry, pool.asked.settings))
    if not spread:
        return np.zeros(len(cosines))
    found = (cosines - cosines.mean()) / spread
    wanted = sum(part.weight for part in example.parts if part.weight > 0)
    for part in example.parts:
        if part.weight < 0:  # A concept's "not like this".
            target = _part(part, pool.asked.geometry, pool.asked.settings)
            against = _standardised(np.asarray(pool.vectors @ target, dtype=np.float64))
            found = found + GAMMA * max(part.weight / wanted, -1.0) * np.maximum(against, 0.0)
    return found


def _cosines(example: RankExample, pool: Pool, reference: Vector) -> Scores:
    direction = _direction(example, reference, pool.asked.geometry, pool.asked.settings)
    return np.asarray(pool.vectors @ direction, dtype=np.float64)


def _direction(
    example: RankExample, reference: Vector | None, geometry: Geometry, settings: StageSettings
) -> NDArray[np.float32]:
    """Return the direction (d,) that likeness to an example is measured along; of any length."""
    direction = np.zeros(len(example.parts[0].vector), dtype=np.float32)
    for part in example.parts:
        if part.weight > 0:
            target = _part(part, geometry, settings)
            over = _over(reference, target, words=part.words)
            direction += np.float32(part.weight / (over or 1.0)) * target
    return direction


def _over(reference: Vector | None, target: Vector, *, words: bool = True) -> float:
    if reference is None:
        return 1.0 if words else PICTURES_SPREAD
    return _spread(reference @ target)


def _part(part: ExamplePart, geometry: Geometry, settings: StageSettings) -> Vector:
    if part.words:
        return _text(part.vector, geometry, settings)
    return _rows(part.vector[np.newaxis], geometry, settings)[0]


def _text(vector: Vector, geometry: Geometry, settings: StageSettings) -> Vector:
    if settings.normalise.active and geometry.complete:
        return target_corrected(vector, geometry, share=settings.normalise.weight)
    return vector


def _rows(rows: Vector, geometry: Geometry, settings: StageSettings) -> Vector:
    if settings.normalise.active and geometry.complete:
        return rows_corrected(rows, geometry, share=settings.normalise.weight)
    return rows


def _spread(values: NDArray[np.floating]) -> float:
    spread = float(np.asarray(values, dtype=np.float64).std())
    return spread if spread > _TINY else 0.0


def _standardised(values: Scores) -> Scores:
    spread = values.std()
    return (values - values.mean()) / spread if spread > _TINY else np.zeros_like(values)


def _notes(text: Scores | None, told: Sequence[Scores]) -> NDArray[Any]:
    words = [None] * len(told[0]) if text is None else np.round(text, _DIGITS).tolist()
    shares = np.round(np.stack(told, axis=1), _DIGITS).tolist()
    notes = np.empty(len(words), dtype=object)
    for row, (share, of) in enumerate(zip(words, shares, strict=True)):
        notes[row] = {"text": share, "of": of}
    return notes
