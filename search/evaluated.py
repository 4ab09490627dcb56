"""Which encoder an evaluation is of, and how it reads texts: as a search does."""

from collections.abc import Callable, Sequence

import numpy as np
from django.db import DatabaseError
from numpy.typing import NDArray

from imagery.encoders import adapter, registry
from imagery.encoders.base import EncoderKind, EncoderSpec
from imagery.encoders.builtin.files import NAME as BUILTIN_NAME
from imagery.models import Encoder
from imagery.services.encoders import encoder_instance
from rsportal.errors import InvalidInput

TextEncoding = Callable[[Sequence[str]], NDArray[np.float32]]


def encoder_chosen(name: str | None) -> tuple[Encoder, str]:
    """The encoder of this name or number (None: the active one), and a remark for the operator, perhaps empty.

    "builtin" needs no row, nor a database: the shipped weights are then measured as they are. Raises InvalidInput
    (field ``encoder``) if there is none.
    """
    try:
        if name is None:
            if active := Encoder.objects.filter(state=Encoder.State.ACTIVE).first():
                return active, ""
            return _shipped(), "No encoder is active, so the built-in one is measured."
        row = Encoder.objects.filter(name=name).first()
        if row is None and name.isdecimal() and len(name) < 10:
            row = Encoder.objects.filter(pk=int(name)).first()
        if row is None and name == BUILTIN_NAME:
            return _shipped(), ""
    except DatabaseError as error:
        if name != BUILTIN_NAME:
            raise InvalidInput(
                f"The encoders cannot be looked up ({str(error).splitlines()[0]}): start the database and run "
                '"manage.py migrate", or measure --encoder builtin, which needs none.',
                field="encoder",
            ) from error
        return _shipped(), "The database cannot be read, so the shipped weights are measured without an adapter."
    if row is None:
        have = ", ".join(Encoder.objects.values_list("name", flat=True)) or "none"
        raise InvalidInput(f"There is no encoder {name!r}. Registered: {have}.", field="encoder")
    return row, ""


def caption_encoding(encoder: Encoder) -> TextEncoding:
    """Whole captions: the text as it is, and the encoder's adapter."""
    model = encoder_instance(encoder)
    return lambda texts: adapter.apply(model.encode_texts(texts), encoder.adapter)


def phrase_encoding(encoder: Encoder) -> TextEncoding:
    """Short phrases, as a search encodes them."""
    return caption_encoding(encoder)


def _shipped() -> Encoder:
    """A row for the shipped weights that is not stored."""
    spec = EncoderSpec(kind=EncoderKind.BUILTIN, source=BUILTIN_NAME)
    facts = registry.describe(spec)
    return Encoder(
        name=BUILTIN_NAME,
        kind=Encoder.Kind.BUILTIN,
        source=BUILTIN_NAME,
        checksum=registry.checksum(spec),
        dimension=facts.dimension,
        image_size=facts.image_size,
        languages=list(facts.languages),
    )
