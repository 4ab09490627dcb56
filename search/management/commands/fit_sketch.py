"""``manage.py fit_sketch``: teach an encoder to read sketches, from the archive's own pictures."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from imagery.evaluation.pictures import Progress
from imagery.evaluation.sketching import Learned
from imagery.models import Encoder
from imagery.services.sketch_fit import SAMPLE, SketchFit, sketch_bridge_fit
from imagery.services.sketches import bridge_facts, bridge_remove, bridge_store
from rsportal.errors import RsportalError
from search.evaluated import encoder_chosen

_NAMED: Final = 10


class Command(BaseCommand):
    help = (
        "Learn a sketch bridge for an encoder: where the pictures lie whose edge maps look like a drawing. Scenes of "
        "the archive are drawn as edge maps and encoded; their stored vectors stay as they are. Half of the scenes "
        "judges what the other half taught, and the bridge is kept only if the gain is beyond chance; --remove takes "
        "it away again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--images", type=Path, metavar="DIR", help="learn from the pictures of a folder instead of the archive's"
        )
        parser.add_argument(
            "--sample", type=int, default=SAMPLE, metavar="N", help="learn from N pictures (default: %(default)s)"
        )
        parser.add_argument("--encoder", metavar="ID", help="name or number of an encoder (default: the active one)")
        parser.add_argument("--dry-run", action="store_true", help="measure, but change nothing")
        parser.add_argument("--remove", action="store_true", help="take the encoder's own bridge away")
        parser.add_argument("--json", action="store_true", help="print the outcome as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            encoder, _remark = encoder_chosen(options["encoder"])
            if encoder.pk is None:
                raise CommandError(
                    'A sketch bridge is kept with a registered encoder. Register it first: "manage.py encoder ensure" '
                    'for the built-in one, "manage.py encoder add" for another.'
                )
            if options["remove"]:
                self._remove(encoder, options)
                return
            progress = Progress(stderr=self.stderr)
            fit = sketch_bridge_fit(
                encoder=encoder, folder=options["images"], sample=options["sample"], progress=progress
            )
            self._name(fit)
            kept = fit.learned.helps and not options["dry_run"]
            if kept:
                source = options["images"].name if options["images"] else "the archive"
                bridge_store(encoder=encoder, learned=fit.learned, learned_from=source)
        except RsportalError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(encoder, fit.learned, kept)))
        else:
            self._print(encoder, fit.learned, kept)

    def _remove(self, encoder: Encoder, options: dict[str, Any]) -> None:
        had = bridge_remove(encoder=encoder)
        if options["json"]:
            self.stdout.write(json.dumps({"encoder": encoder.name, "removed": had}))
            return
        left = "the one that is shipped with it reads sketches" if bridge_facts(encoder) else "it has none now"
        told = f"The sketch bridge of {encoder.name} is removed" if had else f"{encoder.name} had none of its own"
        self.stdout.write(f"{told}; {left}.")

    def _name(self, fit: SketchFit) -> None:
        for name, reason in fit.left_out[:_NAMED]:
            self.stderr.write(f"left out: {name}: {reason}")
        if len(fit.left_out) > _NAMED:
            self.stderr.write(f"... and {len(fit.left_out) - _NAMED:,} more")

    def _print(self, encoder: Encoder, learned: Learned, kept: bool) -> None:
        gain, before, after = learned.gain, learned.before[-1], learned.after[-1]
        self.stdout.write(
            f"{encoder.name}: of 100 edge maps {before:.1f} find their picture among the first 10 of {learned.among:,} "
            f"without it, {after:.1f} with\nit, on scenes it was not learned from; gain {gain.mean:+.1f} (95 % of "
            f"resamples: {gain.low:+.1f} to {gain.high:+.1f}), {learned.pictures:,} pictures."
        )
        if kept:
            self.stdout.write(
                'It is kept: sketches are read with it from now on. Take it away with "manage.py fit_sketch --remove".'
            )
        elif learned.helps:
            self.stdout.write("It would be kept; --dry-run changes nothing.")
        else:
            self.stdout.write("That could be chance, so nothing is changed. More pictures may help.")


def _as_json(encoder: Encoder, learned: Learned, kept: bool) -> dict[str, Any]:
    return {
        "encoder": encoder.name,
        "kept": kept,
        "recall_before": [round(value, 2) for value in learned.before],
        "recall_after": [round(value, 2) for value in learned.after],
        "gain": round(learned.gain.mean, 2),
        "gain_interval": [round(learned.gain.low, 2), round(learned.gain.high, 2)],
        "pictures": learned.pictures,
        "among": learned.among,
        "strength": learned.strength,
        "checksum": bridge_facts(encoder).get("checksum"),
    }
