"""``manage.py estimate_propensities``: how likely hits are looked at by their rank, from exchanged neighbours."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from search.exploration.estimate import MIN_DEEDS, MIN_PEOPLE, Estimate
from search.services.propensities import MIN_SHOWS, propensities_estimate


class Command(BaseCommand):
    help = (
        "Estimate from searches in which neighbouring hits were exchanged (RSPORTAL_SEARCH_EXPLORE) how likely a hit "
        "is looked at by its rank, beside one at rank 1, with 95 % intervals (people drawn anew), and keep it: clicks "
        "are weighted by it from then on. With too little to estimate from, nothing is changed. Runs every day, too. "
        "docs/experiments.md explains it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--min-shows",
            type=int,
            default=MIN_SHOWS,
            metavar="N",
            help="estimate only as far down as every pair was shown exchanged N times (default: %(default)s)",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            help='print {"kept", "eta", "people", "deeds", "ranks": [{"rank", "propensity", "low", "high", "shows"}]}',
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["min_shows"] < 1:
            raise CommandError(f"--min-shows is {options['min_shows']}; it must be at least 1.")
        found = propensities_estimate(min_shows=options["min_shows"])
        if options["json"]:
            self.stdout.write(json.dumps(_document(found)))
            return
        if not found.enough:
            self.stdout.write(_too_little(found, options["min_shows"]))
            return
        self.stdout.write(f"{'rank':>4}  {'propensity':>10}  {'95 % interval':>15}  {'exchanged':>9}")
        for row in _rows(found):
            interval = f"{row['low']:.3f} to {row['high']:.3f}"
            self.stdout.write(f"{row['rank']:>4}  {row['propensity']:10.3f}  {interval:>15}  {row['shows']:9,}")
        self.stdout.write(
            f"From {found.deeds:,} hits opened, liked or downloaded at exchanged pairs by {found.people:,} people; "
            f"the curve is near rank ^ -{found.eta:.2f}. Kept."
        )


def _too_little(found: Estimate, min_shows: int) -> str:
    return (
        f"Too little to estimate from: {found.people:,} people took part (at least {MIN_PEOPLE} are needed), "
        f"{found.deeds:,} hits at exchanged pairs were opened, liked or downloaded (at least {MIN_DEEDS}), and the "
        f"first two hits must have been shown exchanged {min_shows} times. Nothing was changed. "
        "RSPORTAL_SEARCH_EXPLORE says how often hits are exchanged."
    )


def _rows(found: Estimate) -> list[dict[str, Any]]:
    columns = {
        "rank": found.ranks,
        "propensity": found.propensity.round(5),
        "low": found.low.round(5),
        "high": found.high.round(5),
        "shows": found.shows,
    }
    values = zip(*(each.tolist() for each in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]


def _document(found: Estimate) -> dict[str, Any]:
    return {
        "kept": found.enough,
        "eta": round(found.eta, 4) if found.enough else None,
        "people": found.people,
        "deeds": found.deeds,
        "ranks": _rows(found),
    }
