"""Plots as numbers for an SVG: positions of lines, bands, marks and labels. Pure; the template draws them.

Coordinates are in units of the view box (WIDTH wide), y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

WIDTH: Final = 420
HEIGHT: Final = 300
LEFT, RIGHT, TOP, BOTTOM = 46.0, 408.0, 26.0, 252.0
_MARK: Final = 3.6  # half the size of a mark
_SHAPES: Final = (
    "M{l},{y}a{m},{m} 0 1,0 {d},0a{m},{m} 0 1,0 -{d},0z",  # circle
    "M{l},{t}h{d}v{d}h-{d}z",  # square
    "M{x},{t}L{r},{y}L{x},{b}L{l},{y}z",  # diamond
    "M{x},{t}L{r},{b}H{l}z",  # triangle
)
MOST_SERIES: Final = len(_SHAPES)
"""So many series can be told apart by colour, dashes and marks together."""


@dataclass(frozen=True)
class Tick:
    """A label on an axis, at ``at``; ``anchor`` is which part of the text stands there."""

    at: float
    label: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Mark:
    """A point that was measured: its shape as a path, and what it says."""

    path: str
    label: str


@dataclass(frozen=True)
class Series:
    """A line with its marks. ``number`` (from 1) chooses colour, dashes and shape; ``band`` is the area between the
    ends of the intervals (both are lists of points), ``bars`` are the intervals themselves as a path."""

    number: int
    name: str
    line: str
    band: str
    bars: str
    marks: list[Mark]


@dataclass(frozen=True)
class Plot:
    """A plot with the table that says the same: ``header`` and ``rows`` of words.

    ``barred``: the intervals are drawn as bars, since between the points there is nothing.
    """

    key: str
    title: str
    description: str
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    series: list[Series]
    header: list[str]
    rows: list[list[str]]
    barred: bool = False
    width: int = WIDTH
    height: int = HEIGHT
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = BOTTOM


Scale = Callable[[float], float]
Point = tuple[float, float, float]
"""A mean with the ends of its interval: (mean, low, high)."""


@dataclass(frozen=True)
class Values:
    """What a series shows: its ``name``, x of each point, and (mean, low, high) there."""

    name: str
    xs: Sequence[float]
    points: Sequence[Point]
    labels: Sequence[str] = field(default_factory=list)


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """Return the scale that takes ``low`` to ``start`` and ``high`` to ``end``."""
    span = high - low or 1.0
    return lambda value: round(start + (value - low) / span * (end - start), 2)


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    """Return such a scale by the logarithm; all values must be above 0."""
    inner = linear(math.log(low), math.log(high), start, end)
    return lambda value: inner(math.log(value))


def series(number: int, values: Values, x: Scale, y: Scale) -> Series:
    """Return the line, band and marks of one series; ``number`` counts from 1."""
    across = [x(value) for value in values.xs]
    upper = [f"{at},{y(high)}" for at, (_mean, _low, high) in zip(across, values.points, strict=True)]
    lower = [f"{at},{y(low)}" for at, (_mean, low, _high) in zip(across, values.points, strict=True)]
    labels = values.labels or [""] * len(across)
    return Series(
        number=number,
        name=values.name,
        line=" ".join(f"{at},{y(point[0])}" for at, point in zip(across, values.points, strict=True)),
        band=" ".join([*upper, *reversed(lower)]),
        bars="".join(f"M{at},{y(low)}V{y(high)}" for at, (_mean, low, high) in zip(across, values.points, strict=True)),
        marks=[
            Mark(mark_path(number, at, y(point[0])), label)
            for at, point, label in zip(across, values.points, labels, strict=True)
        ],
    )


def mark_path(number: int, x: float, y: float) -> str:
    """Return the path of the mark of series ``number`` around (x, y)."""
    at = {"x": x, "y": y, "m": _MARK, "d": 2 * _MARK, "l": x - _MARK, "r": x + _MARK, "t": y - _MARK, "b": y + _MARK}
    return _SHAPES[(number - 1) % MOST_SERIES].format(**{name: round(value, 2) for name, value in at.items()})


def nice_ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Return at most ``most`` + 1 round numbers that enclose [low, high], evenly spaced."""
    span = max(high - low, 1e-9)
    step = 10.0 ** math.floor(math.log10(span / most))
    step = next(step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]
