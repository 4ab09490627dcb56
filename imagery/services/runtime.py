"""Which library, precision and device run an encoder: measured once on this machine, kept in its row."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from imagery.encoders.runtime.artefact import artefacts_remove, encoder_folder, json_write
from imagery.encoders.runtime.child import run_apart, spec_as_json
from imagery.encoders.runtime.plan import (
    ARTEFACT_VERSION,
    REFERENCE,
    Form,
    Plan,
    Precision,
    Runtime,
    is_installed,
    library_version,
    this_machine,
)
from imagery.models import Embedding, Encoder
from imagery.services.encoder_files import encoder_spec
from imagery.services.regions import encoder_wants_regions
from rsportal.errors import InvalidInput, RsportalError, Unavailable

_FINGERPRINT_DIGITS: Final = 16
_log = logging.getLogger(__name__)


def encoder_runtime_prepare(*, encoder: Encoder, again: bool = False) -> dict[str, Any]:
    """Choose what runs the encoder on this machine, export and verify its towers, store and return ``runtime``.

    Measured in a process of its own, once for these files, this machine, these library versions and settings; then it
    is a matter of milliseconds. ``again`` measures anew. An encoder in 8 bits must also pass its gate on the archive.
    Raises Unavailable when its files cannot be used, InvalidInput when a setting asks for what this machine, the
    encoder's vectors or the gate do not allow.
    """
    form = encoder_form(encoder)
    asked = _asked(encoder, form)
    kept_in = encoder_folder(settings.ENCODER_DIR, encoder.checksum) / f"measured-{_fingerprint(asked)}.json"
    gate: dict[str, Any] = {}
    if form is Form.INT8:
        gate = (not again and encoder.runtime.get("gate")) or _gate_passed(encoder)
    found = None if again else _kept(kept_in)
    if found is None:
        found = _measured(encoder, asked)
        json_write(kept_in, found)
    if gate:
        found = {**found, "gate": gate}
    encoder.runtime = found
    if encoder.pk is not None:  # Files that are not registered can be measured, too.
        Encoder.objects.filter(pk=encoder.pk).update(runtime=found)
    return found


def encoder_runtime_plan(encoder: Encoder) -> Plan:
    """What this process runs for the row. Without a measurement it is the reference: torch in float32.

    Raises Unavailable when the row's choice cannot be run with what is installed here.
    """
    common: dict[str, Any] = {
        "threads": settings.ENCODER_THREADS,
        "idle_seconds": float(settings.ENCODER_IDLE_SECONDS),
        "checksum": encoder.checksum,
        "folder": Path(settings.ENCODER_DIR),
        "regions": encoder_wants_regions(encoder),
    }
    if not encoder.runtime.get("runtime"):
        return replace(REFERENCE, **common)
    chosen = encoder.runtime
    try:
        plan = Plan(
            runtime=Runtime(chosen["runtime"]),
            precision=Precision(chosen["precision"]),
            device=chosen.get("device", "cpu"),
            **common,
        )
    except (KeyError, ValueError) as error:
        raise Unavailable(
            _('What runs encoder %(name)s is unknown. Measure again with "manage.py encoder tune %(name)s".')
            % {"name": encoder.name},
            code="encoder_runtime",
        ) from error
    if not is_installed(plan.runtime):
        raise Unavailable(
            _("Encoder %(name)s is to be run by %(library)s, which is not installed here. Install the packages of "
              'requirements.txt, or measure again with "manage.py encoder tune %(name)s".')
            % {"name": encoder.name, "library": plan.runtime.value},
            code="encoder_runtime",
        )  # fmt: skip
    return plan


def encoder_form(encoder: Encoder) -> Form:
    """Whether the row's vectors come from full precision or from 8-bit weights: part of what the row is.

    A row without vectors takes the form that RSPORTAL_ENCODER_PRECISION asks for; one that has vectors keeps its own.
    """
    stored = encoder.runtime.get("form")
    wanted = Form.INT8 if settings.ENCODER_PRECISION == Precision.INT8 else Form.FULL
    if stored:
        return Form(stored)
    return wanted if not Embedding.objects.filter(encoder=encoder).exists() else Form.FULL


def encoder_runtime_line(encoder: Encoder) -> str:
    """One line for people: what runs the encoder, how fast, and how near to float32."""
    chosen = encoder.runtime
    if not chosen.get("runtime"):
        return "torch float32 on cpu (not measured yet: manage.py encoder tune)"
    line = f"{chosen['runtime']} {chosen['precision']} on {chosen['device']}"
    image = chosen.get("image") or {}
    if image:
        line += f", {image['per_second']:.3g} images/s, mean cosine to float32 {image['mean_cosine']:.6f}"
    return f"{line} ({chosen.get('reason', '')})"


def encoder_runtime_forget(*, encoder: Encoder) -> None:
    """Remove the exported towers of a row that is deleted or retired, unless another row has the same files."""
    if not Encoder.objects.filter(checksum=encoder.checksum).exclude(pk=encoder.pk).exists():
        artefacts_remove(Path(settings.ENCODER_DIR), encoder.checksum)


def _asked(encoder: Encoder, form: Form) -> dict[str, Any]:
    """What is to be measured. Raises InvalidInput where settings and the row's form exclude each other."""
    precision = settings.ENCODER_PRECISION
    if form is Form.INT8:
        if precision not in {"auto", Precision.INT8}:
            raise InvalidInput(
                _("Encoder %(name)s is in 8 bits and keeps that form. Set RSPORTAL_ENCODER_PRECISION to auto, or "
                  "register its files under a new name.")
                % {"name": encoder.name},
                field="precision",
            )  # fmt: skip
        precision = Precision.INT8.value
    elif precision == Precision.INT8:
        # The setting speaks of new encoders; this row's vectors are in full precision and stay comparable.
        precision = "auto"
    return {
        "do": "measure",
        "spec": spec_as_json(encoder_spec(encoder)),
        "checksum": encoder.checksum,
        "folder": str(settings.ENCODER_DIR),
        "form": form.value,
        "runtime": settings.ENCODER_RUNTIME,
        "precision": precision,
        "device": settings.ENCODER_DEVICE,
        "threads": settings.ENCODER_THREADS,
    }


def _measured(encoder: Encoder, asked: dict[str, Any]) -> dict[str, Any]:
    machine = this_machine()
    about = {
        "machine": machine.as_json(),
        "threads": settings.ENCODER_THREADS or machine.cores,
        "measured_at": timezone.now().isoformat(timespec="seconds"),
    }
    if (asked["runtime"], asked["precision"], asked["device"]) == (Runtime.TORCH, Precision.FLOAT32, "cpu"):
        # Nothing to choose and nothing to compare with: it is the reference itself.
        told = {**REFERENCE.as_words(), "form": Form.FULL.value, "reason": "as the settings say"}
        return {**told, "library": f"torch {library_version(Runtime.TORCH)}", **about}
    _log.info("measuring how encoder %s runs best on this machine", encoder.name)
    try:
        found = run_apart(asked)
    except RsportalError as error:
        raise _as_service_error(error) from error
    usable = sum(not candidate["why"] for candidate in found["candidates"])
    free = asked["runtime"] == "auto" and asked["precision"] == "auto"
    reason = f"the fastest of {usable} ways that agree with float32" if free else "as the settings say, verified"
    library = f"{found['runtime']} {library_version(Runtime(found['runtime']))}"
    return {**found, "reason": reason, "library": library, **about}


def _as_service_error(error: RsportalError) -> RsportalError:
    if error.code == "encoder_runtime":
        return InvalidInput(error.message, code=error.code)
    return Unavailable(error.message, code=error.code)


def _gate_passed(encoder: Encoder) -> dict[str, Any]:
    from imagery.services.runtime_gate import eight_bit_gate

    gate = eight_bit_gate(encoder=encoder)
    if not gate["passed"]:
        raise InvalidInput(
            _("Encoder %(name)s cannot be used in 8 bits: %(reason)s. Register its files without 8 bits.")
            % {"name": encoder.name, "reason": gate["reason"]},
            code="encoder_gate",
            field="precision",
        )
    return gate


def _fingerprint(asked: dict[str, Any]) -> str:
    told = {**asked, "machine": this_machine().as_json(), "version": ARTEFACT_VERSION}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:_FINGERPRINT_DIGITS]


def _kept(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("runtime") else None
