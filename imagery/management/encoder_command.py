"""``manage.py encoder``: which models there are, filling one beside the active one, the switch and the way back.

``search`` adds the comparison of two of them and holds the command itself.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from threading import Event
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from imagery.management.encoder_report import check_line, encoder_dict, encoder_lines, fill_line, means_line
from imagery.models import Encoder, EncoderFill
from imagery.selectors_encoders import encoder_fill_of, encoder_rows
from imagery.services import encoders
from imagery.services.fill import (
    encoder_fill,
    encoder_fill_cancel,
    encoder_fill_pause,
    encoder_fill_resume,
    encoder_fill_retry,
    scenes_without_vectors,
)
from imagery.services.fill_run import fill_prepare, fills_drain
from imagery.services.means import encoder_means_compute, encoder_prompts_set
from imagery.services.runtime import encoder_runtime_line, encoder_runtime_prepare
from imagery.services.selftest import encoder_selftest
from imagery.services.switch import encoder_retire, encoder_rollback
from rsportal.errors import RsportalError

_POLL_SECONDS: Final = 1.0
_SAY_SECONDS: Final = 10.0


class EncoderCommand(BaseCommand):
    help = (
        "List, add, fill, compare, activate and retire encoders (the models that turn images and texts into vectors)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.actions = parser.add_subparsers(dest="action", required=True)
        listing = self.actions.add_parser("list", help="show every encoder with its state, vectors and fill")
        listing.add_argument("--json", action="store_true", help="print one JSON object a line")
        self.actions.add_parser("ensure", help="register the built-in encoder; activate it if none is active")
        add = self._named("add", "register a SigLIP/CLIP checkpoint, or a training of the built-in encoder")
        add.add_argument(
            "--source", required=True, help="folder of the checkpoint or training, or hub id (lcybuaa/Git-RSCLIP)"
        )
        add.add_argument("--kind", choices=Encoder.Kind.values, default=Encoder.Kind.TRANSFORMERS)
        add.add_argument("--revision", default="", help="commit, tag or branch of the hub")
        add.add_argument(
            "--precision", choices=["full", "int8"], help="int8: 8-bit weights, behind a gate on recall (default: full)"
        )
        fill = self._named(
            "fill", "encode every scene that lacks its vectors, beside the active encoder", optional=True
        )
        fill.add_argument("--retry", action="store_true", help="also try those again that could not be read")
        fill.add_argument("--wait", action="store_true", help="show the progress until it is done")
        fill.add_argument("--run-here", action="store_true", help="encode in this process instead of a worker")
        self._named("pause", "stop its fill after the batch at hand")
        self._named("resume", "go on with its paused fill")
        self._named("cancel", "give its fill up; the vectors made so far stay")
        activate = self._named("activate", "make it the one that searches and ingests use")
        activate.add_argument("--partial", action="store_true", help="even if scenes lack its vectors; they are filled")
        rollback = self.actions.add_parser("rollback", help="go back to the encoder that the active one replaced")
        rollback.add_argument("--partial", action="store_true", help="even if scenes lack its vectors; they are filled")
        self._named("tune", "measure again what runs it fastest on this machine")
        self._named("means", "compute its means of text and image vectors again")
        prompts = self._named("prompts", "show the sentences that short phrases are put into, or set them")
        prompts.add_argument("prompts", nargs="*", metavar="PROMPT", help='such as "a satellite photo of {}"')
        prompts.add_argument("--none", action="store_true", help="no prompts: phrases are encoded as they are")
        self._named("check", "test that its files and vectors are what they were; exit status 1 if not")
        retire = self._named("retire", "drop its vectors and their index at once")
        retire.add_argument("--yes", action="store_true", help="really do it")

    def _named(self, action: str, help: str, *, optional: bool = False) -> ArgumentParser:
        parser: ArgumentParser = self.actions.add_parser(action, help=help)
        more = ", or nothing for the active one" if optional else ""
        parser.add_argument("name", nargs="?" if optional else None, help=f"the encoder's name{more}")
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"do_{options['action']}")(options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def do_list(self, options: dict[str, Any]) -> None:
        rows = encoder_rows()
        if options["json"]:
            for row in rows:
                self.stdout.write(json.dumps(encoder_dict(row), ensure_ascii=False))
            return
        if not rows:
            self.stdout.write('No encoder is registered. Run "manage.py encoder ensure" for the built-in one.')
        for row in rows:
            self.stdout.write("\n".join(encoder_lines(row)))

    def do_ensure(self, options: dict[str, Any]) -> None:
        encoder = encoders.builtin_encoder_ensure()
        active = encoders.encoder_active()
        self.stdout.write(f"{encoder.name} is registered; {active.name} is active.")
        if missing := scenes_without_vectors(active).count():
            self.stdout.write(f"{missing:,} scenes have none of its vectors yet; a running worker makes them.")

    def do_add(self, options: dict[str, Any]) -> None:
        encoder = encoders.encoder_register(
            name=options["name"],
            kind=options["kind"],
            source=options["source"],
            revision=options["revision"],
            runtime={"form": options["precision"]} if options["precision"] else None,
        )
        self.stdout.write(
            f"{encoder.name} is registered: vectors of {encoder.dimension} numbers, images of {encoder.image_size} px, "
            f"queries in {', '.join(encoder.languages) or 'any language'}.\n"
            f'Next: "manage.py encoder fill {encoder.name}", then "manage.py encoder activate {encoder.name}".'
        )

    def do_fill(self, options: dict[str, Any]) -> None:
        encoder = encoders.encoder_get(options["name"]) if options["name"] else encoders.encoder_active()
        if options["retry"]:
            self.stdout.write(f"{encoder_fill_retry(encoder=encoder):,} scenes are tried again.")
        fill = encoder_fill(encoder=encoder)
        fill_prepare(fill)
        self._say_fill(encoder)
        if options["run_here"]:
            while fills_drain(seconds=_SAY_SECONDS):
                self._say_fill(encoder)
        elif options["wait"]:
            self._wait(encoder)
        else:
            self.stdout.write("A running worker (manage.py run_worker) goes on with it, beside everything else.")

    def _wait(self, encoder: Encoder) -> None:
        """Show the progress until the fill ends; Ctrl-C leaves it to the worker."""
        said = time.monotonic()
        while (fill := encoder_fill_of(encoder)) and fill.state == EncoderFill.State.RUNNING:
            Event().wait(_POLL_SECONDS)
            if time.monotonic() - said >= _SAY_SECONDS:
                said = time.monotonic()
                self._say_fill(encoder)
        self._say_fill(encoder)

    def _say_fill(self, encoder: Encoder) -> None:
        if fill := encoder_fill_of(encoder):
            self.stdout.write(f"{encoder.name}: fill {fill_line(fill)}")
            self.stdout.flush()

    def do_pause(self, options: dict[str, Any]) -> None:
        encoder_fill_pause(encoder=encoders.encoder_get(options["name"]))
        self.stdout.write(f'The fill of {options["name"]} is paused; "manage.py encoder resume" goes on with it.')

    def do_resume(self, options: dict[str, Any]) -> None:
        encoder = encoders.encoder_get(options["name"])
        encoder_fill_resume(encoder=encoder)
        self._say_fill(encoder)

    def do_cancel(self, options: dict[str, Any]) -> None:
        encoder_fill_cancel(encoder=encoders.encoder_get(options["name"]))
        self.stdout.write(f"The fill of {options['name']} is given up; new scenes are no longer encoded with it.")

    def do_activate(self, options: dict[str, Any]) -> None:
        encoder = encoders.encoder_get(options["name"])
        self._switched(lambda: encoders.encoder_activate(encoder=encoder, partial=options["partial"]))

    def do_rollback(self, options: dict[str, Any]) -> None:
        self._switched(lambda: encoder_rollback(partial=options["partial"]))

    def _switched(self, switch: Any) -> None:
        try:
            encoder = switch()
        except RsportalError as error:
            hint = ' ("manage.py encoder fill NAME", or --partial)' if error.code == "incomplete" else ""
            raise CommandError(error.message + hint) from error
        self.stdout.write(f"{encoder.name} is active: every search from now on uses it.")
        if encoder.previous is not None:
            self.stdout.write(f'{encoder.previous.name} is kept current; "manage.py encoder rollback" goes back to it.')
        if missing := scenes_without_vectors(encoder).count():
            self.stdout.write(f"{missing:,} scenes are not found until the worker has encoded them.")

    def do_tune(self, options: dict[str, Any]) -> None:
        encoder = encoders.encoder_get(options["name"])
        encoder_runtime_prepare(encoder=encoder, again=True)
        self.stdout.write(f"{encoder.name}: {encoder_runtime_line(encoder)}")

    def do_means(self, options: dict[str, Any]) -> None:
        encoder = encoder_means_compute(encoder=encoders.encoder_get(options["name"]))
        self.stdout.write(f"{encoder.name}: {means_line(encoder)}")

    def do_prompts(self, options: dict[str, Any]) -> None:
        encoder = encoders.encoder_get(options["name"])
        if options["prompts"] or options["none"]:
            encoder = encoder_prompts_set(encoder=encoder, prompts=[] if options["none"] else options["prompts"])
            self.stdout.write('Searches use them from now on; "manage.py encoder means" takes the text mean anew.')
        for prompt in encoder.prompts:
            self.stdout.write(prompt)
        if not encoder.prompts:
            self.stdout.write("No prompts.")

    def do_check(self, options: dict[str, Any]) -> None:
        checks = encoder_selftest(encoder=encoders.encoder_get(options["name"]))
        for check in checks:
            self.stdout.write(f"{check.tower}: {check_line(check)}")
        if not all(check.ok for check in checks):
            raise CommandError(f"{options['name']} does not give the vectors it gave before.")

    def do_retire(self, options: dict[str, Any]) -> None:
        encoder = encoders.encoder_get(options["name"])
        if not options["yes"]:
            raise CommandError(f"This drops every vector of {encoder.name}. Add --yes to do it.")
        encoder_retire(encoder=encoder)
        self.stdout.write(f"{encoder.name} is retired; its vectors and their index are gone.")
