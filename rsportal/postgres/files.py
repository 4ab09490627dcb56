"""Writing files as root into a folder that an ordinary user owns, without following that user's links."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` in one step by a file with this text, mode 0600, owned like its folder."""
    partial = path.with_name(f"{path.name}.new")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if os.geteuid() == 0:
            folder = path.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
        file.write(text)
    partial.replace(path)
