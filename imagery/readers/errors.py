"""Every failure to read an image becomes one of these."""

import re
from typing import Final

from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput, RsportalError

_FOLDERS: Final = re.compile(r"(?:/[^\s/:,'\"]+)+/")


def reason_of(error: BaseException) -> str:
    """Return a library's message on one line and without folders: where files lie is the operator's business."""
    return _FOLDERS.sub("", " ".join(str(error).split()))


class UnreadableImage(InvalidInput):
    """The bytes are not a usable image; the message names the file and the reason."""

    code = "unreadable"


class TruncatedImage(UnreadableImage):
    """The file ends before its pixels do."""

    code = "truncated"


class FileUnavailable(RsportalError):
    """The system cannot give the bytes now (a disk error, a share that is gone, no permission): no fault of theirs."""

    code = "file_unavailable"


def unavailable(name: str, error: BaseException) -> FileUnavailable | None:
    """Return the error to raise when the system, not an imaging library (it sets no ``errno``), raised ``error``."""
    if not isinstance(error, OSError) or error.errno is None:
        return None
    return FileUnavailable(
        _("%(file)s cannot be opened: %(reason)s.") % {"file": name, "reason": error.strerror or error}
    )


class MismatchedBands(InvalidInput):
    """Band files that do not belong to one scene."""

    code = "mismatched_bands"
