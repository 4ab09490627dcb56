"""A licence as STAC says it: an SPDX identifier, or ``other`` with a link that has the words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from imagery.citation import cited
from imagery.models import Collection

OTHER: Final = "other"
_ONE: Final = re.compile(r"[\w.+-]+")


@lru_cache(maxsize=1024)
def spdx_license(text: str) -> str:
    """Return the SPDX identifier that ``text`` is, as SPDX writes it; ``other`` for words, for several and for none.

    Expressions (``MIT OR Apache-2.0``) are ``other`` too: the schema of STAC 1.1 lets no space in.
    """
    if not _ONE.fullmatch(text.strip()):
        return OTHER
    try:
        return str(canonicalize_license_expression(text.strip()))
    except InvalidLicenseExpression:
        return OTHER


def license_links(collection: Collection) -> list[dict[str, Any]]:
    """Return the links to the licence and to the publication that its DOI names."""
    links = []
    if collection.license_url:
        link = {"rel": "license", "href": collection.license_url, "type": "text/html"}
        links.append(link | ({"title": collection.license} if collection.license else {}))
    if doi := cited(collection).doi:
        links.append({"rel": "cite-as", "href": f"https://doi.org/{doi}"})
    return links
