"""``manage.py encoder``: see ``imagery.management.encoder_command``; the comparison is added here, for it searches."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from imagery.evaluation.metrics import Interval
from imagery.management.encoder_command import EncoderCommand
from imagery.services.encoders import encoder_get
from rsportal.accounts.models import User
from rsportal.accounts.selectors import user_named
from search.comparison import (
    CLASS_PROPERTY,
    ComparedQuery,
    Comparison,
    comparison_dict,
    encoders_compare,
    set_queries,
)
from search.comparison_queries import comparison_queries
from search.selectors_judged import judged_set_get


class Command(EncoderCommand):
    """The encoders of the portal."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        compare = self.actions.add_parser("compare", help="ask two encoders the same queries, side by side")
        compare.add_argument("first")
        compare.add_argument("second")
        compare.add_argument(
            "--queries",
            type=Path,
            metavar="FILE",
            help='one a line: words, or {"text", "language", "class"} (default: the example searches)',
        )
        compare.add_argument("--set", metavar="NAME", help="the queries and judgements of this judged set instead")
        compare.add_argument("--as", dest="username", metavar="USER", help="over what this person sees")
        compare.add_argument("--collection", action="append", default=[], metavar="SLUG", help="only in this one")
        compare.add_argument(
            "--property",
            default=CLASS_PROPERTY,
            metavar="NAME",
            help=f"property of scenes that holds their class (default: {CLASS_PROPERTY})",
        )
        compare.add_argument("--json", action="store_true", help="print one JSON object")

    def do_compare(self, options: dict[str, Any]) -> None:
        user = _user(options["username"])
        if options["set"] and options["queries"]:
            raise CommandError("Name --set or --queries, not both.")
        comparison = encoders_compare(
            first=encoder_get(options["first"]),
            second=encoder_get(options["second"]),
            queries=set_queries(judged_set_get(user, options["set"]), user)
            if options["set"]
            else comparison_queries(_lines(options["queries"])),
            user=user,
            class_property=options["property"],
            collections=options["collection"],
        )
        if options["json"]:
            self.stdout.write(json.dumps(comparison_dict(comparison), ensure_ascii=False))
        else:
            self.stdout.write("\n".join(_report(comparison)))


def _lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise CommandError(f"{path} cannot be read ({error.strerror}): check --queries.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is no UTF-8 text: check --queries.") from error


def _user(username: str | None) -> User:
    if username is None:
        user = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if user is None:
            raise CommandError("There is no administrator whose scenes could be searched; name a user by --as.")
        return user
    user = user_named(username)
    if user is None or not user.is_active:
        raise CommandError(f"There is no active user {username!r}.")
    return user


def _report(comparison: Comparison) -> Iterator[str]:
    for row in comparison.queries:
        yield from _query_lines(row)
    first, second = (encoder.name for encoder in comparison.encoders)
    yield (
        f"{first} and {second}: {_number(comparison.overlap)} of the first ten in common, rank correlation "
        + _number(comparison.correlation)
    )
    if comparison.precision and comparison.ndcg10:
        yield f"{comparison.judged} queries with known right answers; in brackets the 95 % interval"
        for name, values in (("MAP", comparison.precision), ("nDCG@10", comparison.ndcg10)):
            yield f"  {name:<8} {first} {_interval(values[0])}   {second} {_interval(values[1])}"
        gains = f"MAP {_interval(comparison.precision_gain)}, nDCG@10 {_interval(comparison.ndcg10_gain)}"
        yield f"  gain of {second}: {gains}"
    else:
        yield "No right answers are known for these queries, so there are no scores."


def _query_lines(row: ComparedQuery) -> Iterator[str]:
    judged = f", {row.known} right answers known" if row.known else ""
    yield f"{row.query.text}  (in common {_number(row.overlap)}, correlation {_number(row.correlation)}{judged})"
    for side in row.sides:
        if side.problem:
            yield f"  {side.encoder.name}: {side.problem}"
    rows = max(len(side.hits) for side in row.sides)
    for place in range(rows):
        cells = []
        for side in row.sides:
            hit = side.hits[place] if place < len(side.hits) else None
            cells.append(
                f"{hit.score:6.3f} {'*' if hit.relevant else ' '} {hit.scene.title[:36]:<36}" if hit else " " * 45
            )
        yield f"  {place + 1:>2}  {cells[0]}  {cells[1]}".rstrip()
    yield ""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _interval(value: Interval | None) -> str:
    return "-" if value is None else f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"
