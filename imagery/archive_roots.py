"""Where archive folders may lie: below the roots that the operator names in the server's configuration."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from rsportal.errors import InvalidInput


def archive_path_check(raw: str) -> Path:
    """Return the folder, absolute and free of links, that may be registered and scanned.

    Raises InvalidInput (field ``path``) when it is no absolute path, lies outside RSPORTAL_ARCHIVE_ROOTS, or holds (or
    lies in) the portal's own files. Whether it is there now is not asked: disks come and go.
    """
    text = raw.strip()
    if not text or "\x00" in text or not Path(text).is_absolute():
        raise _wrong(_("Write an absolute path on the server, such as /archive/2024."))
    try:
        path = Path(text).resolve()
    except (OSError, RuntimeError) as error:
        raise _wrong(_("%(path)s cannot be resolved: %(reason)s.") % {"path": text, "reason": error}) from error
    roots = [Path(root).resolve() for root in settings.ARCHIVE_ROOTS]
    if not roots:
        raise _wrong(
            _(
                "No archive folders are allowed on this server yet. Its operator names them in RSPORTAL_ARCHIVE_ROOTS "
                "and starts the portal again."
            )
        )
    if not any(path.is_relative_to(root) for root in roots):
        raise _wrong(
            _("%(path)s lies outside the archive roots of this server (%(roots)s).")
            % {"path": path, "roots": ", ".join(str(root) for root in roots)}
        )
    for own in (Path(settings.MEDIA_ROOT).resolve(), Path(settings.VAR_DIR).resolve()):
        if path.is_relative_to(own) or own.is_relative_to(path):
            raise _wrong(_("%(path)s holds the portal's own files; choose another folder.") % {"path": path})
    return path


def _wrong(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, field="path")
