"""The one error family of rsportal."""


class RsportalError(Exception):
    """An expected failure whose message may be shown to the person who caused it.

    ``message`` is one sentence that names the thing at fault and says what to do;
    ``code`` is a stable, machine-readable word (used by the API's problem details);
    ``field`` names the form field or API parameter at fault, where there is one.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.field = field


class InvalidInput(RsportalError):
    """Something a person or program sent cannot be used (HTTP 400)."""

    code = "invalid"


class NotAllowed(RsportalError):
    """The person may see the thing but not do this with it (HTTP 403)."""

    code = "not_allowed"


class TooLarge(RsportalError):
    """What was sent has more bytes than may be taken (HTTP 413)."""

    code = "too_large"


class Conflict(RsportalError):
    """The thing is not in a state that allows this (HTTP 409)."""

    code = "conflict"


class TooMany(RsportalError):
    """Somebody does more of a thing than one person does in the time (HTTP 429, ``wait_seconds`` as Retry-After)."""

    code = "too_many"

    def __init__(self, message: str, *, wait_seconds: int) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class Unavailable(RsportalError):
    """A part of the portal cannot answer at present (HTTP 503)."""

    code = "unavailable"
