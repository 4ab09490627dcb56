"""The encoder that a student is to learn from, by the name people call it."""

from pathlib import Path

from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.builtin.files import NAME as BUILTIN_NAME
from imagery.encoders.runtime.plan import REFERENCE, Plan
from imagery.models import Encoder
from imagery.services.encoder_files import encoder_spec
from imagery.services.runtime import encoder_runtime_plan
from rsportal.errors import InvalidInput


def teacher_find(*, name: str) -> tuple[EncoderSpec, Plan]:
    """Return what names the files of a registered encoder (its name or number) or of a folder (its path), and its plan.

    A registered encoder is run as for searches and ingests, the files of a folder by the reference. A folder with a
    ``config.json`` is a checkpoint of transformers, any other a training of the built-in encoder. "builtin" is the
    shipped encoder even before it is registered. Raises InvalidInput (field ``teacher``).
    """
    if "/" in name or name.startswith((".", "~")):
        folder = Path(name).expanduser().resolve()
        if not folder.is_dir():
            raise InvalidInput(
                f"--teacher {name}: there is no such folder. To learn from a hub's checkpoint, register it first.",
                field="teacher",
            )
        checkpoint = (folder / "config.json").is_file()
        kind = EncoderKind.TRANSFORMERS if checkpoint else EncoderKind.BUILTIN
        return EncoderSpec(kind, str(folder)), REFERENCE
    encoder = Encoder.objects.filter(name=name).first()
    if encoder is None and name.isdecimal():
        encoder = Encoder.objects.filter(pk=int(name)).first()
    if encoder is not None:
        return encoder_spec(encoder), encoder_runtime_plan(encoder)
    if name == BUILTIN_NAME:
        return EncoderSpec(EncoderKind.BUILTIN, BUILTIN_NAME), REFERENCE
    names = ", ".join(Encoder.objects.order_by("name").values_list("name", flat=True)) or "none"
    raise InvalidInput(
        f"--teacher {name}: no encoder of this name or number is registered (there are: {names}). Register it "
        "first, or give the path of its folder.",
        field="teacher",
    )
