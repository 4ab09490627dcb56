"""A folder of pictures -> vectors: decoded in threads beside the encoder, drawn the way an ingest draws them."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from imagery.encoders.base import ImageTextEncoder
from imagery.encoders.errors import UnsupportedLanguage
from imagery.readers import fit_within, open_scene
from imagery.rendering import Renderer
from imagery.thumbnails import OVERVIEW_SIDE_PIXELS
from rsportal.errors import InvalidInput, RsportalError

_IMAGE_BATCH: Final = 16
_TEXT_BATCH: Final = 128
_THREADS: Final = 2
_AHEAD: Final = 4 * _IMAGE_BATCH
_LINE_SECONDS: Final = 10.0


class Writer(Protocol):
    """Where progress and remarks go, such as a command's ``stderr``."""

    def write(self, message: str) -> object: ...


@dataclass(frozen=True)
class EncodedPictures:
    """``vectors`` (n, d) float32 unit rows of the pictures ``rows`` (n,), numbers in the list that was asked for.

    ``refused`` are (file name, reason) of the others; ``seconds`` is the time of decoding and encoding together.
    """

    vectors: NDArray[np.float32]
    rows: NDArray[np.int64]
    refused: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def per_second(self) -> float:
        """Pictures decoded and encoded in a second."""
        return len(self.rows) / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class EncodedTexts:
    """``vectors`` (n, d) float32 unit rows, zeros where ``refused`` ({row: reason}) names the text."""

    vectors: NDArray[np.float32]
    refused: dict[int, str]


class Progress:
    """How far a long step is: a bar on a terminal, else a line every ten seconds."""

    def __init__(self, *, stderr: Writer | None = None) -> None:
        self._stderr = stderr
        self._bars = stderr is not None and sys.stderr.isatty()

    def steps(self, items: Iterator[int], *, what: str, total: int) -> None:
        """Go through ``items``, numbers of things done since the last one."""
        done, next_line = 0, time.monotonic() + _LINE_SECONDS
        with tqdm(total=total, desc=what, disable=not self._bars, leave=False) as bar:
            for count in items:
                done += count
                bar.update(count)
                if self._stderr is not None and not self._bars and time.monotonic() > next_line:
                    next_line = time.monotonic() + _LINE_SECONDS
                    self._stderr.write(f"{what}: {done:,} of {total:,}")


def pictures_encode(
    *, model: ImageTextEncoder, folder: Path, filenames: Sequence[str], progress: Progress | None = None
) -> EncodedPictures:
    """Decode and encode the whole of each picture. One that is missing or broken is refused, and the rest goes on.

    Raises InvalidInput (field ``images``) if the folder is not there, and what the encoder raises.
    """
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder: --images wants the folder of the pictures.", field="images")
    model.load(image=True, text=False)  # Before the clock starts.
    vectors = np.empty((len(filenames), model.dimension), dtype=np.float32)
    rows: list[int] = []
    refused: list[tuple[str, str]] = []

    def work() -> Iterator[int]:
        batch: list[tuple[int, Image.Image]] = []
        for row, drawn in _drawn(folder, filenames, image_size=model.image_size):
            if isinstance(drawn, RsportalError):
                refused.append((filenames[row], drawn.message))
                yield 1
            else:
                batch.append((row, drawn))
            if len(batch) == _IMAGE_BATCH:
                yield flush(batch)
        if batch:
            yield flush(batch)

    def flush(batch: list[tuple[int, Image.Image]]) -> int:
        places = [row for row, _image in batch]
        vectors[places] = model.encode_images([image for _row, image in batch])
        rows.extend(places)
        batch.clear()
        return len(places)

    started = time.perf_counter()
    (progress or Progress()).steps(work(), what="encoding pictures", total=len(filenames))
    seconds = time.perf_counter() - started
    return EncodedPictures(
        vectors=vectors[rows], rows=np.array(rows, dtype=np.int64), refused=tuple(refused), seconds=seconds
    )


def texts_encode(
    *,
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
    dimension: int,
    texts: Sequence[str],
    progress: Progress | None = None,
) -> EncodedTexts:
    """Encode each text once, equal ones to equal rows. One that cannot be read (UnsupportedLanguage, InvalidInput) is
    refused.
    """
    distinct = list(dict.fromkeys(texts))
    vectors = np.zeros((len(distinct), dimension), dtype=np.float32)
    reasons: dict[str, str] = {}

    def work() -> Iterator[int]:
        for start in range(0, len(distinct), _TEXT_BATCH):
            part = distinct[start : start + _TEXT_BATCH]
            try:
                vectors[start : start + len(part)] = encode(part)
            except (UnsupportedLanguage, InvalidInput):
                for row, text in enumerate(part, start=start):
                    try:
                        vectors[row] = encode([text])[0]
                    except (UnsupportedLanguage, InvalidInput) as error:
                        reasons[text] = error.message
            yield len(part)

    (progress or Progress()).steps(work(), what="encoding texts", total=len(distinct))
    number = {text: row for row, text in enumerate(distinct)}
    return EncodedTexts(
        vectors=vectors[[number[text] for text in texts]],
        refused={row: reasons[text] for row, text in enumerate(texts) if text in reasons},
    )


def picture_draw(path: Path, *, name: str, image_size: int) -> Image.Image:
    """The whole picture as 8-bit RGB, its shorter side at the encoder's size if that makes it smaller.

    Raises UnreadableImage or FileUnavailable.
    """
    with open_scene({"data": path}, names={"data": name}) as reader:
        size = fit_within((reader.width, reader.height), OVERVIEW_SIDE_PIXELS)
        image = Image.fromarray(Renderer(reader).render(None, size).array)
    factor = image_size / min(image.size)
    if factor < 1:
        wanted = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        image = image.resize(wanted, Image.Resampling.BOX)
    return image


def _drawn(
    folder: Path, filenames: Sequence[str], *, image_size: int
) -> Iterator[tuple[int, Image.Image | RsportalError]]:
    """Yield each picture in order, or why it has none; at most ``_AHEAD`` are drawn before they are asked for."""

    def draw(name: str) -> Image.Image | RsportalError:
        try:
            return picture_draw(folder / name, name=name, image_size=image_size)
        except RsportalError as error:
            return error

    waiting: deque[tuple[int, Future[Image.Image | RsportalError]]] = deque()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="draw") as pool:
        try:
            for row, name in enumerate(filenames):
                waiting.append((row, pool.submit(draw, name)))
                if len(waiting) > _AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)
