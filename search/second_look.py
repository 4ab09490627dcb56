"""A cross-encoder looks again at the first hits of a search, as far as its time goes. Off unless one is configured."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
import structlog
from django.conf import settings
from numpy.typing import NDArray

from imagery.encoders.cross_encoder import CrossEncoder, computing
from imagery.encoders.cross_encoder_files import CrossEncoderSpec, describe
from imagery.tile_pictures import TilePictures
from imagery.tiling import TileWindow
from rsportal.errors import RsportalError
from search.candidates import Candidates
from search.ranking.cross_encoder import second_look_rank
from search.ranking.scenes import RankedScenes
from search.ranking.stages import CrossEncoderStage
from search.translation import translate_by_glossary
from search.translation.lexer import HAN

if TYPE_CHECKING:
    from imagery.querysets import Viewer

_KEPT_SCORES: Final = 100_000  # about 20 MB
_KEY_DIGITS: Final = 32
_MS: Final = 1_000.0
_log = structlog.get_logger(__name__)


class Stopped(StrEnum):
    """Why not every hit was looked at."""

    NOT = ""
    TIME = "time"
    BUSY = "busy"
    LANGUAGE = "language"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class SecondLook:
    """``log_odds`` (n,) float64 that each hit shows what was asked, NaN where nobody looked.

    ``looked`` hits have one; ``stopped`` says why not all do; ``computed`` were not known from an earlier search.
    """

    log_odds: NDArray[np.float64]
    stopped: Stopped = Stopped.NOT
    computed: int = 0

    @property
    def looked(self) -> int:
        """How many hits were looked at."""
        return int(np.count_nonzero(~np.isnan(self.log_odds)))

    @property
    def final(self) -> bool:
        """Whether the same search would see no more if it were repeated."""
        return self.stopped in {Stopped.NOT, Stopped.LANGUAGE}


def look_again(
    *, ranked: RankedScenes, candidates: Candidates, text: str, user: "Viewer", stage: CrossEncoderStage
) -> tuple[RankedScenes, SecondLook]:
    """Return the ranking after the second look at its first ``stage.hits``, and what came of that."""
    count = min(stage.hits, len(ranked.tile_ids))
    tiles = ranked.tile_ids[:count].tolist()
    places = {tile: row for row, tile in enumerate(candidates.tile_ids.tolist())}
    windows = candidates.windows[[places[tile] for tile in tiles]]
    look = second_look(
        hits=Hits(ranked.scene_ids[:count].tolist(), tiles, windows), text=text, user=user, budget_ms=stage.budget_ms
    )
    again = second_look_rank(ranked, log_odds=look.log_odds, weight=stage.weight, skipped=look.stopped.value)
    return again, look


@dataclass(frozen=True)
class Hits:
    """The hits to look at, best first: ids and windows (n, 5) of level, x, y, width, height."""

    scene_ids: Sequence[UUID]
    tile_ids: Sequence[int]
    windows: NDArray[np.int32]


def second_look(
    *,
    hits: Hits,
    text: str,
    user: "Viewer",
    budget_ms: float,
    model: CrossEncoder | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> SecondLook:
    """Score the hits in their order until ``budget_ms`` is spent; what is scored by then counts.

    The budget covers waiting for others, reading pictures and computing, not the loading of the model by the first
    search. It is overrun by less than one batch: a batch is begun only while the last one's pace leaves time for it,
    the first one always. A model that is missing or broken is logged and leaves the order as it is. ``model`` is the
    configured one by default.
    """
    nobody = np.full(len(hits.tile_ids), np.nan)
    english = _english(text)
    if not english:
        return SecondLook(nobody, Stopped.LANGUAGE)
    try:
        model = model or cross_encoder()
        if model is None or not len(nobody):
            return SecondLook(nobody)
        return _look(hits, english, user, budget_ms / _MS, model, clock)
    except RsportalError as error:
        # An extra must not stop the search; the answer says that it is missing.
        _log.error("cross_encoder_unavailable", reason=error.message)
        return SecondLook(nobody, Stopped.UNAVAILABLE)


def cross_encoder_spec() -> CrossEncoderSpec | None:
    """Return what RSPORTAL_CROSS_ENCODER names; None if it is empty."""
    if not settings.CROSS_ENCODER:
        return None
    return CrossEncoderSpec(settings.CROSS_ENCODER, settings.CROSS_ENCODER_REVISION, settings.CROSS_ENCODER_CHECKSUM)


def cross_encoder_problem() -> str:
    """Return why the configured model cannot be used, "" if nothing is known against it or none is configured.

    Looks at the small files only: a pinned checksum is compared when the weights are loaded.
    """
    spec = cross_encoder_spec()
    if spec is None:
        return ""
    try:
        describe(spec)
    except RsportalError as error:
        return f"RSPORTAL_CROSS_ENCODER: {error.message}"
    return ""


def cross_encoder() -> CrossEncoder | None:
    """Return this process's cross-encoder, not loaded yet; None if none is configured."""
    spec = cross_encoder_spec()
    if spec is None:
        return None
    return _instance(spec, settings.ENCODER_DEVICE, settings.ENCODER_PRECISION, float(settings.ENCODER_IDLE_SECONDS))


@cache
def _instance(spec: CrossEncoderSpec, device: str, precision: str, idle_seconds: float) -> CrossEncoder:
    device, dtype = computing(device=device, precision=precision)
    return CrossEncoder(spec, device=device, dtype=dtype, idle_seconds=idle_seconds)


def _english(text: str) -> str:
    """The words in the language that such models read; "" if some of them are not understood."""
    if not HAN.search(text):
        return text
    reading = translate_by_glossary(text)
    return "" if reading.untranslated else reading.english


def _look(
    hits: Hits, text: str, user: "Viewer", budget: float, model: CrossEncoder, clock: Callable[[], float]
) -> SecondLook:
    key = hashlib.sha256(f"{model.checksum()} {model.dtype} {text}".encode()).hexdigest()[:_KEY_DIGITS]
    known = scores.get(key, hits.tile_ids)
    found = np.array([np.nan if score is None else score for score in known])
    if not np.isnan(found).any():
        return SecondLook(found)
    with model.reserved(wait_seconds=budget) as waited:
        if waited is None:
            return SecondLook(found, Stopped.BUSY)
        work = _Work(hits, text, model, TilePictures.of(scene_ids=set(hits.scene_ids), user=user), found)
        stopped = work.run(budget=budget - waited, clock=clock)
    scores.put(key, {hits.tile_ids[row]: float(found[row]) for row in work.done})
    return SecondLook(found, stopped, computed=len(work.done))


@dataclass
class _Work:
    hits: Hits
    text: str
    model: CrossEncoder
    pictures: TilePictures
    found: NDArray[np.float64]
    done: list[int] = field(default_factory=list)

    def run(self, *, budget: float, clock: Callable[[], float]) -> Stopped:
        begun, per_hit = clock(), 0.0
        rows = [int(row) for row in np.flatnonzero(np.isnan(self.found))]
        size = 1  # The first one alone tells how fast this machine is.
        while rows:
            left = budget - (clock() - begun)
            size = min(size, int(left / per_hit)) if per_hit else size
            if size < 1 or left <= 0:
                return Stopped.TIME
            part, rows = rows[:size], rows[size:]
            before = clock()
            self._score(part)
            per_hit = (clock() - before) / len(part)
            size = self.model.batch
        return Stopped.NOT

    def _score(self, part: Sequence[int]) -> None:
        drawn = [(row, picture) for row in part if (picture := self._picture(row)) is not None]
        values = self.model.log_odds([picture for _row, picture in drawn], self.text)
        for (row, _picture), value in zip(drawn, values, strict=True):
            self.found[row] = value
            self.done.append(row)

    def _picture(self, row: int) -> Any:
        level, x, y, width, height = (int(edge) for edge in self.hits.windows[row])
        window = TileWindow(level=level, x=x, y=y, width=width, height=height)
        return self.pictures.picture(self.hits.scene_ids[row], window, side=self.model.facts.image_size)


class Scores:
    """The latest scores by (model and text, tile), so that a repeated search costs nothing and goes on where the last
    one ran out of time. Safe to call from several threads; one a process.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: dict[tuple[str, int], float] = {}

    def get(self, key: str, tile_ids: Sequence[int]) -> list[float | None]:
        """Return what is known of each tile."""
        with self._lock:
            return [self._kept.get((key, tile)) for tile in tile_ids]

    def put(self, key: str, values: dict[int, float]) -> None:
        """Keep values; the oldest go when there are too many."""
        with self._lock:
            for tile, value in values.items():
                self._kept.pop((key, tile), None)
                self._kept[key, tile] = value
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()


scores: Final = Scores(_KEPT_SCORES)
