"""Every failure of an imaging library becomes one of these."""

from rsportal.errors import InvalidInput


class UnreadableImage(InvalidInput):
    """The bytes are not a usable image; the message names the file and the reason."""

    code = "unreadable"


class TruncatedImage(UnreadableImage):
    """The file ends before its pixels do."""

    code = "truncated"


class MismatchedBands(InvalidInput):
    """Band files that do not belong to one scene."""

    code = "mismatched_bands"
