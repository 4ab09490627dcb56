"""The settings of the ranking stages: which are on, how much each counts, by kind of encoder and by encoder."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput
from search.ranking.query import Geometry

MOST_WEIGHT: Final = 10.0


@dataclass(frozen=True)
class Stage:
    """One stage: on or off, and its weight (what the weight means is said by the stage; 0 is like off)."""

    on: bool = False
    weight: float = 1.0

    @property
    def active(self) -> bool:
        """Whether the stage changes anything."""
        return self.on and self.weight > 0


@dataclass(frozen=True)
class RegionsStage(Stage):
    """The quarters of the nearest ``tiles`` candidates (``search.ranking.regions``), where the encoder gives them."""

    weight: float = 0.75
    tiles: int = 200


@dataclass(frozen=True)
class CrossEncoderStage(Stage):
    """The second look (``search.second_look``): at the first ``hits``, for at most ``budget_ms`` milliseconds."""

    hits: int = 20
    budget_ms: int = 1_500


@dataclass(frozen=True)
class StageSettings:
    """Every stage by the name it has in ``Encoder.ranking``, in the order in which they run."""

    normalise: Stage = field(default_factory=Stage)
    regions: RegionsStage = field(default_factory=RegionsStage)
    clauses: Stage = field(default_factory=Stage)
    attributes: Stage = field(default_factory=Stage)
    examples: Stage = field(default_factory=lambda: Stage(on=True, weight=1.0))
    without: Stage = field(default_factory=lambda: Stage(on=True, weight=0.5))
    windows: Stage = field(default_factory=lambda: Stage(on=True, weight=0.95))
    relations: Stage = field(default_factory=lambda: Stage(on=True, weight=2.0))
    diffuse: Stage = field(default_factory=Stage)
    feedback: Stage = field(default_factory=lambda: Stage(on=True, weight=1.0))
    cross_encoder: CrossEncoderStage = field(default_factory=CrossEncoderStage)

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Every stage with all of its settings."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    def fingerprint(self) -> str:
        """Equal for equal settings: 8 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()[:8]


_BOTH: Final = StageSettings(normalise=Stage(on=True), diffuse=Stage(on=True, weight=0.7))
_DEFAULTS: Final[Mapping[str, StageSettings]] = {"builtin": _BOTH, "transformers": _BOTH}
"""By ``Encoder.Kind``. Both stages gain on either kind: docs/ranking.md has the figures."""


def stage_defaults(kind: str) -> StageSettings:
    """Return the settings that an encoder of this kind (``Encoder.Kind``) starts with (figures: docs/ranking.md)."""
    return _DEFAULTS.get(kind, StageSettings())


def stage_settings(*, kind: str, ranking: Mapping[str, Any]) -> StageSettings:
    """Return the settings of an encoder: the defaults of its ``kind``, changed by what its row says.

    ``ranking`` is ``{stage: {"on": bool, "weight": number}}``, each key optional. Raises InvalidInput (field
    ``ranking``) that names the stage and the setting at fault.
    """
    chosen = stage_defaults(kind)
    if not isinstance(ranking, Mapping):
        raise _refusal(_('Write the stages as an object, for example {"diffuse": {"on": true}}.'))
    known = [each.name for each in fields(StageSettings)]
    for name, values in ranking.items():
        if name not in known:
            raise _refusal(
                _("There is no ranking stage %(name)s. The stages are: %(known)s.")
                % {"name": repr(name), "known": ", ".join(known)}
            )
        changed: dict[str, Any] = {name: _changed(name, getattr(chosen, name), values)}
        chosen = replace(chosen, **changed)
    return chosen


def stages_usable(settings: StageSettings, *, geometry: Geometry) -> tuple[StageSettings, list[str]]:
    """Return the settings without the stages that cannot run now, and a sentence for each one turned off."""
    if not settings.normalise.active or geometry.complete:
        return settings, []
    missing = _("of texts") if geometry.text_mean is None else _("of images")
    remark = _(
        "The stage normalise is off: the encoder has no mean %(missing)s yet (the encoder's page says what it needs)."
    )
    return replace(settings, normalise=replace(settings.normalise, on=False)), [remark % {"missing": missing}]


def _changed(name: str, stage: Stage, values: Any) -> Stage:
    if not isinstance(values, Mapping):
        raise _refusal(
            _('Write the settings of stage %(name)s as an object, for example {"on": true}.') % {"name": repr(name)}
        )
    known = [each.name for each in fields(stage)]
    for key, value in values.items():
        if key not in known:
            raise _refusal(
                _("Stage %(name)s has no setting %(key)s. It has: %(known)s.")
                % {"name": repr(name), "key": repr(key), "known": ", ".join(known)}
            )
        stage = replace(stage, **{key: _value(name, key, getattr(stage, key), value)})
    return stage


def _value(name: str, key: str, default: Any, value: Any) -> Any:
    """Check one setting by the type its default has."""
    told = {"name": repr(name), "key": repr(key)}
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise _refusal(_("Setting %(key)s of stage %(name)s is true or false.") % told)
        return value
    if isinstance(default, str):
        if not isinstance(value, str):
            raise _refusal(_("Setting %(key)s of stage %(name)s is a text.") % told)
        return value
    whole = isinstance(default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not math.isfinite(value):
        raise _refusal(_("Setting %(key)s of stage %(name)s is a number.") % told)
    if value < 0 or (key == "weight" and value > MOST_WEIGHT):
        raise _refusal(
            _("Setting %(key)s of stage %(name)s is %(value)s; it must be 0 to %(most)g.")
            % {**told, "value": value, "most": MOST_WEIGHT}
            if key == "weight"
            else _("Setting %(key)s of stage %(name)s must not be negative.") % told
        )
    return value if whole else float(value)


def _plain(stage: Stage) -> dict[str, Any]:
    return {each.name: getattr(stage, each.name) for each in fields(stage)}


def _refusal(message: str) -> InvalidInput:
    return InvalidInput(message, field="ranking")
