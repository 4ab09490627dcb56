"""Which encoder an evaluation is of, and how it reads texts: as a search does."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from django.db import DatabaseError
from numpy.typing import NDArray

from imagery.encoders import registry
from imagery.encoders.base import EncoderKind, EncoderSpec, ImageTextEncoder
from imagery.encoders.builtin.files import NAME as BUILTIN_NAME
from imagery.encoders.prompts import default_prompts
from imagery.encoders.runtime.plan import Form
from imagery.encoders.texts import text_vector
from imagery.models import Encoder
from imagery.services.adapters import adapted_texts_encode, texts_adapt
from imagery.services.encoders import encoder_instance
from imagery.services.runtime import encoder_runtime_prepare
from imagery.services.selftest import encoder_ready
from rsportal.errors import InvalidInput
from search.encode_query import query_text_normalise
from search.translation import search_words

_SHIPPED: Final = EncoderSpec(kind=EncoderKind.BUILTIN, source=BUILTIN_NAME)

TextEncoding = Callable[[Sequence[str]], NDArray[np.float32]]


def encoder_chosen(name: str | None) -> tuple[Encoder, str]:
    """The encoder of this name, number or folder (None: the active one), and a remark for the operator, perhaps empty.

    A folder (a checkpoint, or a training of the built-in encoder) and "builtin" need no row: the row returned is then
    not stored. "builtin" does not even need a database. Raises InvalidInput (field ``encoder``) if there is none, and
    EncoderUnavailable if its files are missing.
    """
    if name is not None and ("/" in name or name.startswith((".", "~"))):
        return _of_folder(name), ""
    try:
        if name is None:
            if active := Encoder.objects.filter(state=Encoder.State.ACTIVE).first():
                return active, ""
            return _unstored(_SHIPPED), "No encoder is active, so the built-in one is measured."
        row = Encoder.objects.filter(name=name).first()
        if row is None and name.isdecimal() and len(name) < 10:
            row = Encoder.objects.filter(pk=int(name)).first()
        if row is None and name == BUILTIN_NAME:
            return _unstored(_SHIPPED), ""
    except DatabaseError as error:
        reason = str(error).splitlines()[0]
        if name != BUILTIN_NAME:
            raise InvalidInput(
                f"The encoders cannot be looked up ({reason}): start the database and run "
                '"manage.py migrate", or measure --encoder builtin, which needs none.',
                field="encoder",
            ) from error
        remark = f"The database cannot be read ({reason}): the shipped weights are measured as they are."
        return _unstored(_SHIPPED), remark
    if row is None:
        have = ", ".join(Encoder.objects.order_by("name").values_list("name", flat=True)) or "none"
        raise InvalidInput(
            f"There is no encoder {name!r}. Registered: {have}. A folder is written with a slash.", field="encoder"
        )
    return row, ""


def encoder_model(encoder: Encoder) -> ImageTextEncoder:
    """The encoder's model as the portal would run it on this machine. Raises Unavailable.

    Of a stored row, only if it still gives the vectors it gave at first.
    """
    if not encoder.runtime.get("runtime"):
        encoder_runtime_prepare(encoder=encoder)
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


def _of_folder(name: str) -> Encoder:
    folder = Path(name).expanduser().resolve()
    if not folder.is_dir():
        raise InvalidInput(f"--encoder {name}: there is no such folder.", field="encoder")
    checkpoint = (folder / "config.json").is_file()
    return _unstored(EncoderSpec(EncoderKind.TRANSFORMERS if checkpoint else EncoderKind.BUILTIN, str(folder)))


def _unstored(spec: EncoderSpec) -> Encoder:
    """A row for files that are not registered, never saved."""
    facts = registry.describe(spec)
    return Encoder(
        name=Path(spec.source).name,
        kind=spec.kind.value,
        source=spec.source,
        checksum=registry.checksum(spec),
        dimension=facts.dimension,
        image_size=facts.image_size,
        languages=list(facts.languages),
        prompts=default_prompts(kind=spec.kind, languages=facts.languages),
        runtime={"form": Form.FULL.value},
    )
