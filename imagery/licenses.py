"""Which licence texts let every viewer of a collection download its original files."""

import re
from typing import Final

# SPDX identifiers (https://spdx.org/licenses/) of open licences met on imagery, by family.
_OPEN_FAMILIES: Final = (
    "CC-BY",
    "CC0",
    "CC-PDDC",
    "PDDL",
    "ODBL",
    "ODC-BY",
    "OGL",
    "ETALAB",
    "MIT",
    "APACHE",
    "BSD",
    "DL-DE",
)
_OPEN: Final = re.compile(rf"(?:{'|'.join(map(re.escape, _OPEN_FAMILIES))})(?:-[A-Z0-9.+-]+)?")


def allows_download(license: str) -> bool:
    """Return whether ``license`` (an SPDX id or free text) is known to allow copies.

    Only an identifier of a known open family does (``CC-BY-4.0``, ``ODbL-1.0``): a sentence that merely begins like
    one, as any unknown text, is treated as all rights reserved.
    """
    return _OPEN.fullmatch(license.strip().upper()) is not None
