"""``manage.py encoder``: which models there are, and which one searches and ingests use."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from imagery.models import Embedding, Encoder, Scene
from imagery.services import encoders
from imagery.services.refill import builtin_encoder_ensure_filled, encoder_fill, scenes_without_vectors
from rsportal.errors import RsportalError


class Command(BaseCommand):
    help = "List, add and activate encoders (the models that turn images and texts into vectors)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="show every encoder with its state and number of vectors")
        actions.add_parser("ensure", help="register the built-in encoder; activate it if none is active")
        add = actions.add_parser("add", help="register a SigLIP/CLIP checkpoint, or a training of the built-in encoder")
        add.add_argument("name", help="a short name of your choice, such as git-rsclip")
        add.add_argument(
            "--source", required=True, help="folder of the checkpoint or training, or hub id (lcybuaa/Git-RSCLIP)"
        )
        add.add_argument("--kind", choices=Encoder.Kind.values, default=Encoder.Kind.TRANSFORMERS)
        add.add_argument("--revision", default="", help="commit, tag or branch of the hub")
        activate = actions.add_parser("activate", help="make an encoder the one that searches and ingests use")
        activate.add_argument("name")
        activate.add_argument("--no-fill", action="store_true", help="do not queue scenes for encoding with it")
        actions.add_parser("fill", help="queue every scene that has no vectors of the active encoder")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _list(self, options: dict[str, Any]) -> None:
        rows = list(_with_vector_counts())
        if not rows:
            self.stdout.write('No encoder is registered. Run "manage.py encoder ensure" for the built-in one.')
        for row in rows:
            self.stdout.write(
                f"{row.name:<24} {row.state:<8} {row.kind:<12} {row.dimension:>5} numbers  {row.image_size:>4} px  "
                f"{', '.join(row.languages) or '-':<8} {row.vectors:>9,} vectors  {row.source}"
            )

    def _ensure(self, options: dict[str, Any]) -> None:
        encoder, queued = builtin_encoder_ensure_filled()
        self.stdout.write(f"{encoder.name} is registered; {encoders.encoder_active().name} is active.")
        if queued:
            self._say_queued(queued)

    def _add(self, options: dict[str, Any]) -> None:
        encoder = encoders.encoder_register(
            name=options["name"], kind=options["kind"], source=options["source"], revision=options["revision"]
        )
        self.stdout.write(
            f"{encoder.name} is registered: vectors of {encoder.dimension} numbers, images of {encoder.image_size} px, "
            f"queries in {', '.join(encoder.languages) or 'any language'}.\n"
            f'Make it the one in use with "manage.py encoder activate {encoder.name}".'
        )

    def _activate(self, options: dict[str, Any]) -> None:
        encoder = Encoder.objects.filter(name=options["name"]).first()
        if encoder is None:
            raise CommandError(f'There is no encoder {options["name"]!r}. "manage.py encoder list" shows them.')
        encoder = encoders.encoder_activate(encoder=encoder)
        scenes = Scene.objects.ready().count()
        missing = scenes_without_vectors(encoder).count()
        self.stdout.write(f"{encoder.name} is active; {scenes - missing:,} of {scenes:,} scenes have its vectors.")
        if missing and not options["no_fill"]:
            self._fill(options)
        elif missing:
            self.stderr.write(f"The other {missing:,} are not found until they are encoded (manage.py encoder fill).")

    def _fill(self, options: dict[str, Any]) -> None:
        self._say_queued(encoder_fill())

    def _say_queued(self, queued: int) -> None:
        self.stdout.write(
            f"{queued:,} scenes are queued for encoding. A running worker (manage.py run_worker) encodes them; each is "
            "found as soon as it is done."
        )


def _with_vector_counts() -> QuerySet[Any]:
    """Return all encoders with ``vectors``, the number of rows in their partition."""
    counted = (
        Embedding.objects.filter(encoder=OuterRef("pk"))
        .order_by()
        .values("encoder")
        .annotate(number=Count("tile_id"))
        .values("number")
    )
    return Encoder.objects.annotate(vectors=Coalesce(Subquery(counted), 0)).order_by("name")
