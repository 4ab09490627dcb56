"""``manage.py second_look``: fetch the matching model if that is allowed, check it, and tell what it costs here."""

import time
from argparse import ArgumentParser
from typing import Any, Final

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from PIL import Image

from imagery.encoders.cross_encoder import CrossEncoder
from imagery.encoders.cross_encoder_files import checkpoint_folder
from imagery.encoders.runtime.memory import resident_bytes
from rsportal.errors import RsportalError
from search.second_look import cross_encoder, cross_encoder_spec

_PICTURES: Final = 4
_SEED: Final = 20240607
_TEXT: Final = "a satellite image of a harbour with boats"
_MB: Final = 1e6


class Command(BaseCommand):
    """Exits with 1 when no model is configured, or it cannot be used."""

    help = (
        "Fetch the model that RSPORTAL_CROSS_ENCODER names (only with RSPORTAL_HF_OFFLINE=0), load it, and print its "
        "checksum, what computes it, how long a picture takes and the memory of the process."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--text", default=_TEXT, help="words to match the pictures of noise with")

    def handle(self, *args: Any, **options: Any) -> None:
        spec, model = cross_encoder_spec(), cross_encoder()
        if spec is None or model is None:
            raise CommandError("No model is configured: set RSPORTAL_CROSS_ENCODER to its folder or hub id.")
        try:
            checkpoint_folder(spec, fetch=True)
            self.stdout.write(f"{spec.source}: checksum {model.checksum()}")
            self._measure(model, options["text"])
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _measure(self, model: CrossEncoder, text: str) -> None:
        before = resident_bytes()
        begun = time.perf_counter()
        model.load()
        loaded = time.perf_counter()
        random = np.random.default_rng(_SEED)
        side = model.facts.image_size
        pictures = [Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)) for _ in range(_PICTURES)]
        model.log_odds(pictures[:1], text)
        warm = time.perf_counter()
        model.log_odds(pictures, text)
        each = (time.perf_counter() - warm) / _PICTURES
        self.stdout.write(
            f"pictures of {side} px on {model.device} in {model.dtype}: {1_000 * each:,.0f} ms a picture, loaded in "
            f"{loaded - begun:.1f} s, {(resident_bytes() - before) / _MB:,.0f} MB more memory"
        )
