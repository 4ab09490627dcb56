"""The encoder that a student is to learn from, by the name people call it."""

from pathlib import Path

from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.builtin.files import NAME as BUILTIN_NAME
from imagery.models import Encoder
from imagery.services.encoders import encoder_spec
from rsportal.errors import InvalidInput


def teacher_spec(*, name: str) -> EncoderSpec:
    """Return what names the files of a registered encoder (its name or number), or of a folder (its path).

    A folder with a ``config.json`` is a checkpoint of transformers, any other a training of the built-in encoder.
    "builtin" is the shipped encoder even before it is registered. Raises InvalidInput (field ``teacher``).
    """
    if "/" in name or name.startswith((".", "~")):
        folder = Path(name).expanduser().resolve()
        if not folder.is_dir():
            raise InvalidInput(f"--teacher {name}: there is no such folder.", field="teacher")
        checkpoint = (folder / "config.json").is_file()
        return EncoderSpec(EncoderKind.TRANSFORMERS if checkpoint else EncoderKind.BUILTIN, str(folder))
    encoder = Encoder.objects.filter(name=name).first()
    if encoder is None and name.isdecimal():
        encoder = Encoder.objects.filter(pk=int(name)).first()
    if encoder is not None:
        return encoder_spec(encoder)
    if name == BUILTIN_NAME:
        return EncoderSpec(EncoderKind.BUILTIN, BUILTIN_NAME)
    names = ", ".join(Encoder.objects.order_by("name").values_list("name", flat=True)) or "none"
    raise InvalidInput(
        f"--teacher {name}: no encoder of this name or number is registered (there are: {names}). Register it "
        "first, or give the path of its folder.",
        field="teacher",
    )
