"""``manage.py adapt``: learn, from an archive's captions, to read queries a little better."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from imagery.evaluation.adapting import Learned, adapter_learn
from imagery.evaluation.captions import captions_read
from imagery.evaluation.pictures import Progress
from imagery.models import Collection, Encoder
from imagery.services.adapters import adapter_remove, adapter_store
from imagery.services.captioned import captioned_vectors
from rsportal.errors import RsportalError
from search.evaluated import encoder_chosen

_NAMED: Final = 10


class Command(BaseCommand):
    help = (
        "Learn a linear adapter for an encoder: a correction of its text vectors towards the captions of your own "
        "pictures. Half of the pictures judges what the other half taught, and the adapter is kept only if the gain "
        "is beyond chance. Stored vectors stay as they are; --remove takes the adapter away again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--captions", type=Path, metavar="FILE", help="captions as JSON Lines")
        parser.add_argument(
            "--images",
            type=Path,
            metavar="DIR",
            help="folder of the pictures; without it, scenes of the archive are found by their file names",
        )
        parser.add_argument("--collection", metavar="SLUG", help="without --images: scenes of this collection only")
        parser.add_argument("--encoder", metavar="ID", help="name or number of an encoder (default: the active one)")
        parser.add_argument("--split", metavar="NAME", help="only pictures of this split (default: all of the file)")
        parser.add_argument("--dry-run", action="store_true", help="measure, but change nothing")
        parser.add_argument("--remove", action="store_true", help="take the encoder's adapter away")
        parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["captions"]) == options["remove"]:
            raise CommandError("Give either --captions FILE, to learn from, or --remove.")
        try:
            encoder, _remark = encoder_chosen(options["encoder"])
            if encoder.pk is None:
                raise CommandError(
                    'An adapter is kept with a registered encoder. Register it first: "manage.py encoder ensure" for '
                    'the built-in one, "manage.py encoder add" for another.'
                )
            if options["remove"]:
                self._remove(encoder, options)
            else:
                self._learn(encoder, options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _remove(self, encoder: Encoder, options: dict[str, Any]) -> None:
        had = adapter_remove(encoder=encoder)
        if options["json"]:
            self.stdout.write(json.dumps({"encoder": encoder.name, "removed": had}))
        elif had:
            self.stdout.write(f"The adapter of {encoder.name} is removed; queries are read as before.")
        else:
            self.stdout.write(f"{encoder.name} has no adapter; nothing is changed.")

    def _learn(self, encoder: Encoder, options: dict[str, Any]) -> None:
        captions = captions_read(options["captions"], split=options["split"])
        self._name([(f"{captions.path}, line {bad.number}", bad.reason) for bad in captions.bad])
        collection = self._collection(options)
        vectors = captioned_vectors(
            encoder=encoder,
            pictures=captions.pictures,
            folder=options["images"],
            collection=collection,
            progress=Progress(stderr=self.stderr),
        )
        self._name([(f"left out: {name}", reason) for name, reason in vectors.left_out])
        if vectors.unread:
            self.stderr.write(f"{vectors.unread:,} captions are in a language that {encoder.name} does not read.")
        learned = adapter_learn(vectors.pairs)
        kept = learned.helps and not options["dry_run"]
        if kept:
            named = captions.path.name + (f", split {options['split']}" if options["split"] else "")
            adapter_store(encoder=encoder, learned=learned, trained_on=named)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(encoder, learned, kept)))
        else:
            self._print(encoder, learned, kept, options["dry_run"])

    def _collection(self, options: dict[str, Any]) -> Collection | None:
        slug = options["collection"]
        if slug is None:
            return None
        if options["images"]:
            raise CommandError("Give --images or --collection, not both.")
        collection = Collection.objects.filter(slug=slug).first()
        if collection is None:
            raise CommandError(f"There is no collection {slug!r}.")
        return collection

    def _name(self, things: list[tuple[str, str]]) -> None:
        for name, reason in things[:_NAMED]:
            self.stderr.write(f"{name}: {reason}")
        if len(things) > _NAMED:
            self.stderr.write(f"... and {len(things) - _NAMED:,} more")

    def _print(self, encoder: Encoder, learned: Learned, kept: bool, dry_run: bool) -> None:
        gain = learned.gain
        self.stdout.write(
            f"{encoder.name}: mR {learned.before:.2f} without, {learned.after:.2f} with the adapter, on pictures it "
            f"was not learned from;\ngain {gain.mean:+.2f} (95 % of resamples: {gain.low:+.2f} to {gain.high:+.2f}), "
            f"{learned.pictures:,} pictures, {learned.captions:,} captions."
        )
        if kept:
            self.stdout.write(
                "It is kept: queries are read with it from now on, and stored vectors stay as they are. Take it away "
                'with "manage.py adapt --remove".'
            )
        elif learned.helps and dry_run:
            self.stdout.write("It would be kept; --dry-run changes nothing.")
        else:
            self.stdout.write("That could be chance, so nothing is changed. More captioned pictures may help.")


def _as_json(encoder: Encoder, learned: Learned, kept: bool) -> dict[str, Any]:
    return {
        "encoder": encoder.name,
        "kept": kept,
        "mr_before": round(learned.before, 3),
        "mr_after": round(learned.after, 3),
        "gain": round(learned.gain.mean, 3),
        "gain_interval": [round(learned.gain.low, 3), round(learned.gain.high, 3)],
        "share": learned.recipe.share,
        "pull": learned.recipe.pull,
        "pictures": learned.pictures,
        "captions": learned.captions,
        "checksum": encoder.adapter.get("checksum") if encoder.adapter else None,
    }
