"""``manage.py evaluate_ranking``: what the ranking stages gain on given embeddings."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from rsportal.errors import RsportalError
from search.embeddings_file import embeddings_read
from search.ranking_scores import CANDIDATES, Scores, embeddings_score, scores_json, scores_mean

_WIDTH: Final = 44


class Command(BaseCommand):
    help = (
        "Measure the ranking stages of the portal on embeddings of labelled images: class mAP and nDCG@10 in percent "
        "(0 to 100, as manage.py evaluate prints them) of the plain cosine (raw), of normalisation (normalised), and "
        "of diffusion on top (diffused). One query a class: the mean of its prompts; the text mean is taken from the "
        "other classes' texts. Needs no database and changes nothing. docs/ranking.md explains the stages."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--embeddings",
            type=Path,
            nargs="+",
            required=True,
            metavar="FILE",
            help=".npz with images (n, d), labels (n,) and texts (prompts, classes, d); rows need not be of length 1",
        )
        parser.add_argument(
            "--candidates",
            type=int,
            default=CANDIDATES,
            metavar="N",
            help="rank only the nearest N images, as a search of a larger archive does (default: %(default)s)",
        )
        parser.add_argument(
            "--json",
            action="store_true",
            help='print {"raw": {"map", "ndcg10"}, "normalised": {...}, "diffused": {...}}, in percent; of several '
            'files {"files": {FILE: {...}}, "mean": {...}}',
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["candidates"] < 1:
            raise CommandError(f"--candidates is {options['candidates']}; it must be at least 1.")
        try:
            found = [
                (str(path), embeddings_score(embeddings_read(path), candidates=options["candidates"]))
                for path in options["embeddings"]
            ]
        except RsportalError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(scores_json(found)))
            return
        self.stdout.write(f"{'':<{_WIDTH}} {'class mAP':>34}   {'nDCG@10':>34}")
        heads = [*found[0][1]]
        self.stdout.write(f"{'':<{_WIDTH}} " + "   ".join(" ".join(f"{head:>10}" for head in heads) for _ in range(2)))
        for path, scores in found:
            self.stdout.write(_line(Path(path).name, scores))
        if len(found) > 1:
            self.stdout.write(_line("mean", scores_mean(found)))


def _line(name: str, scores: dict[str, Scores]) -> str:
    precisions = " ".join(f"{each.map:10.1f}" for each in scores.values())
    gains = " ".join(f"{each.ndcg10:10.1f}" for each in scores.values())
    return f"{name[:_WIDTH]:<{_WIDTH}} {precisions}   {gains}"
