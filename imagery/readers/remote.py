"""Rasters at addresses for GDAL: each read is a range request of ``imagery.stac.ranges``, checked like any other.

Not GDAL's own network files: those look names up by themselves and follow redirects anywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from imagery.readers.location import RemoteFile
from rsportal.errors import RsportalError

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from imagery.stac.ranges import RangeFile

HEAD_BYTES: Final = 512
_trouble = threading.local()


def remote_head(location: RemoteFile) -> bytes:
    """Return the first bytes of a file at an address. Raises what ``imagery.stac.ranges`` raises."""
    from imagery.stac.ranges import RangeFile

    with RangeFile(location.href) as file:
        return file.read(HEAD_BYTES)


@contextmanager
def remote_opened(location: RemoteFile, driver: str) -> Iterator[DatasetReader]:
    """Open a raster at an address with one GDAL driver; it sees this one file and nothing beside it.

    Raises rasterio's errors. Why a request failed is told by :func:`trouble_raise`: GDAL only knows that it did.
    """
    import rasterio
    from rasterio.abc import FileContainer

    from imagery.stac.ranges import RangeFile

    class OneFile(FileContainer):
        """What GDAL may open: a single name."""

        def open(self, path: str, mode: str = "r", **more: Any) -> Any:
            if path != name or "w" in mode or "a" in mode or "+" in mode:
                raise FileNotFoundError(path)
            return _Told(content)

        def isfile(self, path: str) -> bool:
            return path == name

        def isdir(self, path: str) -> bool:
            return False

        def ls(self, path: str) -> list[str]:
            return []

        def mtime(self, path: str) -> int:
            return 0

        def rm(self, path: str) -> None:
            raise PermissionError(path)

        def size(self, path: str) -> int:
            return content.size if path == name else 0

    name = f"remote-{uuid4().hex}"
    with (
        RangeFile(location.href) as content,
        rasterio.open(name, driver=driver, sharing=False, opener=OneFile()) as dataset,
    ):
        yield dataset


def trouble_forget() -> None:
    """Begin anew: no request of this thread has failed."""
    _trouble.error = None


def trouble_raise() -> None:
    """Raise why a request of this thread failed since :func:`trouble_forget`; nothing happens if none did."""
    error: RsportalError | None = getattr(_trouble, "error", None)
    _trouble.error = None
    if error is not None:
        raise error


class _Told:
    """A file for GDAL's callbacks, which cannot carry an error: it is kept for the one who asked GDAL."""

    def __init__(self, file: RangeFile) -> None:
        self._file = file

    def __enter__(self) -> _Told:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except RsportalError as error:
            _trouble.error = error
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        """Stay open: GDAL opens and closes the file as it likes."""
