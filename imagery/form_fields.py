"""Form fields for what is a list in the database, written as people write lists."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

PROVIDERS_HELP: Final = _(
    "One a line: name | roles | web address. Roles are producer, licensor, processor, host, with commas between them."
)
_BETWEEN_WORDS: Final = re.compile(r"[,;，；、\n]")
_SEPARATOR: Final = "|"


class KeywordsField(forms.CharField):
    """Words with commas between them; the value is a list."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [word.strip() for word in _BETWEEN_WORDS.split(super().to_python(value) or "") if word.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class ProvidersField(forms.CharField):
    """Organisations, one a line: ``name | roles | address``; the value is a list of STAC providers."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(_line, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [_read(line) for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Tell by the lines, which do not show everything that an imported provider may say."""
        return bool(self.to_python(self.prepare_value(initial or [])) != self.to_python(data))


def _line(provider: dict[str, Any]) -> str:
    parts = [str(provider.get("name", "")), ", ".join(provider.get("roles") or []), str(provider.get("url") or "")]
    while parts and not parts[-1]:
        parts.pop()
    return f" {_SEPARATOR} ".join(parts)


def _read(line: str) -> dict[str, Any]:
    name, roles, url = ([part.strip() for part in line.split(_SEPARATOR)] + ["", ""])[:3]
    found = [role.strip() for role in _BETWEEN_WORDS.split(roles) if role.strip()]
    return {"name": name} | ({"roles": found} if found else {}) | ({"url": url} if url else {})
