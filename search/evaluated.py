"""Which encoder an evaluation is of, and how it reads texts: as a search does."""

from collections.abc import Callable, Sequence

import numpy as np
from django.db import DatabaseError
from numpy.typing import NDArray

from imagery.encoders import registry
from imagery.encoders.base import EncoderKind, EncoderSpec, ImageTextEncoder
from imagery.encoders.builtin.files import NAME as BUILTIN_NAME
from imagery.encoders.prompts import default_prompts
from imagery.encoders.texts import text_vector
from imagery.models import Encoder
from imagery.services.adapters import adapted_texts_encode, texts_adapt
from imagery.services.encoders import encoder_instance
from imagery.services.selftest import encoder_ready
from rsportal.errors import InvalidInput
from search.encode_query import query_text_normalise
from search.translation import search_words

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
        reason = str(error).splitlines()[0]
        return _shipped(), f"The database cannot be read ({reason}): the shipped weights are measured as they are."
    if row is None:
        have = ", ".join(Encoder.objects.values_list("name", flat=True)) or "none"
        raise InvalidInput(f"There is no encoder {name!r}. Registered: {have}.", field="encoder")
    return row, ""


def encoder_model(encoder: Encoder) -> ImageTextEncoder:
    """The encoder's model; of a stored row, only if it still gives the vectors it gave at first. Raises Unavailable."""
    return encoder_ready(encoder=encoder, text=True, image=True) if encoder.pk else encoder_instance(encoder)


def caption_encoding(encoder: Encoder) -> TextEncoding:
    """Whole captions, as the papers encode them: the text as it is; and the encoder's adapter."""
    return lambda texts: adapted_texts_encode(encoder=encoder, texts=texts)


def phrase_encoding(encoder: Encoder) -> TextEncoding:
    """Short phrases, as a search encodes them: translated if need be, in the encoder's prompts, with its adapter."""
    model = encoder_instance(encoder)

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        words = [search_words(text=query_text_normalise(text), encoder=encoder).text for text in texts]
        rows = np.stack([text_vector(model, text, prompts=encoder.prompts).vector for text in words])
        return texts_adapt(encoder=encoder, vectors=rows)

    return encode


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
        prompts=default_prompts(kind=Encoder.Kind.BUILTIN, languages=facts.languages),
    )
