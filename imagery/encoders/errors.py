"""What can go wrong with an encoder; each message says what the operator or the user must do."""

from rsportal.errors import RsportalError


class EncoderUnavailable(RsportalError):
    """The files of an encoder are missing, unreadable or of a kind this version cannot load."""

    code = "encoder_unavailable"


class EncoderMismatch(RsportalError):
    """The files of an encoder are there but are not those its description promises."""

    code = "encoder_mismatch"


class UnsupportedLanguage(RsportalError):
    """The text is in a language, or of a kind, that the encoder's tokenizer cannot read."""

    code = "unsupported_language"
