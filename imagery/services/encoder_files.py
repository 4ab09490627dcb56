"""What the files of an encoder say, and whether they are those that it was registered with."""

from django.utils.translation import gettext as _

from imagery.encoders import errors, registry
from imagery.encoders.base import EncoderFacts, EncoderKind, EncoderSpec
from imagery.models import Encoder
from rsportal.errors import InvalidInput, Unavailable


def encoder_spec(encoder: Encoder) -> EncoderSpec:
    """Return what names the row's files; of a hub's checkpoint the very commit that was registered."""
    revision = encoder.resolved_revision or encoder.revision
    return EncoderSpec(kind=EncoderKind(encoder.kind), source=encoder.source, revision=revision)


def revision_resolve(spec: EncoderSpec) -> str:
    """Return the commit that a hub's revision means now ("" for files). Raises InvalidInput (field ``source``)."""
    try:
        return registry.resolved_revision(spec)
    except (errors.EncoderUnavailable, errors.EncoderMismatch) as error:
        raise InvalidInput(error.message, code=error.code, field="source") from error


def files_read(spec: EncoderSpec) -> tuple[EncoderFacts, str]:
    """Return the facts and the checksum. Raises InvalidInput (field ``source``) for files that cannot be used."""
    try:
        return registry.describe(spec), registry.checksum(spec)
    except (errors.EncoderUnavailable, errors.EncoderMismatch) as error:
        raise InvalidInput(error.message, code=error.code, field="source") from error


def files_read_or_unavailable(spec: EncoderSpec) -> tuple[EncoderFacts, str]:
    """Do :func:`files_read` for files that were registered: raises Unavailable."""
    try:
        return files_read(spec)
    except InvalidInput as error:
        raise Unavailable(error.message, code=error.code) from error


def files_verify(encoder: Encoder) -> None:
    """Raise Unavailable when the row's files are missing or are not those that were registered.

    Another dimension or other bytes would put vectors of two spaces side by side.
    """
    facts, checksum = files_read_or_unavailable(encoder_spec(encoder))
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


def calibration_of(facts: EncoderFacts) -> dict[str, float]:
    """Return the calibration as it is stored; empty where nobody has measured it."""
    if facts.calibration is None:
        return {}
    return {"scale": facts.calibration.scale, "offset": facts.calibration.offset}
