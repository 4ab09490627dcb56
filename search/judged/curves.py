"""The plots of a judged set's runs, with the words of the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from search.judged.compare import QueryChange, RunComparison
from search.judged.measures import PRECISION_POINTS, RECALL_POINTS
from search.judged.plots import (
    BOTTOM,
    LEFT,
    MOST_SERIES,
    RIGHT,
    TOP,
    WIDTH,
    Plot,
    Point,
    Tick,
    Values,
    linear,
    logarithmic,
    mark_path,
    nice_ticks,
    series,
)
from search.models import RankingRun

SHOWN_QUERIES: Final = 24
"""Queries of the paired plot: those that changed most."""
SHOWN_RUNS: Final = 30
_ROW: Final = 34.0  # height of a query in the paired plot
_HEAD: Final = 8.0


@dataclass(frozen=True)
class PairedRow:
    """A query in the paired plot: where its words, its line and its two marks are."""

    change: QueryChange
    text_at: float
    line_at: float
    first_x: float
    second_x: float
    first_mark: str
    second_mark: str


@dataclass(frozen=True)
class PairedPlot:
    """nDCG@10 of the queries that changed most, one mark for each run."""

    comparison: RunComparison
    rows: list[PairedRow]
    ticks: list[Tick]
    height: float
    bottom: float
    width: int = WIDTH
    left: float = LEFT
    right: float = RIGHT


def run_names(runs: Sequence[RankingRun]) -> list[str]:
    """Return what each run is called: its configuration, with the time where a configuration stands there twice."""
    texts = [run.configuration for run in runs]
    return [f"{text} ({_when(run)})" if texts.count(text) > 1 else text for text, run in zip(texts, runs, strict=True)]


def precision_plot(runs: Sequence[RankingRun]) -> Plot:
    """Return the interpolated precision-recall curves."""
    return _curve(
        runs,
        key="precision",
        field="precision",
        xs=PRECISION_POINTS,
        scale=linear(0.0, 1.0, LEFT, RIGHT),
        x_ticks=_ends_inside(
            [Tick(linear(0.0, 1.0, LEFT, RIGHT)(at), f"{at:g}") for at in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
        ),
        title=_("Precision and recall"),
        description=_("Interpolated precision at eleven recalls, with intervals (95 %); higher is better."),
        x_label=_("recall"),
        y_label=_("precision"),
    )


def recall_plot(runs: Sequence[RankingRun]) -> Plot:
    """Return the recall by the number of hits that are looked at."""
    scale = logarithmic(RECALL_POINTS[0], RECALL_POINTS[-1], LEFT, RIGHT)
    return _curve(
        runs,
        key="recall",
        field="recall",
        xs=RECALL_POINTS,
        scale=scale,
        x_ticks=_ends_inside([Tick(scale(at), f"{at:,}") for at in (1, 10, 100, 1_000)]),
        title=_("Recall among the first k"),
        description=_("Share of the relevant scenes among the first k hits, with intervals (95 %); higher is better."),
        x_label=_("first k hits"),
        y_label=_("recall"),
    )


def history_plot(runs: Sequence[RankingRun], *, chosen: Sequence[RankingRun] = ()) -> Plot | None:
    """Return nDCG@10 over the runs, oldest first, a line for each configuration; None with fewer than two runs.

    The configurations of the ``chosen`` runs look as they do in the other plots; with more configurations than can be
    told apart, those of the latest runs are drawn.
    """
    usable = [run for run in runs if "measures" in run.summary][-SHOWN_RUNS:]
    if len(usable) < 2:
        return None
    numbers = _numbers(chosen, usable)
    x = linear(0, len(usable) - 1, LEFT + 8, RIGHT - 8)
    points: list[Point] = [tuple(run.summary["measures"]["ndcg10"]) for run in usable]
    drawn = [point for run, point in zip(usable, points, strict=True) if run.configuration in numbers]
    ticks = nice_ticks(min(point[1] for point in drawn), max(point[2] for point in drawn))
    y = linear(ticks[0], ticks[-1], BOTTOM, TOP)
    lines = []
    for name, number in sorted(numbers.items(), key=lambda item: item[1]):
        places = [place for place, run in enumerate(usable) if run.configuration == name]
        labels = [f"{name}, {_when(usable[place])}: {points[place][0]:.3f}" for place in places]
        lines.append(series(number, Values(name, places, [points[place] for place in places], labels), x, y))
    return Plot(
        key="history",
        title=_("nDCG@10 over the runs"),
        description=_("Every run of this set, oldest first, with intervals (95 %); higher is better."),
        x_label=_("runs, oldest first"),
        y_label="nDCG@10",
        x_ticks=[
            Tick(x(place), _day(usable[place]), anchor) for place, anchor in ((0, "start"), (len(usable) - 1, "end"))
        ],
        y_ticks=[Tick(y(tick), f"{tick:g}") for tick in ticks],
        series=lines,
        barred=True,
        header=[_("Run"), _("Configuration"), "nDCG@10"],
        rows=[[_when(run), run.configuration, _interval(point)] for run, point in zip(usable, points, strict=True)],
    )


def paired_plot(comparison: RunComparison) -> PairedPlot | None:
    """Return the queries that changed most, best gain first; None if none changed."""
    changed = [change for change in comparison.changes[:SHOWN_QUERIES] if change.gain]
    if not changed:
        return None
    x = linear(0.0, 1.0, 12.0, RIGHT)
    rows = []
    for place, change in enumerate(sorted(changed, key=lambda each: -each.gain)):
        line_at = _HEAD + place * _ROW + 24.0
        rows.append(
            PairedRow(
                change=change,
                text_at=line_at - 10.0,
                line_at=line_at,
                first_x=x(change.first),
                second_x=x(change.second),
                first_mark=mark_path(1, x(change.first), line_at),
                second_mark=mark_path(2, x(change.second), line_at),
            )
        )
    bottom = _HEAD + len(rows) * _ROW
    return PairedPlot(
        comparison=comparison,
        rows=rows,
        ticks=[Tick(x(at), f"{at:g}") for at in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)],
        height=bottom + 44.0,
        bottom=bottom,
        left=12.0,
    )


def _curve(
    runs: Sequence[RankingRun],
    *,
    key: str,
    field: str,
    xs: Sequence[float],
    scale: Callable[[float], float],
    x_ticks: list[Tick],
    title: str,
    description: str,
    x_label: str,
    y_label: str,
) -> Plot:
    y = linear(0.0, 1.0, BOTTOM, TOP)
    names = run_names(runs)
    points: list[list[Point]] = [[tuple(point) for point in run.summary[field]] for run in runs]
    drawn = []
    for number, (name, values) in enumerate(zip(names, points, strict=True), start=1):
        labels = [f"{name}, {x_label} {at:g}: {point[0]:.3f}" for at, point in zip(xs, values, strict=True)]
        drawn.append(series(number, Values(name, xs, values, labels), scale, y))
    return Plot(
        key=key,
        title=title,
        description=description,
        x_label=x_label,
        y_label=y_label,
        x_ticks=x_ticks,
        y_ticks=[Tick(y(at), f"{at:g}") for at in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)],
        series=drawn,
        header=[x_label, *names],
        rows=[[f"{at:g}", *(_interval(values[row]) for values in points)] for row, at in enumerate(xs)],
    )


def _numbers(chosen: Sequence[RankingRun], runs: Sequence[RankingRun]) -> dict[str, int]:
    """Return the series number of each configuration that is drawn."""
    numbers: dict[str, int] = {}
    for number, run in enumerate(chosen, start=1):
        if any(each.configuration == run.configuration for each in runs):
            numbers.setdefault(run.configuration, number)
    for run in reversed(runs):
        free = [number for number in range(1, MOST_SERIES + 1) if number not in numbers.values()]
        if free and run.configuration not in numbers:
            numbers[run.configuration] = free[0]
    return numbers


def _ends_inside(ticks: list[Tick]) -> list[Tick]:
    """Return the ticks with the last label ending where it stands, so that nothing is cut off at the edge."""
    return [*ticks[:-1], replace(ticks[-1], anchor="end")]


def _interval(point: Point) -> str:
    mean, low, high = point
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def _when(run: RankingRun) -> str:
    return formats.date_format(timezone.localtime(run.created_at), "SHORT_DATETIME_FORMAT")


def _day(run: RankingRun) -> str:
    return formats.date_format(timezone.localtime(run.created_at), "SHORT_DATE_FORMAT")
