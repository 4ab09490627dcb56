"""Which licence texts let every viewer of a collection download its original files."""

from typing import Final

# SPDX identifiers (https://spdx.org/licenses/) of open licences met on imagery, by prefix.
_OPEN_PREFIXES: Final = (
    "CC-BY",
    "CC0",
    "CC-PDDC",
    "PDDL",
    "ODBL",
    "ODC-BY",
    "OGL-",
    "ETALAB",
    "MIT",
    "APACHE",
    "BSD",
    "DL-DE",
)
_RESTRICTED: Final = frozenset({"", "PROPRIETARY", "OTHER", "VARIOUS"})


def allows_download(license: str) -> bool:
    """Return whether ``license`` (an SPDX id or free text) is known to allow copies.

    Unknown text does not: what cannot be read as an open licence is treated as all rights reserved.
    """
    name = license.strip().upper()
    return name not in _RESTRICTED and name.startswith(_OPEN_PREFIXES)
