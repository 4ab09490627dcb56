"""The band recipe of a collection: which bands are shown as red, green and blue, and how their samples become colours.

It is what ``Collection.rendering`` keeps as JSON; an empty one leaves everything to be found scene by scene. Colours
are made as ``((sample - low) / (high - low)) ** (1 / gamma)``, cut to 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    from imagery.models import Collection

Range: TypeAlias = tuple[float, float]

LOW_PERCENTILE: Final = 2.0
HIGH_PERCENTILE: Final = 98.0
GAMMA_LEAST: Final = 0.2
GAMMA_MOST: Final = 5.0
_NAME_LENGTH: Final = 60


class Stretching(models.TextChoices):
    """How the samples that are shown as black and as white are chosen."""

    AUTO = "auto", gettext_lazy("automatic")
    PERCENTILE = "percentile", gettext_lazy("percentiles of the scene")
    RANGE = "range", gettext_lazy("a fixed range of samples")
    NONE = "none", gettext_lazy("the whole range of the data type")


@dataclass(frozen=True)
class BandRecipe:
    """``bands``: none (found), one (shown grey) or three names or numbers, shown as red, green and blue.

    ``low`` and ``high`` are percentiles; ``joint`` measures them over the bands together, which keeps their colours
    apart as the sensor saw them. ``range`` is one (low, high) for all bands or one each. ``gamma`` above 1 brightens;
    None: 1, or what the automatic stretch finds.
    """

    bands: tuple[str, ...] = ()
    stretch: Stretching = Stretching.AUTO
    low: float = LOW_PERCENTILE
    high: float = HIGH_PERCENTILE
    joint: bool = False
    range: tuple[Range, ...] = ()
    gamma: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the recipe as it is stored: only what it says beyond the default; {} for an empty one."""
        found: dict[str, Any] = {}
        if self.bands:
            found["bands"] = list(self.bands)
        if self.stretch != Stretching.AUTO:
            found["stretch"] = self.stretch.value
        if self.stretch == Stretching.PERCENTILE:
            found |= {"low": self.low, "high": self.high} | ({"joint": True} if self.joint else {})
        if self.stretch == Stretching.RANGE:
            found["range"] = [list(pair) for pair in self.range]
        if self.gamma is not None:
            found["gamma"] = self.gamma
        return found


def recipe_parse(value: object) -> BandRecipe:
    """Return the recipe that JSON describes. Raises InvalidInput whose ``field`` is the key at fault."""
    if value is None or value == "":
        return BandRecipe()
    if not isinstance(value, Mapping):
        raise InvalidInput(_("A band recipe is an object such as {“bands”: [“red”, “green”, “blue”]}."), field="")
    if strangers := set(value) - set(BandRecipe.__dataclass_fields__):
        name = min(map(str, strangers))
        raise InvalidInput(
            _("A band recipe has no field “%(name)s”; it has %(known)s.")
            % {"name": name, "known": ", ".join(BandRecipe.__dataclass_fields__)},
            field=name,
        )
    stretch = _stretching(value.get("stretch", Stretching.AUTO))
    low, high = _percentiles(value.get("low", LOW_PERCENTILE), value.get("high", HIGH_PERCENTILE))
    joint = value.get("joint", False)
    if not isinstance(joint, bool):
        raise InvalidInput(_("“joint” is true or false."), field="joint")
    ranges = _ranges(value.get("range") or ())
    bands = _bands(value.get("bands") or ())
    if stretch == Stretching.RANGE and not ranges:
        raise InvalidInput(_("A fixed range needs the samples shown as black and as white."), field="range")
    if len(bands) == 1 and len(ranges) == 3:
        raise InvalidInput(_("One band has one range, not three."), field="range")
    return BandRecipe(bands, stretch, low, high, joint, ranges, _gamma(value.get("gamma")))


def bands_shown(collection: Collection) -> tuple[str, ...]:
    """Return the bands that the collection's recipe shows; none: found scene by scene."""
    return recipe_parse(collection.rendering).bands


def _stretching(value: object) -> Stretching:
    try:
        return Stretching(str(value))
    except ValueError:
        raise InvalidInput(
            _("“%(value)s” is no stretch; it is one of %(known)s.")
            % {"value": value, "known": ", ".join(Stretching.values)},
            field="stretch",
        ) from None


def _bands(value: object) -> tuple[str, ...]:
    names = [str(name).strip() for name in value] if isinstance(value, Sequence) and not isinstance(value, str) else []
    if len(names) not in {0, 1, 3} or (value and not names):
        raise InvalidInput(
            _("Name three bands, to be shown as red, green and blue, or one to be shown grey, or none."), field="bands"
        )
    for name in names:
        if not name or len(name) > _NAME_LENGTH:
            raise InvalidInput(_("Every band needs a name or number of its own."), field="bands")
    return tuple(names)


def _percentiles(low: object, high: object) -> tuple[float, float]:
    found = (_number(low, "low"), _number(high, "high"))
    if not 0 <= found[0] < 100:
        raise InvalidInput(_("The lower percentile is at least 0 and below 100."), field="low")
    if not found[0] < found[1] <= 100:
        raise InvalidInput(_("The upper percentile is above the lower one and at most 100."), field="high")
    return found


def _ranges(value: object) -> tuple[Range, ...]:
    wrong = InvalidInput(
        _("A range is a list of one or three pairs [lowest, highest], the lowest below the highest."), field="range"
    )
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) not in {0, 1, 3}:
        raise wrong
    found = []
    for pair in value:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise wrong
        low, high = _number(pair[0], "range"), _number(pair[1], "range")
        if not low < high:
            raise wrong
        found.append((low, high))
    return tuple(found)


def _gamma(value: object) -> float | None:
    if value is None or value == "":
        return None
    gamma = _number(value, "gamma")
    if not GAMMA_LEAST <= gamma <= GAMMA_MOST:
        raise InvalidInput(
            _("Gamma is between %(least)s and %(most)s; 1 leaves the brightness as it is.")
            % {"least": GAMMA_LEAST, "most": GAMMA_MOST},
            field="gamma",
        )
    return gamma


def _number(value: object, field: str) -> float:
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput(_("“%(value)s” is no number.") % {"value": value}, field=field)
    return number
