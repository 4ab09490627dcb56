"""``manage.py evaluate_rankings``: how well rankings find what a judged query set calls right."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from rsportal.errors import RsportalError
from search.acting import acting_user
from search.judged.compare import RunComparison, comparison_dict, run_dict, runs_compare
from search.judged.configuration import ACTIVE, configuration_parse
from search.judged.evaluate import Measured
from search.judged.scope import set_requests
from search.models import RankingRun
from search.selectors_judged import judged_set_get, query_texts
from search.services.ranking_runs import ranking_run_make

_COLUMNS: Final = {
    "ndcg10": "nDCG@10",
    "map": "MAP",
    "recall10": "R@10",
    "recall100": "R@100",
    "recall1000": "R@1000",
    "judged10": "judged@10",
    "ndcg10_condensed": "nDCG@10 cond.",
    "map_condensed": "MAP cond.",
}
_CHANGES: Final = 10
_PROBLEMS: Final = 5


class Command(BaseCommand):
    help = (
        "Ask every query of a judged set and print nDCG@10, MAP and recall with 95 % bootstrap intervals; with several "
        "configurations also how the first differs from each other one. Hits that nobody judged count as not relevant. "
        "Every run is kept and shown in the administration."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--set", required=True, metavar="NAME", help="the judged set (owner/name if names repeat)")
        parser.add_argument(
            "--config",
            action="append",
            metavar="CONFIG",
            help="an encoder, perhaps with stages changed: builtin, builtin:diffuse=off,normalise=on (default: active)",
        )
        parser.add_argument("--as", dest="username", metavar="USER", help="over what this person sees")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._handle(options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _handle(self, options: dict[str, Any]) -> None:
        user = acting_user(options["username"])
        judged_set = judged_set_get(user, options["set"])
        configurations = [configuration_parse(text) for text in options["config"] or [ACTIVE]]
        requests = set_requests(judged_set, user)
        runs = []
        for configuration in configurations:
            run, measured = ranking_run_make(
                judged_set=judged_set,
                configuration=configuration,
                requests=requests,
                user=user,
                progress=self._progress(configuration.name),
            )
            self._remark(measured)
            runs.append(run)
        texts = query_texts(judged_set)
        compared = [found for run in runs[1:] if (found := runs_compare(runs[0], run, texts=texts))]
        if options["json"]:
            told = {
                "set": judged_set.name,
                "unjudged_hits": "not relevant",
                "runs": [run_dict(run) for run in runs],
                "comparisons": [comparison_dict(each) for each in compared],
            }
            self.stdout.write(json.dumps(told, ensure_ascii=False))
            return
        for line in _report(runs):
            self.stdout.write(line)
        for each in compared:
            for line in _compared(each):
                self.stdout.write(line)

    def _progress(self, name: str) -> Any:
        """Return what shows the progress on a terminal (nothing elsewhere)."""
        if not sys.stderr.isatty():
            return None

        def show(done: int, total: int) -> None:
            self.stderr.write(f"\r{name}: {done:,} of {total:,} queries", ending="\n" if done == total else "")

        return show

    def _remark(self, measured: Measured) -> None:
        name = measured.configuration.name
        for remark in measured.remarks:
            self.stderr.write(f"{name}: {remark}")
        if measured.unjudged:
            self.stderr.write(
                f"{name}: {len(measured.unjudged):,} queries have no relevant scene and are left out: "
                + ", ".join(measured.unjudged[:_CHANGES])
                + (" ..." if len(measured.unjudged) > _CHANGES else "")
            )
        problems = {key: scores.problem for key, scores in measured.scores.items() if scores.problem}
        for key, problem in list(problems.items())[:_PROBLEMS]:
            self.stderr.write(f"{name}: query {key} counts as 0: {problem}")
        if len(problems) > _PROBLEMS:
            self.stderr.write(f"{name}: ... and {len(problems) - _PROBLEMS:,} more queries that got no answer")


def _report(runs: list[RankingRun]) -> Iterator[str]:
    first = runs[0].summary
    yield (
        f"{first['queries']:,} queries; 95 % intervals from resampling {first['groups']:,} "
        f"{'queries' if first['groups'] == first['queries'] else 'groups of queries (one a class)'}; "
        "hits that nobody judged count as not relevant"
    )
    for run in runs:
        how = f"{run.searched:,} scenes searched in {run.seconds:.1f} s, {run.versions['ranker']}"
        yield f"{run.configuration}  ({how})"
        for name, title in _COLUMNS.items():
            mean, low, high = run.summary["measures"][name]
            yield f"  {title:<14}{mean:.4f}  [{low:.4f}, {high:.4f}]"
        for language, values in run.summary["languages"].items():
            means = f"nDCG@10 {values['ndcg10'][0]:.4f}, MAP {values['map'][0]:.4f}"
            yield f"  {language or 'no language':<14}{means}  ({values['queries']:,} queries)"
    if len(runs) == 1:
        yield "Name another --config to see whether the difference is more than chance."


def _compared(found: RunComparison) -> Iterator[str]:
    yield ""
    yield (
        f"{found.second.configuration} against {found.first.configuration}: better for {found.better:,} of "
        f"{found.queries:,} queries, worse for {found.worse:,}"
    )
    for name, each in found.differences.items():
        interval = each.interval
        yield (
            f"  {_COLUMNS[name]:<14}{interval.mean:+.4f}  [{interval.low:+.4f}, {interval.high:+.4f}]  p = {each.p:.4f}"
        )
    changes = [change for change in found.changes[:_CHANGES] if change.gain]
    if changes:
        yield "  largest changes of nDCG@10:"
    for change in changes:
        yield f"  {change.gain:+.3f}  {change.first:.3f} -> {change.second:.3f}  {change.key}  {change.text}"
