"""``manage.py simulate_feedback``: what learning from people gains, measured with simulated people."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from imagery.evaluation.pictures import Progress
from rsportal.errors import InvalidInput, RsportalError
from search.embeddings_file import embeddings_read
from search.simulation.archive import BASES, Archive, archive_of
from search.simulation.captioned import LANGUAGE, archive_encode, captioned_files
from search.simulation.clicks import ClickModel
from search.simulation.hits import pages_to_hits
from search.simulation.measures import Summary
from search.simulation.run import Simulation, simulate

_WIDTH: Final = 32


class Command(BaseCommand):
    help = (
        "Measure what the portal's feedback stage gains with simulated people who open hits by the position-based "
        "click model, on images whose class is known: points (0 to 100) of average precision and nDCG@10 on the images "
        "that nobody had been shown, and the share of rankings that got worse. With attackers: how often their image "
        "reached the first page. Changes nothing. docs/learning.md explains the figures."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--embeddings",
            type=Path,
            nargs="+",
            metavar="FILE",
            help=".npz with images (n, d), labels (n,) and texts (prompts, classes, d), one query a class; without it "
            "the built-in encoder on RSICD val",
        )
        parser.add_argument("--language", default=LANGUAGE, help="of the phrases asked of RSICD (default: %(default)s)")
        parser.add_argument(
            "--base",
            choices=BASES,
            default="raw",
            help="what is improved: the plain cosine, or the normalised and diffused ranking (default: %(default)s)",
        )
        parser.add_argument("--eta", type=float, default=1.0, help="P(looked at) = (1 / rank) ** eta; default 1")
        parser.add_argument(
            "--noise", type=float, default=0.05, help="P(opened) of what is not relevant, if looked at; default .05"
        )
        parser.add_argument("--page", type=int, default=20, help="hits that are looked through in a round; default 20")
        parser.add_argument("--rounds", type=int, default=1, help="pages that each person looks through; default 1")
        parser.add_argument("--users", type=int, default=20, help="people a query; default 20")
        parser.add_argument(
            "--attackers",
            type=float,
            default=0.0,
            metavar="SHARE",
            help="of the people that do nothing but like one image that is not relevant; implies --pooled",
        )
        parser.add_argument(
            "--pooled", action="store_true", help="people teach one more person, instead of each their own ranking"
        )
        parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn; default 0")
        parser.add_argument(
            "--json",
            action="store_true",
            help='print {"gain_ap", "gain_ndcg10", "worse_share", "promoted_share", "ci95"}; of several files those of '
            'all together, and each one\'s under "files"',
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            simulation = Simulation(
                base=options["base"],
                model=ClickModel(eta=options["eta"], noise=options["noise"], page=options["page"]),
                rounds=options["rounds"],
                users=options["users"],
                attackers=options["attackers"],
                pooled=options["pooled"],
                seed=options["seed"],
            )
            archives = self._archives(options)
            whole, each = simulate(archives, simulation)
            if options["json"]:
                files = {"files": {name: found.as_json() for name, found in each.items()}} if len(each) > 1 else {}
                self.stdout.write(json.dumps({**whole.as_json(), **files}))
                return
            self._print(archives, simulation, whole, each)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _archives(self, options: dict[str, Any]) -> list[Archive]:
        if options["embeddings"]:
            names = [path.name for path in options["embeddings"]]
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise InvalidInput(f"--embeddings names {twice} twice; files must have different names.")
            return [archive_of(embeddings_read(path), name=path.name) for path in options["embeddings"]]
        progress = Progress(stderr=self.stderr)
        return [archive_encode(captioned_files(), language=options["language"], progress=progress)]

    def _print(self, archives: list[Archive], simulation: Simulation, whole: Summary, each: dict[str, Summary]) -> None:
        heads = ("AP", "95 % of resamples", "nDCG@10", "worse", "promoted")
        self.stdout.write(f"{'':<{_WIDTH}} {heads[0]:>6} {heads[1]:>18} {heads[2]:>8} {heads[3]:>7} {heads[4]:>9}")
        for name, found in each.items():
            self.stdout.write(_line(name, found))
        if len(each) > 1:
            self.stdout.write(_line("all", whole))
        if not simulation.everybody:
            told = pages_to_hits(archives, simulation)
            self.stdout.write(
                f"Pages to {told.hits} relevant images: {told.with_feedback:.2f} with feedback after each page, "
                f"{told.without:.2f} without ({told.queries} queries)"
            )


def _line(name: str, found: Summary) -> str:
    interval = f"{found.ci95[0]:+.2f} to {found.ci95[1]:+.2f}"
    return (
        f"{name[:_WIDTH]:<{_WIDTH}} {found.gain_ap:+6.2f} {interval:>18} {found.gain_ndcg10:+8.2f} "
        f"{100 * found.worse_share:6.1f}% {100 * found.promoted_share:8.1f}%"
    )
