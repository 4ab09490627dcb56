"""Encoders as rows: registering one, which is in use, and reaching its model."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from imagery.encoders import errors, registry
from imagery.encoders.base import EncoderKind, EncoderSpec, ImageTextEncoder
from imagery.encoders.builtin.files import NAME as BUILTIN_NAME
from imagery.encoders.prompts import default_prompts
from imagery.models import Encoder
from imagery.models.encoder import HEAVY_FIELDS
from imagery.services.encoder_files import (
    calibration_of,
    encoder_spec,
    files_read,
    files_read_or_unavailable,
    revision_resolve,
)
from imagery.services.fill import encoder_fill_pause
from imagery.services.partitions import partition_create
from imagery.services.runtime import encoder_runtime_plan
from imagery.services.switch import encoder_activate
from rsportal.errors import Conflict, InvalidInput, Unavailable

__all__ = [
    "builtin_encoder_ensure",
    "encoder_activate",
    "encoder_active",
    "encoder_get",
    "encoder_instance",
    "encoder_register",
    "encoder_spec",
]


def encoder_register(
    *, name: str, kind: str, source: str, revision: str = "", runtime: dict[str, Any] | None = None
) -> Encoder:
    """Read what the encoder's files say and store it as a row with an empty partition for its vectors.

    ``kind`` is a value of ``Encoder.Kind``; ``source`` is a folder or hub id (transformers) or the name of shipped
    weights (builtin). A branch or tag of a hub is pinned to the commit it means now. ``runtime`` is what the row
    begins with, such as ``{"form": "int8"}``. Loads no model. Raises InvalidInput (field ``name``, ``kind`` or
    ``source``) for values that cannot be used or files that are missing.
    """
    if kind not in Encoder.Kind.values:
        raise InvalidInput(
            _("%(kind)s is no kind of encoder; write one of %(kinds)s.")
            % {"kind": repr(kind), "kinds": ", ".join(Encoder.Kind.values)},
            field="kind",
        )
    if kind == Encoder.Kind.TRANSFORMERS and (folder := Path(source).expanduser()).is_dir():
        source = str(folder.resolve())
    spec = EncoderSpec(kind=EncoderKind(kind), source=source, revision=revision)
    resolved = revision_resolve(spec)
    facts, checksum = files_read(replace(spec, revision=resolved or revision))
    encoder = Encoder(
        name=name,
        kind=kind,
        source=source,
        revision=revision,
        resolved_revision=resolved,
        checksum=checksum,
        dimension=facts.dimension,
        image_size=facts.image_size,
        languages=list(facts.languages),
        calibration=calibration_of(facts),
        prompts=default_prompts(kind=kind, languages=facts.languages),
        runtime=runtime or {},
    )
    try:
        encoder.full_clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidInput(f"{field}: {' '.join(messages)}", field=field) from error
    with transaction.atomic():
        encoder.save()
        partition_create(encoder)
    return encoder


def encoder_active() -> Encoder:
    """Return the active encoder (one indexed query). Raises Unavailable, saying what the operator must do."""
    encoder = Encoder.objects.filter(state=Encoder.State.ACTIVE).defer(*HEAVY_FIELDS).first()
    if encoder is None:
        raise Unavailable(
            _('No encoder is active, so nothing can be searched or added. Run "manage.py encoder ensure" for the '
              'built-in one, or "manage.py encoder activate NAME".'),
            code="no_encoder",
        )  # fmt: skip
    return encoder


def encoder_get(name: str) -> Encoder:
    """Return the encoder of this name. Raises InvalidInput (field ``name``)."""
    encoder = Encoder.objects.filter(name=name).defer(*HEAVY_FIELDS).first()
    if encoder is None:
        raise InvalidInput(
            _('There is no encoder %(name)s. "manage.py encoder list" shows them.') % {"name": repr(name)}, field="name"
        )
    return encoder


def builtin_encoder_ensure() -> Encoder:
    """Register the built-in encoder unless it is, activate it unless another is active, and return it.

    Harmless to repeat. When the shipped weights have changed, the new ones are registered beside the old (their
    vectors cannot be compared) and, if the old were active, take over at once and are filled: nothing can encode a
    query for the old any more. Raises Unavailable when its files are missing.
    """
    facts, checksum = files_read_or_unavailable(EncoderSpec(kind=EncoderKind.BUILTIN, source=BUILTIN_NAME))
    shipped = Encoder.objects.filter(kind=Encoder.Kind.BUILTIN, source=BUILTIN_NAME)
    encoder = shipped.filter(checksum=checksum).first()
    if encoder is None:
        taken = Encoder.objects.filter(name=BUILTIN_NAME).exists()
        name = f"{BUILTIN_NAME}-{checksum[:8]}" if taken else BUILTIN_NAME
        encoder = encoder_register(name=name, kind=Encoder.Kind.BUILTIN, source=BUILTIN_NAME)
    elif encoder.calibration != calibration_of(facts):  # Measured anew on the same weights.
        encoder.calibration = calibration_of(facts)
        encoder.save(update_fields=["calibration"])
    active = Encoder.objects.filter(state=Encoder.State.ACTIVE).first()
    # Another row of these very weights (in 8 bits, say) is an operator's choice and stays.
    if active is None or (active.checksum != checksum and active in shipped):
        with transaction.atomic():
            encoder = encoder_activate(encoder=encoder, partial=True)
            if active is not None:
                with suppress(Conflict):  # It is paused: a worker that started before us could not fill it either.
                    encoder_fill_pause(
                        encoder=active, reason=_("The weights that this encoder needs are no longer shipped.")
                    )
    return encoder


def encoder_instance(encoder: Encoder) -> ImageTextEncoder:
    """Return the model behind the row, shared by the whole process; its towers load when first used.

    Raises Unavailable when its files are missing or give vectors of another dimension.
    """
    try:
        instance = registry.get_encoder(encoder_spec(encoder), plan=encoder_runtime_plan(encoder))
    except (errors.EncoderUnavailable, errors.EncoderMismatch) as error:
        raise Unavailable(error.message, code=error.code) from error
    if instance.dimension != encoder.dimension:
        raise Unavailable(
            _("The files of encoder %(name)s give vectors of another length than it was registered with.")
            % {"name": encoder.name},
            code="encoder_mismatch",
        )
    return instance
