"""Encoders as rows: registering one, making it the active one, and reaching its model."""

from pathlib import Path

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.encoders import errors, registry
from imagery.encoders.base import EncoderFacts, EncoderKind, EncoderSpec, ImageTextEncoder
from imagery.encoders.builtin.files import NAME as BUILTIN_NAME
from imagery.models import Encoder
from imagery.services.partitions import partition_create
from rsportal.errors import InvalidInput, Unavailable


def encoder_register(*, name: str, kind: str, source: str, revision: str = "") -> Encoder:
    """Read what the encoder's files say and store it as a row with an empty partition for its vectors.

    ``kind`` is a value of ``Encoder.Kind``; ``source`` is a folder or hub id (transformers) or the name of shipped
    weights (builtin). Loads no model. Raises InvalidInput (field ``name``, ``kind`` or ``source``) for values that
    cannot be used or files that are missing.
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
    facts, checksum = _read(spec)
    encoder = Encoder(
        name=name,
        kind=kind,
        source=source,
        revision=revision,
        checksum=checksum,
        dimension=facts.dimension,
        image_size=facts.image_size,
        languages=list(facts.languages),
        calibration=_calibration(facts),
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


def encoder_activate(*, encoder: Encoder) -> Encoder:
    """Make this the encoder of every search and ingest from now on; the one before is retired, its vectors stay.

    Raises Unavailable when its files are missing or are not those that were registered: another dimension or
    other bytes would put vectors of two spaces side by side.
    """
    facts, checksum = _read_or_unavailable(encoder_spec(encoder))
    if facts.dimension != encoder.dimension:
        raise Unavailable(
            _("The files of encoder %(name)s give vectors of %(found)d numbers, but it was registered with "
              "%(expected)d. Register them under a new name.")
            % {"name": encoder.name, "found": facts.dimension, "expected": encoder.dimension},
            code="encoder_mismatch",
        )  # fmt: skip
    if encoder.checksum and checksum != encoder.checksum:
        raise Unavailable(
            _("The files of encoder %(name)s have changed since it was registered. Register them under a new name, "
              "or put the old files back.")
            % {"name": encoder.name},
            code="encoder_mismatch",
        )  # fmt: skip
    with transaction.atomic():
        # All rows are locked in one order, so that two switches at once follow each other.
        rows = {row.pk: row for row in Encoder.objects.select_for_update().order_by("pk")}
        if encoder.pk not in rows:
            raise InvalidInput(_("Encoder %(name)s is no longer registered.") % {"name": encoder.name}, field="name")
        for row in rows.values():
            if row.state == Encoder.State.ACTIVE and row.pk != encoder.pk:
                row.state = Encoder.State.RETIRED
                row.save(update_fields=["state"])
        chosen = rows[encoder.pk]
        if chosen.state != Encoder.State.ACTIVE:
            chosen.state = Encoder.State.ACTIVE
            chosen.activated_at = timezone.now()
            chosen.save(update_fields=["state", "activated_at"])
        partition_create(chosen)
    return chosen


def encoder_active() -> Encoder:
    """Return the active encoder (one indexed query). Raises Unavailable, saying what the operator must do."""
    encoder = Encoder.objects.filter(state=Encoder.State.ACTIVE).first()
    if encoder is None:
        raise Unavailable(
            _('No encoder is active, so nothing can be searched or added. Run "manage.py encoder ensure" for the '
              'built-in one, or "manage.py encoder activate NAME".'),
            code="no_encoder",
        )  # fmt: skip
    return encoder


def builtin_encoder_ensure() -> Encoder:
    """Register the built-in encoder unless it is, activate it unless another is active, and return it.

    Harmless to repeat. When the shipped weights have changed, the new ones are registered beside the old (their
    vectors cannot be compared) and take over if the old were active, because nothing can encode for those any more.
    Raises Unavailable when its files are missing.
    """
    facts, checksum = _read_or_unavailable(EncoderSpec(kind=EncoderKind.BUILTIN, source=BUILTIN_NAME))
    shipped = Encoder.objects.filter(kind=Encoder.Kind.BUILTIN, source=BUILTIN_NAME)
    encoder = shipped.filter(checksum=checksum).first()
    if encoder is None:
        taken = Encoder.objects.filter(name=BUILTIN_NAME).exists()
        name = f"{BUILTIN_NAME}-{checksum[:8]}" if taken else BUILTIN_NAME
        encoder = encoder_register(name=name, kind=Encoder.Kind.BUILTIN, source=BUILTIN_NAME)
    elif encoder.calibration != _calibration(facts):  # Measured anew on the same weights.
        encoder.calibration = _calibration(facts)
        encoder.save(update_fields=["calibration"])
    active = Encoder.objects.filter(state=Encoder.State.ACTIVE).first()
    if active is None or (active.pk != encoder.pk and active in shipped):
        encoder = encoder_activate(encoder=encoder)
    return encoder


def encoder_instance(encoder: Encoder) -> ImageTextEncoder:
    """Return the model behind the row, shared by the whole process; its towers load when first used.

    Raises Unavailable when its files are missing or give vectors of another dimension.
    """
    try:
        instance = registry.get_encoder(encoder_spec(encoder))
    except (errors.EncoderUnavailable, errors.EncoderMismatch) as error:
        raise Unavailable(error.message, code=error.code) from error
    if instance.dimension != encoder.dimension:
        raise Unavailable(
            _("The files of encoder %(name)s give vectors of another length than it was registered with.")
            % {"name": encoder.name},
            code="encoder_mismatch",
        )
    return instance


def encoder_spec(encoder: Encoder) -> EncoderSpec:
    """Return what names the row's files."""
    return EncoderSpec(kind=EncoderKind(encoder.kind), source=encoder.source, revision=encoder.revision)


def _read(spec: EncoderSpec) -> tuple[EncoderFacts, str]:
    try:
        return registry.describe(spec), registry.checksum(spec)
    except (errors.EncoderUnavailable, errors.EncoderMismatch) as error:
        raise InvalidInput(error.message, code=error.code, field="source") from error


def _read_or_unavailable(spec: EncoderSpec) -> tuple[EncoderFacts, str]:
    try:
        return _read(spec)
    except InvalidInput as error:
        raise Unavailable(error.message, code=error.code) from error


def _calibration(facts: EncoderFacts) -> dict[str, float]:
    if facts.calibration is None:
        return {}
    return {"scale": facts.calibration.scale, "offset": facts.calibration.offset}
