"""Giving memory back to the system. Each step does nothing where the system cannot do it."""

import ctypes
import gc
import re
from pathlib import Path
from typing import Final

_DONT_NEED: Final = 4  # MADV_DONTNEED of Linux
_MAPPING: Final = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s+(/.*)$")


def trim() -> None:
    """Collect garbage and return free heap pages to the system; without it a dropped model stays in the process."""
    gc.collect()
    library = _c_library()
    if library is not None and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


def pages_release(path: Path) -> int:
    """Forget the pages of a read-only mapped file; they are read again when touched. Returns the bytes of mapping.

    A runtime that maps the weights and then packs them for the processor never looks at most pages again.
    """
    library = _c_library()
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    if library is None:
        return 0
    wanted, released = str(path.resolve()), 0
    for line in lines:
        found = _MAPPING.match(line)
        # A writable mapping may hold changes that are nowhere else.
        if found and found[4].removesuffix(" (deleted)") == wanted and "w" not in found[3]:
            start, end = int(found[1], 16), int(found[2], 16)
            if library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONT_NEED) == 0:
                released += end - start
    return released


def resident_bytes() -> int:
    """Memory this process holds now (RSS); 0 where /proc is missing."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    import resource

    return pages * resource.getpagesize()


def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):
        return None
