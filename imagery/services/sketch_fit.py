"""Learning a sketch bridge: edge maps of the archive's pictures (or of a folder's), and the pictures' own vectors."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import UUID

import numpy as np
from django.db.models import F, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from PIL import Image

from imagery.encoders.base import ImageTextEncoder
from imagery.encoders.edges import SIDE_PIXELS, edge_map
from imagery.evaluation.pictures import Progress, picture_draw
from imagery.evaluation.sketching import FEWEST_PICTURES, STYLES, Drawn, Learned, bridge_learn
from imagery.models import Asset, Embedding, Encoder, Scene
from imagery.services.queue import sketch_enqueue
from imagery.services.selftest import encoder_ready
from imagery.services.sketches import bridge_store, shipped_bridge
from imagery.tile_pictures import TilePictures
from imagery.tiling import TileWindow
from rsportal.errors import Conflict, InvalidInput, RsportalError

SAMPLE: Final = 2_000
"""Pictures a bridge is learned from, if there are as many."""
_TILES_OF_A_SCENE: Final = 64
_SCENES_AT_ONCE: Final = 100
_DRAWINGS: Final = 4_000  # edge maps in all, if the pictures suffice for them
_BATCH: Final = 16
_SEED: Final = 5
_PICTURE_ENDINGS: Final = frozenset({".bmp", ".jp2", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class Seen:
    """A picture with the vector that is stored of it; None where it is still to be encoded."""

    scene: int
    picture: Image.Image
    vector: NDArray[np.float32] | None


@dataclass(frozen=True)
class SketchFit:
    """A bridge with its worth, and (file name, reason) of pictures that were left out."""

    learned: Learned
    left_out: tuple[tuple[str, str], ...]


def sketch_bridge_fit(
    *, encoder: Encoder, folder: Path | None = None, sample: int = SAMPLE, progress: Progress | None = None
) -> SketchFit:
    """Learn a bridge for the encoder and measure it; nothing is stored.

    From at most ``sample`` pictures of the archive, everybody's (what remains of each is a few numbers in an average of
    hundreds), with their stored vectors; with ``folder`` from its pictures, which are encoded. For weights that come
    with a bridge the gain is over that one. Raises InvalidInput (field ``images`` or ``sample``) and Unavailable.
    """
    if sample < FEWEST_PICTURES:
        raise InvalidInput(
            f"--sample is {sample}, but a sketch bridge needs {FEWEST_PICTURES} pictures.", field="sample"
        )
    model = encoder_ready(encoder=encoder, image=True)
    left_out: list[tuple[str, str]] = []
    if folder is None:
        seen, expected = _of_archive(encoder, sample), sample
    else:
        paths = _paths(folder, sample)
        seen, expected = _of_folder(folder, paths, model.image_size, left_out), len(paths)
    drawn = _drawn(model, seen, expected=expected, progress=progress or Progress())
    return SketchFit(bridge_learn(drawn, present=shipped_bridge(encoder)), tuple(left_out))


def sketch_bridge_request(*, encoder: Encoder) -> None:
    """Have the worker learn a bridge for the encoder. Raises Conflict when it has too few vectors for that."""
    stored = Embedding.objects.filter(encoder=encoder)[:FEWEST_PICTURES].count()
    if stored < FEWEST_PICTURES:
        raise Conflict(
            _("%(name)s has vectors of %(count)d tiles; it takes %(fewest)d to learn to read sketches. Fill it first.")
            % {"name": encoder.name, "count": stored, "fewest": FEWEST_PICTURES},
            code="too_few",
        )
    sketch_enqueue(encoder.pk)


def sketch_bridge_refit(*, encoder_id: int) -> None:
    """Learn a bridge from the archive and keep it. Raises as the fit does, and Conflict if it does not help."""
    encoder = Encoder.objects.get(pk=encoder_id)
    bridge_store(encoder=encoder, learned=sketch_bridge_fit(encoder=encoder).learned, learned_from="the archive")


def _drawn(model: ImageTextEncoder, seen: Iterable[Seen], *, expected: int, progress: Progress) -> Drawn:
    """Few pictures are drawn in all styles, many in one or two each: both teach as much (docs/sketch.md)."""
    each = min(len(STYLES), -(-_DRAWINGS // max(1, expected)))
    images: list[NDArray[np.float32]] = []
    edges: list[NDArray[np.float32]] = []
    scenes: list[int] = []

    def work() -> Iterator[int]:
        batches = iter(seen)
        while batch := list(islice(batches, _BATCH)):
            first = len(images)
            drawings = [
                edge_map(one.picture, style=STYLES[(number + turn) % len(STYLES)], seed=number * len(STYLES) + turn)
                for number, one in enumerate(batch, start=first)
                for turn in range(each)
            ]
            edges.append(model.encode_images(drawings))
            made = iter(model.encode_images([one.picture for one in batch if one.vector is None]))
            images.extend(next(made) if one.vector is None else one.vector for one in batch)
            scenes.extend(one.scene for one in batch)
            yield len(batch)

    progress.steps(work(), what="drawing and encoding pictures", total=expected)
    return Drawn(
        images=np.array(images, dtype=np.float32).reshape(-1, model.dimension),
        edges=np.concatenate([np.empty((0, model.dimension), dtype=np.float32), *edges]),
        owner=np.repeat(np.arange(len(images)), each),
        scene=np.array(scenes, dtype=np.int64),
    )


def _of_archive(encoder: Encoder, sample: int) -> Iterator[Seen]:
    """A random part of the scenes that have vectors, the whole of each and, where that is too little, tiles of them."""
    # Ids are random, so the first of them are a random sample.
    with_vectors = Embedding.objects.filter(encoder=encoder, tile__level=0).values("tile__scene")
    ready = Scene.objects.filter(status=Scene.Status.READY, pk__in=with_vectors).order_by("pk")
    chosen: list[UUID] = list(ready.values_list("pk", flat=True)[:sample])
    each = min(_TILES_OF_A_SCENE, -(-sample // max(1, len(chosen))))
    left = sample
    for start in range(0, len(chosen), _SCENES_AT_ONCE):
        part = chosen[start : start + _SCENES_AT_ONCE]
        pictures = TilePictures.among(Asset.objects.all(), scene_ids=part)
        for scene, level, x, y, width, height, vector in _tiles(encoder, part, each):
            window = TileWindow(level=level, x=x, y=y, width=width, height=height)
            picture = pictures.picture(scene, window, side=SIDE_PIXELS) if left else None
            if picture is not None:
                left -= 1
                yield Seen(chosen.index(scene, start), picture, np.asarray(vector, dtype=np.float32))


def _tiles(
    encoder: Encoder, scenes: Sequence[UUID], each: int
) -> Iterable[tuple[UUID, int, int, int, int, int, object]]:
    place = Window(RowNumber(), partition_by=[F("tile__scene_id")], order_by=[F("tile__level"), F("tile_id")])
    rows = Embedding.objects.filter(encoder=encoder, tile__scene__in=scenes).annotate(place=place)
    fields = ("tile__scene_id", "tile__level", "tile__x", "tile__y", "tile__width", "tile__height", "vector")
    found: Iterable[tuple[UUID, int, int, int, int, int, object]] = (
        rows.filter(place__lte=each).order_by("tile__scene_id", "place").values_list(*fields)
    )
    return found


def _paths(folder: Path, sample: int) -> list[Path]:
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder: --images wants the folder of the pictures.", field="images")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURE_ENDINGS)
    chosen = np.random.default_rng(_SEED).permutation(len(paths))[:sample]
    return [paths[number] for number in np.sort(chosen)]


def _of_folder(folder: Path, paths: Sequence[Path], image_size: int, left_out: list[tuple[str, str]]) -> Iterator[Seen]:
    for number, path in enumerate(paths):
        name = str(path.relative_to(folder))
        try:
            picture = picture_draw(path, name=name, image_size=max(image_size, SIDE_PIXELS))
        except RsportalError as error:
            left_out.append((name, error.message))
        else:
            yield Seen(number, picture, None)
