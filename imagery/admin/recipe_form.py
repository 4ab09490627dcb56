"""The form of a band recipe: bands to choose among those that scenes have, stretch, gamma."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.readers.bands import COLOURS
from imagery.rendering_recipe import (
    GAMMA_LEAST,
    GAMMA_MOST,
    HIGH_PERCENTILE,
    LOW_PERCENTILE,
    BandRecipe,
    Stretching,
    recipe_parse,
)
from imagery.selectors_bands import BandChoice, CollectionBands
from rsportal.errors import InvalidInput

_FIELD_AT_FAULT = {"bands": "red", "range": "black"}
"""Where a message about a part of the recipe stands."""


class RecipeForm(forms.Form):
    """``recipe`` is what was filled in, once the form is valid."""

    red = forms.ChoiceField(required=False, label=gettext_lazy("Shown as red"))
    green = forms.ChoiceField(required=False, label=gettext_lazy("Shown as green"))
    blue = forms.ChoiceField(required=False, label=gettext_lazy("Shown as blue"))
    stretch = forms.ChoiceField(
        choices=Stretching.choices,
        required=False,
        label=gettext_lazy("Stretch"),
        help_text=gettext_lazy("Automatic: found in each scene; 8-bit pictures stay as they are."),
    )
    low = forms.FloatField(
        required=False, label=gettext_lazy("Lower percentile"), widget=forms.NumberInput(attrs={"step": "any"})
    )
    high = forms.FloatField(
        required=False, label=gettext_lazy("Upper percentile"), widget=forms.NumberInput(attrs={"step": "any"})
    )
    joint = forms.BooleanField(
        required=False,
        label=gettext_lazy("Measure the three bands together"),
        help_text=gettext_lazy("Keeps their brightness to each other; haze stays blue."),
    )
    black = forms.CharField(
        required=False,
        max_length=100,
        label=gettext_lazy("Sample shown black"),
        help_text=gettext_lazy("One number for all bands, or three for red, green and blue."),
    )
    white = forms.CharField(required=False, max_length=100, label=gettext_lazy("Sample shown white"))
    gamma = forms.FloatField(
        required=False,
        label=gettext_lazy("Gamma"),
        help_text=gettext_lazy("Above 1 brightens. Empty: 1, or what the automatic stretch finds."),
        widget=forms.NumberInput(attrs={"step": "0.05", "min": GAMMA_LEAST, "max": GAMMA_MOST}),
    )

    def __init__(self, data: Any = None, *, bands: CollectionBands, recipe: BandRecipe) -> None:
        super().__init__(data, initial=recipe_fields(recipe))
        self.recipe = recipe
        choices = band_options(bands, also=recipe.bands)
        for colour in COLOURS:
            field = self.fields[colour]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices

    def clean(self) -> dict[str, Any]:
        """Read the recipe; what it refuses becomes an error of the field at fault."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("stretch") == Stretching.RANGE:
            for name in ("black", "white"):
                if len(_numbers(cleaned.get(name) or "")) not in {0, 1, 3}:
                    self.add_error(name, _("Write one number, or three."))
        if self.errors:
            return cleaned
        try:
            self.recipe = recipe_parse(self._as_json(cleaned))
        except InvalidInput as error:
            at_fault = _FIELD_AT_FAULT.get(error.field or "", error.field or "")
            self.add_error(at_fault if at_fault in self.fields else None, error.message)
        return cleaned

    def _as_json(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        stretch = cleaned["stretch"] or Stretching.AUTO
        value: dict[str, Any] = {"stretch": stretch, "gamma": cleaned["gamma"]}
        value["bands"] = [cleaned[colour] for colour in COLOURS if cleaned[colour]]
        if stretch == Stretching.PERCENTILE:
            value["low"] = LOW_PERCENTILE if cleaned["low"] is None else cleaned["low"]
            value["high"] = HIGH_PERCENTILE if cleaned["high"] is None else cleaned["high"]
            value["joint"] = cleaned["joint"]
        if stretch == Stretching.RANGE:
            low, high = _numbers(cleaned["black"]), _numbers(cleaned["white"])
            most = max(len(low), len(high))
            value["range"] = list(zip(_spread(low, most), _spread(high, most), strict=False))
        return value


def recipe_fields(recipe: BandRecipe) -> dict[str, Any]:
    """Return a recipe as the fields of the form."""
    red, green, blue = recipe.bands if len(recipe.bands) == 3 else (*recipe.bands, "", "", "")[:3]
    ranges = recipe.range if len(set(recipe.range)) > 1 else recipe.range[:1]
    return {
        "red": red,
        "green": green,
        "blue": blue,
        "stretch": recipe.stretch.value,
        "low": recipe.low,
        "high": recipe.high,
        "joint": recipe.joint,
        "black": " ".join(f"{low:g}" for low, _high in ranges),
        "white": " ".join(f"{high:g}" for _low, high in ranges),
        "gamma": recipe.gamma,
    }


def band_options(bands: CollectionBands, *, also: tuple[str, ...]) -> list[Any]:
    """Return the options of a band's field in groups; ``also`` are offered, too, if no scene has them."""
    known = {choice.name for choice in bands.choices}
    groups = [
        (_("What they see"), [_option(each, bands.looked_at) for each in bands.choices if each.common]),
        (_("Names of bands"), [_option(each, bands.looked_at) for each in bands.choices if not each.common]),
        (_("Of the stored recipe"), [(name, name) for name in dict.fromkeys(also) if name not in known]),
    ]
    return [("", _("found by itself")), *((label, options) for label, options in groups if options)]


def _option(choice: BandChoice, looked_at: int) -> tuple[str, str]:
    label = f"{choice.name} ({', '.join(choice.also)})" if choice.also else choice.name
    if choice.scenes == looked_at:
        return choice.name, label
    told = _("%(band)s – %(some)d of %(all)d scenes") % {"band": label, "some": choice.scenes, "all": looked_at}
    return choice.name, told


def _numbers(text: str) -> list[str]:
    return [part for part in re.split(r"[\s,;/]+", text.strip()) if part]


def _spread(values: list[str], count: int) -> list[str]:
    return values * count if len(values) == 1 else values
