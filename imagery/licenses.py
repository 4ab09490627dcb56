"""Which licence texts let every viewer of a collection download its original files."""

import re
from typing import Final

from django.conf import settings

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


def licences_searched() -> str | None:
    """Return the pattern (for a match without regard to case) of licences whose scenes a search may find; None: any.

    ``RSPORTAL_SEARCH_LICENSES`` lists SPDX ids in which ``*`` stands for anything; ``none`` stands for collections
    without a licence.
    """
    allowed = ["" if each.lower() == "none" else each for each in settings.SEARCH_LICENSES]
    if not allowed:
        return None
    return rf"^\s*({'|'.join('.*'.join(map(re.escape, each.split('*'))) for each in allowed)})\s*$"
