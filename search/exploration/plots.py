"""The plots of experiments, with the words of the reader's language."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import accumulate

from django.utils import formats
from django.utils.translation import gettext as _

from search.exploration.propensity import propensity_assumed
from search.exploration.results import Tally
from search.exploration.verdict import verdict_of
from search.judged.plots import BOTTOM, LEFT, RIGHT, TOP, Plot, Tick, Values, linear, logarithmic, series
from search.models import PositionPropensity

_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def propensity_plot(rows: Sequence[PositionPropensity]) -> Plot | None:
    """Return the estimate by rank with its intervals, beside what is assumed without one; None with fewer than two."""
    if len(rows) < 2:
        return None
    last = rows[-1].rank
    x, y = logarithmic(1, last, LEFT, RIGHT), linear(0.0, 1.0, BOTTOM, TOP)
    ranks = [row.rank for row in rows]
    assumed = propensity_assumed(ranks).tolist()
    estimated = Values(
        _("estimated"),
        ranks,
        [(row.propensity, row.low, row.high) for row in rows],
        [f"#{row.rank}: {row.propensity:.3f}" for row in rows],
    )
    guessed = Values(
        _("assumed without an estimate"),
        ranks,
        [(value, value, value) for value in assumed],
        [f"#{rank}: {value:.3f}" for rank, value in zip(ranks, assumed, strict=True)],
    )
    marked = [rank for rank in (1, 2, 5, 10, 20) if rank < last * 0.8] + [last]
    return Plot(
        key="propensity",
        title=_("How likely a hit is looked at, by rank"),
        description=_("Beside a hit at rank 1, from exchanged neighbours, with intervals (95 %)."),
        x_label=_("rank"),
        y_label=_("propensity"),
        x_ticks=[Tick(x(rank), str(rank), "end" if rank == last else "middle") for rank in marked],
        y_ticks=[Tick(y(at), f"{at:g}") for at in _SHARES],
        series=[series(1, estimated, x, y), series(2, guessed, x, y)],
        header=[_("Rank"), _("Propensity"), _("interval (95 %)"), _("Shown exchanged")],
        rows=[
            [str(row.rank), f"{row.propensity:.3f}", f"{row.low:.3f} – {row.high:.3f}", f"{row.shows:,}"]
            for row in rows
        ],
    )


def days_plot(days: Mapping[date, Tally]) -> Plot | None:
    """Return B's share of the decided searches up to each day; None before two days have any."""
    known = [(day, tally) for day, tally in sorted(days.items()) if tally.wins_a + tally.wins_b]
    if len(known) < 2:
        return None
    sums = list(accumulate(tally for _day, tally in known))
    verdicts = [verdict_of(tally.wins_a, tally.wins_b) for tally in sums]
    labels = [formats.date_format(day, "SHORT_DATE_FORMAT") for day, _tally in known]
    x, y = linear(0, len(known) - 1, LEFT + 8, RIGHT - 8), linear(0.0, 1.0, BOTTOM, TOP)
    points = [(each.share, each.low, each.high) for each in verdicts]
    told = [f"{label}: {each.share:.2f}" for label, each in zip(labels, verdicts, strict=True)]
    return Plot(
        key="days",
        title=_("B's share of the decided searches, up to each day"),
        description=_("With intervals (95 %); at 0.5 neither is better."),
        x_label=_("days"),
        y_label=_("B's share"),
        x_ticks=[Tick(x(place), labels[place], anchor) for place, anchor in ((0, "start"), (len(known) - 1, "end"))],
        y_ticks=[Tick(y(at), f"{at:g}") for at in (0.0, 0.25, 0.5, 0.75, 1.0)],
        series=[series(1, Values(_("B's share so far"), range(len(known)), points, told), x, y)],
        header=[_("Day"), _("won by A"), _("won by B"), _("ties"), _("B's share so far"), _("interval (95 %)")],
        rows=[
            [
                label,
                str(tally.wins_a),
                str(tally.wins_b),
                str(tally.ties),
                f"{verdict.share:.2f}",
                f"{verdict.low:.2f} – {verdict.high:.2f}",
            ]
            for label, (_day, tally), verdict in zip(labels, known, verdicts, strict=True)
        ],
    )
