"""``manage.py replay_log``: what another ranker would have been worth on the searches that people made."""

import json
import math
from argparse import ArgumentParser
from datetime import UTC, datetime, time
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date

from imagery.models import Encoder
from imagery.services.encoders import encoder_active
from rsportal.errors import RsportalError
from search.engine import ranker_of
from search.exploration.replay import CLIP, MIN_PEOPLE, Estimated
from search.exploration.replay_log import MOST, LogReplay, Way, log_replay
from search.exploration.shown import ranker_changed

_SMALL_SEARCHES: Final = 100
_SMALL_PEOPLE: Final = 10


class Command(BaseCommand):
    help = (
        "Ask the searches of the log again with another ranker, and estimate from what people opened, liked or "
        "downloaded whether they would have found more with it: clipped and self-normalised inverse propensity "
        "scoring, and an imagined interleaving with the present ranker, with 95 % intervals (people drawn anew). "
        "People who teach only themselves, and excluded ones, are left out. Shows nobody anything and changes nothing "
        "but caches of texts. docs/experiments.md explains the figures."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--ranker",
            metavar="JSON",
            help='stage settings in place of the encoder\'s own, as on its page of ranking stages: {"diffuse": {"on": '
            "false}}",
        )
        parser.add_argument(
            "--encoder", metavar="NAME", help="another encoder that has vectors (default: the active one)"
        )
        parser.add_argument("--since", metavar="DATE", help="only searches since this day, such as 2026-05-31 (UTC)")
        parser.add_argument(
            "--most",
            type=int,
            default=MOST,
            metavar="N",
            help="the N latest searches in which something was opened (default: %(default)s)",
        )
        parser.add_argument(
            "--clip", type=float, default=CLIP, metavar="W", help="largest weight of a deed (default: %(default)g)"
        )
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object, intervals as [value, low, high]"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["most"] < 1:
            raise CommandError(f"--most is {options['most']}; it must be at least 1.")
        if not 1 <= options["clip"] < math.inf:
            raise CommandError(f"--clip is {options['clip']:g}; it must be at least 1.")
        try:
            active = encoder_active()
            current, tried = Way(active, ranker_of(active)), _tried(active, options["ranker"], options["encoder"])
            since = _since(options["since"])
            found = log_replay(current=current, tried=tried, since=since, most=options["most"], clip=options["clip"])
        except RsportalError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(_document(found, current, tried, options["clip"])))
            return
        for line in _lines(found, current, tried, options["clip"]):
            self.stdout.write(line)


def _tried(active: Encoder, ranker: str | None, name: str | None) -> Way:
    if ranker is None and name is None:
        raise CommandError("Say what to try: --ranker JSON, --encoder NAME, or both.")
    encoder = active if name is None else Encoder.objects.filter(name=name).first()
    if encoder is None:
        raise CommandError(f"There is no encoder {name!r}. manage.py encoder list shows them.")
    if ranker is None:
        return Way(encoder, ranker_of(encoder))
    try:
        settings = json.loads(ranker)
    except ValueError as error:
        raise CommandError(f"--ranker is no JSON: {error}.") from error
    return Way(encoder, ranker_changed(encoder, settings))


def _since(text: str | None) -> datetime:
    if text is None:
        return datetime.min.replace(tzinfo=UTC)
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise CommandError(f"--since is {text!r}; write a day such as {timezone.now().date()}.")
    return datetime.combine(day, time.min, tzinfo=UTC)


def _remark(found: LogReplay) -> str:
    """Return what is to be said of how far the figures carry; "" if nothing."""
    result = found.result
    if not result.replayed:
        return "There is nothing to replay: no search that may be used has a hit that was opened, liked or downloaded."
    if result.replayed >= _SMALL_SEARCHES and result.people >= _SMALL_PEOPLE:
        return ""
    none = "" if result.people >= MIN_PEOPLE else f", and no intervals with fewer than {MIN_PEOPLE} people"
    return (
        f"The log is small ({result.replayed} searches with deeds by {result.people} people; {_SMALL_SEARCHES} and "
        f"{_SMALL_PEOPLE} are the least to go by{none}): take this for a hint, not for a finding."
    )


def _lines(found: LogReplay, current: Way, tried: Way, clip: float) -> list[str]:
    result = found.result
    lines = []
    if result.replayed:
        lines += [
            f"{result.replayed:,} of {result.searches:,} searches, with {result.deeds:,} deeds of {result.people:,} "
            f"people, since {found.since:%Y-%m-%d}; propensities "
            + ("estimated" if found.estimated else "assumed (manage.py estimate_propensities)")
            + f", weights up to {clip:g} ({result.clipped:.0%} of the deeds cut)",
            f"current: {_name(current)}; tried: {_name(tried)}",
            f"{'':<34} {'opened a search (IPS)':>26}  {'looked at, 0 to 1 (SNIPS)':>26}",
        ]
        for name, said in (
            ("logged", "as it was shown"),
            ("current", "current ranker"),
            ("tried", "tried ranker"),
            ("gain", "tried less current"),
        ):
            lines.append(f"{said:<34} {_told(result.ips[name]):>26}  {_told(result.snips[name]):>26}")
        lines.append(f"{'interleaving (-1 current, 1 tried)':<34} {_told(result.interleaving):>26}")
    lines += [f"left out, {count}: {reason}" for reason, count in found.skipped.most_common()]
    remark = _remark(found)
    return [*lines, remark] if remark else lines


def _told(each: Estimated) -> str:
    if math.isnan(each.value):
        return "–"
    return f"{each.value:.3f}" + ("" if math.isnan(each.low) else f" [{each.low:.3f}, {each.high:.3f}]")


def _name(way: Way) -> str:
    return f"{way.encoder.name} {way.ranker.version}"


def _document(found: LogReplay, current: Way, tried: Way, clip: float) -> dict[str, Any]:
    result = found.result
    return {
        "current": _name(current),
        "tried": _name(tried),
        "since": found.since.isoformat() if found.since else None,
        "searches": result.searches,
        "replayed": result.replayed,
        "people": result.people,
        "deeds": result.deeds,
        "clip": clip,
        "clipped": round(result.clipped, 4),
        "propensities": "estimated" if found.estimated else "assumed",
        "ips": {name: _interval(each) for name, each in result.ips.items()},
        "snips": {name: _interval(each) for name, each in result.snips.items()},
        "interleaving": _interval(result.interleaving),
        "skipped": dict(found.skipped),
        "remark": _remark(found),
    }


def _interval(each: Estimated) -> list[float | None]:
    return [None if math.isnan(number) else round(number, 5) for number in (each.value, each.low, each.high)]
