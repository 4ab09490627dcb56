"""What is measured: an encoder and the settings of the ranking stages, written as one word.

``builtin`` is an encoder as it is set up; ``builtin:diffuse=off,normalise=0.5`` changes stages for this measurement
only: ``on``, ``off``, a number (on, with that weight), or ``stage.setting=value`` for another setting of a stage.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from imagery.models import Encoder
from rsportal.errors import InvalidInput
from search.ranking.stages import StageSettings, stage_settings

ACTIVE: Final = "active"
_SWITCH: Final = {"on": True, "true": True, "off": False, "false": False}
_NAME: Final = re.compile(r"[a-z_]{1,40}(\.[a-z_]{1,40})?")
_SHOWN: Final = 80  # characters of what was written in a message


@dataclass(frozen=True)
class Configuration:
    """An encoder to rank with. ``encoder.ranking`` holds the changed settings, in memory only: never save this row.

    ``name`` is how it was written, the encoder by its own name; ``settings`` are all stages as they are used.
    """

    name: str
    encoder: Encoder
    settings: StageSettings


def configuration_parse(text: str) -> Configuration:
    """Return the configuration of a text such as ``builtin:diffuse=off``; ``active`` names the active encoder.

    Raises InvalidInput (field ``config``) that says which part is wrong and what there is.
    """
    name, _colon, rest = text.strip().partition(":")
    encoder = _encoder(name.strip())
    changes = [_change(part.strip(), text) for part in rest.split(",") if part.strip()]
    ranking: dict[str, dict[str, Any]] = {stage: dict(values) for stage, values in encoder.ranking.items()}
    for stage, values in changes:
        ranking.setdefault(stage, {}).update(values)
    encoder.ranking = ranking
    try:
        settings = stage_settings(kind=encoder.kind, ranking=ranking)
    except InvalidInput as error:
        raise InvalidInput(f"{text.strip()[:_SHOWN]}: {error.message}", field="config") from error
    written = ",".join(part.strip().replace(" ", "") for part in rest.split(",") if part.strip())
    return Configuration(
        name=f"{encoder.name}:{written}" if written else encoder.name, encoder=encoder, settings=settings
    )


def _encoder(name: str) -> Encoder:
    wanted = {"state": Encoder.State.ACTIVE} if name in {"", ACTIVE} else {"name": name}
    encoder = Encoder.objects.filter(**wanted).first()
    if encoder is None:
        known = Encoder.objects.exclude(state=Encoder.State.RETIRED).order_by("name").values_list("name", flat=True)
        raise InvalidInput(
            _("There is no encoder %(name)s to rank with. There are: %(known)s.")
            % {"name": repr(name or ACTIVE)[:_SHOWN], "known": ", ".join([*known[:20]]) or "–"},
            field="config",
        )
    if encoder.state == Encoder.State.RETIRED:
        raise InvalidInput(
            _("Encoder %(name)s is retired and has no vectors. Fill it again, or choose another.")
            % {"name": encoder.name},
            field="config",
        )
    return encoder


def _change(part: str, text: str) -> tuple[str, dict[str, Any]]:
    """Return (stage, settings) of ``diffuse=off``, ``diffuse=0.5`` or ``diffuse.weight=0.5``."""
    key, equals, raw = (piece.strip() for piece in part.partition("="))
    if not equals or not _NAME.fullmatch(key) or not raw:
        raise InvalidInput(
            _("%(text)s: %(part)s is no setting. Write stage=on, stage=off, stage=0.5 or stage.setting=value.")
            % {"text": text.strip()[:_SHOWN], "part": repr(part[:_SHOWN])},
            field="config",
        )
    stage, _dot, setting = key.partition(".")
    value = _value(raw)
    if setting:
        return stage, {setting: value}
    if isinstance(value, bool):
        return stage, {"on": value}
    if isinstance(value, str):
        raise InvalidInput(
            _("%(text)s: %(part)s is no setting. Write stage=on, stage=off, stage=0.5 or stage.setting=value.")
            % {"text": text.strip()[:_SHOWN], "part": repr(part[:_SHOWN])},
            field="config",
        )
    return stage, {"on": True, "weight": value}


def _value(raw: str) -> bool | int | float | str:
    if raw.lower() in _SWITCH:
        return _SWITCH[raw.lower()]
    for kind in (int, float):
        try:
            return kind(raw)
        except ValueError:
            continue
    return raw
