"""``manage.py evaluate``: how well an encoder finds captioned pictures, and the classes that phrases name."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from imagery.encoders.adapter import fingerprint
from imagery.evaluation.captions import CaptionsFile, captions_read
from imagery.evaluation.phrases import phrases_read
from imagery.evaluation.pictures import Progress
from imagery.evaluation.run import Evaluation, evaluate
from imagery.models import Encoder
from rsportal.errors import RsportalError
from search.evaluated import caption_encoding, encoder_chosen, encoder_model, phrase_encoding

_NAMED: Final = 10
"""As many bad lines or missing pictures are named; the rest is counted."""


class Command(BaseCommand):
    help = (
        "Measure an encoder on captioned pictures: recall at 1, 5 and 10 both ways and their mean (mR), and with "
        "--queries how well short phrases find their classes, by language. Changes nothing. docs/evaluation.md "
        "explains the figures and the files."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="folder of the pictures")
        parser.add_argument("--captions", type=Path, required=True, metavar="FILE", help="captions as JSON Lines")
        parser.add_argument("--queries", type=Path, metavar="FILE", help="judged phrases as JSON Lines")
        parser.add_argument("--encoder", metavar="ID", help="name, number or folder of an encoder (default: active)")
        parser.add_argument("--split", metavar="NAME", help="only pictures of this split (default: all of the file)")
        parser.add_argument(
            "--multi-positive",
            action="store_true",
            help="a caption that several pictures have counts as right for all of them",
        )
        parser.add_argument("--limit", type=int, metavar="N", help="only the first N pictures")
        parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["limit"] is not None and options["limit"] < 1:
            raise CommandError(f"--limit is {options['limit']}; it must be at least 1.")
        try:
            self._handle(options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _handle(self, options: dict[str, Any]) -> None:
        captions = captions_read(options["captions"], split=options["split"])
        phrases, bad_phrases = phrases_read(options["queries"]) if options["queries"] else ([], [])
        self._say_splits(captions, options["split"])
        self._name(f"{captions.path}, line", [(bad.number, bad.reason) for bad in captions.bad])
        self._name(f"{options['queries']}, line", [(bad.number, bad.reason) for bad in bad_phrases])
        encoder, remark = encoder_chosen(options["encoder"])
        if remark:
            self.stderr.write(remark)
        found = evaluate(
            model=encoder_model(encoder),
            encode_captions=caption_encoding(encoder),
            encode_phrases=phrase_encoding(encoder),
            folder=options["images"],
            pictures=captions.pictures[: options["limit"]],
            phrases=phrases,
            multi_positive=options["multi_positive"],
            progress=Progress(stderr=self.stderr),
        )
        self._name("left out:", found.pictures.refused)
        self._name("caption left out:", [("", reason) for reason in set(found.captions.refused.values())])
        self._name("phrase left out:", [("", reason) for reason in set(found.phrases_refused.values())])
        if found.unclassed and phrases:
            self.stderr.write(f"{found.unclassed:,} pictures without a class count neither as right nor as wrong.")
        if options["json"]:
            bad = {"bad_lines": len(captions.bad) + len(bad_phrases)}
            self.stdout.write(json.dumps({**found.as_json(), **bad, "encoder": _encoder_json(encoder)}))
        else:
            self._print(encoder, found)

    def _say_splits(self, captions: CaptionsFile, split: str | None) -> None:
        named = {name: count for name, count in captions.splits.items() if name is not None}
        if split is None and named:
            counts = ", ".join(f"{name} ({count:,})" for name, count in sorted(named.items()))
            choice = "all of them are used; --split NAME takes one" if len(named) > 1 else "all of it is used"
            self.stderr.write(f"Splits in the file: {counts}; {choice}.")

    def _name(self, what: str, things: Iterable[tuple[int | str, str]]) -> None:
        rows = list(things)
        for name, reason in rows[:_NAMED]:
            self.stderr.write(" ".join(part for part in (what, str(name)) if part) + f": {reason}")
        if len(rows) > _NAMED:
            self.stderr.write(f"{what} ... and {len(rows) - _NAMED:,} more")

    def _print(self, encoder: Encoder, found: Evaluation) -> None:
        adapter = f", adapter {fingerprint(encoder.adapter)}" if encoder.adapter else ""
        self.stdout.write(f"{encoder.name} ({encoder.kind}, {encoder.source}{adapter})")
        for line in found.lines():
            self.stdout.write(line)


def _encoder_json(encoder: Encoder) -> dict[str, Any]:
    return {
        "name": encoder.name,
        "kind": encoder.kind,
        "source": encoder.source,
        "revision": encoder.resolved_revision or encoder.revision,
        "checksum": encoder.checksum,
        "dimension": encoder.dimension,
        "image_size": encoder.image_size,
        "languages": encoder.languages,
        "adapter": fingerprint(encoder.adapter) or None,
    }
