"""The door to an encoder that computes: loaded, and found to give the vectors it gave when it was new.

The known vectors of a tower are recorded when it is first loaded for a row that has none, and compared whenever a
process loads it: a web process checks texts, a worker images. An encoder that changed is refused before anything is
searched or stored with it.
"""

import json
import logging
import socket
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.db import connection
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from imagery.encoders import errors, selftest
from imagery.encoders.base import ImageTextEncoder
from imagery.models import Encoder
from imagery.services.encoder_files import files_verify
from imagery.services.encoders import encoder_instance
from rsportal.errors import Unavailable

CHANGED: Final = "encoder_changed"
_CHECKS: Final = "checks"
_FILES: Final = "files"
_log = logging.getLogger(__name__)
_lock = threading.RLock()


@dataclass(frozen=True)
class TowerCheck:
    """One result of the self-test. ``tower`` is "text", "image" or "files"; ``distance`` the largest cosine distance.

    ``recorded`` means that there were no known vectors yet: they are kept now, and nothing was compared.
    """

    tower: str
    ok: bool
    distance: float = 0.0
    tolerance: float = 0.0
    recorded: bool = False
    reason: str = ""


_done: WeakKeyDictionary[ImageTextEncoder, dict[str, tuple[int, TowerCheck]]] = WeakKeyDictionary()


def encoder_ready(*, encoder: Encoder, text: bool = False, image: bool = False) -> ImageTextEncoder:
    """Return the encoder's model with the named towers loaded and checked (once per process and load).

    Raises Unavailable: its files are missing, or its vectors are not those it gave before (code "encoder_changed").
    """
    model = encoder_instance(encoder)
    try:
        model.load(image=image, text=text)
        for tower, wanted in ((selftest.TEXT, text), (selftest.IMAGE, image)):
            if wanted and not (check := _checked(encoder, model, tower)).ok:
                raise Unavailable(check.reason, code=CHANGED)
    except (errors.EncoderUnavailable, errors.EncoderMismatch) as error:
        raise Unavailable(error.message, code=error.code) from error
    return model


def encoder_probe_record(*, encoder: Encoder) -> Encoder:
    """Record what both towers give, as far as it is not known; raises what ``encoder_ready`` raises.

    For workers and commands, before anything is stored with the encoder: they need no text tower afterwards.
    """
    known = _known(encoder)
    if selftest.TEXT not in known:
        encoder_ready(encoder=encoder, text=True).unload(image=False, text=True)
    if selftest.IMAGE not in known:
        encoder_ready(encoder=encoder, image=True)
    encoder.refresh_from_db(fields=["probe"])
    return encoder


def encoder_selftest(*, encoder: Encoder) -> list[TowerCheck]:
    """Check the files' checksum and then both towers, computing anew; the results are kept for /readyz and the admin.

    Raises Unavailable when the files are missing or cannot be loaded.
    """
    files = _files_checked(encoder)
    model = encoder_instance(encoder)
    with _lock:
        _done.pop(model, None)
        return [files, *(_checked(encoder, model, tower) for tower in selftest.TOWERS)]


def selftest_problem(encoder: Encoder) -> str:
    """Return why the encoder was last refused, here or in another process; "" if it was not. Loads no model."""
    for tower in selftest.TOWERS:
        told = last_checks(encoder).get(tower, {})
        if told and not told["ok"]:
            return str(told["reason"])
    return ""


def last_checks(encoder: Encoder) -> dict[str, dict[str, Any]]:
    """Return what the last self-test of each tower found: ok, distance, tolerance, reason, at, host."""
    found: dict[str, dict[str, Any]] = encoder.probe.get(_CHECKS, {})
    return found


def selftest_lines(encoder: Encoder) -> list[str]:
    """Return what the last self-test of each tower found, where and when, one line each, for people."""
    lines = []
    for tower, told in last_checks(encoder).items():
        words = {
            "tower": _("texts") if tower == selftest.TEXT else _("pictures"),
            "found": _("as before") if told["ok"] else told["reason"],
            "host": told["host"],
            "at": date_format(datetime.fromisoformat(told["at"]), "SHORT_DATETIME_FORMAT"),
        }
        lines.append(_("%(tower)s: %(found)s (%(host)s, %(at)s)") % words)
    return lines or [_("not tested yet")]


def _checked(encoder: Encoder, model: ImageTextEncoder, tower: str) -> TowerCheck:
    """Return the result of this process's check, made now if the tower was loaded (again) since the last one."""
    with _lock:
        model.load(image=tower == selftest.IMAGE, text=tower == selftest.TEXT)
        loads = model.loads[tower]
        mine = _done.setdefault(model, {})
        if tower not in mine or mine[tower][0] != loads:
            mine[tower] = loads, _check(encoder, model, tower)
        return mine[tower][1]


def _check(encoder: Encoder, model: ImageTextEncoder, tower: str) -> TowerCheck:
    half = _known(encoder).get(tower)
    if half is None or half["version"] != selftest.VERSION:
        # Vectors of other files than those that were registered must not become the known ones.
        if not (files := _files_checked(encoder)).ok:
            check = replace(files, tower=tower)
            _tell(encoder, check)
            return check
        fresh = selftest.known(model, tower)
        if _record(encoder, tower, fresh, unless=half):
            _log.info("encoder %s: known vectors of the %s tower recorded", encoder.name, tower)
            check = TowerCheck(tower=tower, ok=True, recorded=True)
            _tell(encoder, check)
            return check
        half = _known(encoder)[tower]  # Another process was faster.
    computing = selftest.computing(model)
    allowed = selftest.tolerance(half["made"].get("precision", "float32"), computing["precision"])
    distance = selftest.distance(half, selftest.vectors(model, tower))
    ok = distance <= allowed
    reason = "" if ok else _vectors_changed(encoder, tower, distance, allowed, half["made"], computing)
    check = TowerCheck(tower=tower, ok=ok, distance=distance, tolerance=allowed, reason=reason)
    if not ok:
        _log.error("%s", reason)
    _tell(encoder, check)
    return check


def _files_checked(encoder: Encoder) -> TowerCheck:
    try:
        files_verify(encoder)
    except Unavailable as error:
        if error.code != "encoder_mismatch":
            raise
        return TowerCheck(tower=_FILES, ok=False, reason=error.message)
    return TowerCheck(tower=_FILES, ok=True)


def _known(encoder: Encoder) -> dict[str, Any]:
    probe: dict[str, Any] = Encoder.objects.values_list("probe", flat=True).get(pk=encoder.pk)
    return probe


def _record(encoder: Encoder, tower: str, half: dict[str, Any], *, unless: Mapping[str, Any] | None) -> bool:
    """Keep a tower's known vectors, unless somebody did so meanwhile; return whether these are kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {Encoder._meta.db_table} SET probe = probe || %s::jsonb WHERE id = %s "
            "AND (probe -> %s) IS NOT DISTINCT FROM %s::jsonb",
            [json.dumps({tower: half}), encoder.pk, tower, None if unless is None else json.dumps(unless)],
        )
        return cursor.rowcount == 1


def _tell(encoder: Encoder, check: TowerCheck) -> None:
    """Keep the result beside the known vectors, for /readyz and the administration."""
    told = {**asdict(check), "at": timezone.now().isoformat(timespec="seconds"), "host": socket.gethostname()}
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {Encoder._meta.db_table} "
            "SET probe = jsonb_set(probe, %s, coalesce(probe -> %s, '{}') || %s::jsonb) WHERE id = %s",
            [[_CHECKS], _CHECKS, json.dumps({check.tower: told}), encoder.pk],
        )


def _vectors_changed(
    encoder: Encoder, tower: str, distance: float, allowed: float, made: Mapping[str, str], computing: Mapping[str, str]
) -> str:
    now = {**computing, **selftest.libraries()}
    different = ", ".join(selftest.changes({name: made.get(name, "-") for name in now}, now))
    words = {
        "name": encoder.name,
        "tower": _("texts") if tower == selftest.TEXT else _("pictures"),
        "distance": f"{distance:.2g}",
        "allowed": f"{allowed:.2g}",
        "different": different or _("no library"),
    }
    return (
        _(
            "The encoder %(name)s gives other vectors for %(tower)s than when it was new (cosine distance "
            "%(distance)s, at most %(allowed)s is allowed), so nothing is searched or stored with it. Different "
            "since: %(different)s. Put that back and restart, or register the encoder under a new name and fill it."
        )
        % words
    )
