"""Plain functions that put real rows (and, where asked, real files) into the test database.

Scenes get the tiles and unit vectors a test names, so that what a search must return can be computed by hand.
"""

import hashlib
import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.conf import settings
from django.utils import timezone
from numpy.typing import NDArray
from PIL import Image

from imagery.models import Asset, Collection, CollectionMember, Embedding, Encoder, Scene, Tile
from imagery.models.collection import Visibility
from imagery.services.partitions import partition_create
from rsportal.accounts.models import User
from search.encode_query import query_recipe, query_text_normalise
from search.models import Event, Impression, Query, QueryImage, QueryVector, Ranking

Window = tuple[int, int, int, int]
DIMENSION = 8
SCENE_PX = 64
PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


def unit(values: Sequence[float] | NDArray[Any]) -> NDArray[np.float32]:
    """Return ``values`` at length 1 as float32."""
    array = np.asarray(values, dtype=np.float32)
    return array / np.linalg.norm(array)


def axis(position: int, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """Return the unit vector along one axis."""
    return np.eye(dimension, dtype=np.float32)[position]


def make_user(username: str = "", *, password: str | None = None, superuser: bool = False, **fields: Any) -> User:
    """Return a new user; without ``password`` (see PASSWORD) use ``client.force_login``, which is faster."""
    username = username or f"user{next(_numbers)}"
    fields.setdefault("email", f"{username}@example.org")
    user = User(username=username, is_superuser=superuser, is_staff=fields.pop("is_staff", superuser), **fields)
    if password is None:
        user.set_unusable_password()
    else:
        user.set_password(password)
    user.save()
    return user


def make_collection(
    slug: str = "",
    *,
    owner: User | None = None,
    visibility: str = Visibility.PRIVATE,
    viewers: Iterable[User] = (),
    editors: Iterable[User] = (),
    **fields: Any,
) -> Collection:
    """Return a new collection with its members."""
    slug = slug or f"collection-{next(_numbers)}"
    fields.setdefault("title", slug.replace("-", " ").capitalize())
    collection = Collection.objects.create(slug=slug, owner=owner or make_user(), visibility=visibility, **fields)
    for user in viewers:
        CollectionMember.objects.create(collection=collection, user=user, role=CollectionMember.Role.VIEWER)
    for user in editors:
        CollectionMember.objects.create(collection=collection, user=user, role=CollectionMember.Role.EDITOR)
    return collection


def make_encoder(name: str = "", *, dimension: int = DIMENSION, active: bool = True, **fields: Any) -> Encoder:
    """Return a new encoder row with its partition, active unless told otherwise; it has no files of a model.

    Tests that encode use a real checkpoint instead (``tests/checkpoints.py``).
    """
    if active:
        Encoder.objects.filter(state=Encoder.State.ACTIVE).update(state=Encoder.State.NEW)
    name = name or f"encoder-{next(_numbers)}"
    values: dict[str, Any] = {
        "kind": Encoder.Kind.TRANSFORMERS,
        "source": f"example/{name}",
        "image_size": 32,
        "languages": ["en"],
        "state": Encoder.State.ACTIVE if active else Encoder.State.NEW,
        "activated_at": timezone.now() if active else None,
    }
    encoder = Encoder.objects.create(name=name, dimension=dimension, **{**values, **fields})
    partition_create(encoder)
    return encoder


def active_encoder() -> Encoder:
    """Return the active encoder, made when there is none."""
    return Encoder.objects.filter(state=Encoder.State.ACTIVE).first() or make_encoder()


def make_scene(
    collection: Collection | None = None,
    *,
    title: str = "",
    vector: Sequence[float] | NDArray[Any] | None = None,
    windows: Mapping[Window, Sequence[float] | NDArray[Any]] | None = None,
    encoder: Encoder | None = None,
    status: str = Scene.Status.READY,
    bbox: tuple[float, float, float, float] | None = None,
    files: bool = False,
    **fields: Any,
) -> Scene:
    """Return a new scene of 64 x 64 pixels with its whole-scene tile (level 0) and finer ``windows`` (level 1).

    ``vector`` and the values of ``windows`` become unit vectors under ``encoder`` (the active one by default);
    without ``vector`` the scene has the first axis. ``bbox`` (west, south, east, north) also gives a footprint.
    ``files`` writes a PNG, a thumbnail and an overview; otherwise only the DATA asset's row exists.
    """
    number = next(_numbers)
    if bbox is not None:
        west, south, east, north = bbox
        fields |= {"west": west, "south": south, "east": east, "north": north}
        fields |= {"footprint": _footprint(bbox), "proj_code": "EPSG:4326"}
    fields = {"width": SCENE_PX, "height": SCENE_PX, "content_hash": _sha256(str(number).encode()), **fields}
    collection = collection or make_collection()
    scene = Scene.objects.create(collection=collection, title=title or f"Scene {number}", status=status, **fields)
    encoder = encoder or active_encoder()
    add_tile(scene, encoder, axis(0, encoder.dimension) if vector is None else vector)
    for window, values in (windows or {}).items():
        add_tile(scene, encoder, values, window=window, level=1)
    _add_assets(scene, number=number, files=files)
    return scene


def _footprint(bbox: tuple[float, float, float, float]) -> dict[str, Any]:
    """Return the box as GeoJSON, cut at the antimeridian where it crosses it."""
    west, south, east, north = bbox
    boxes = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    rings = [[[[w, south], [e, south], [e, north], [w, north], [w, south]]] for w, e in boxes]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}


def add_tile(
    scene: Scene,
    encoder: Encoder,
    vector: Sequence[float] | NDArray[Any],
    *,
    window: Window | None = None,
    level: int = 0,
) -> Tile:
    """Return a tile of the scene (found or made) with its embedding under ``encoder``."""
    x, y, width, height = window or (0, 0, scene.width, scene.height)
    tile, _ = Tile.objects.get_or_create(scene=scene, level=level, x=x, y=y, width=width, height=height)
    Embedding.objects.create(encoder=encoder, tile=tile, vector=unit(vector).tolist())
    return tile


def know_query(
    text: str, vector: Sequence[float] | NDArray[Any] | None = None, *, encoder: Encoder | None = None
) -> QueryVector:
    """Put the vector of a query text (the first axis by default) into the cache, so that asking it loads no model."""
    encoder = encoder or active_encoder()
    text = query_text_normalise(text)
    values = axis(0, encoder.dimension) if vector is None else unit(vector)
    return QueryVector.objects.create(
        encoder=encoder,
        recipe=query_recipe(encoder),
        text=text,
        text_sha256=_sha256(text.encode()),
        vector=values.tolist(),
    )


def make_ranking(user: User, scenes: Sequence[Scene], *, text: str = "harbour", **fields: Any) -> Ranking:
    """Return a stored answer to a query of ``user``: these scenes in this order, whole scene matched."""
    encoder = fields.pop("encoder", None) or active_encoder()
    tiles = {tile.scene_id: tile.pk for tile in Tile.objects.filter(scene__in=scenes, level=0)}
    values: dict[str, Any] = {
        "ranker": "cosine-1",
        "scene_ids": [scene.pk for scene in scenes],
        "tile_ids": [tiles[scene.pk] for scene in scenes],
        "scores": [0.9 - 0.001 * position for position in range(len(scenes))],
        "searched": len(scenes),
        "took_ms": {"encode": 1.0, "retrieve": 1.0, "rank": 1.0, "total": 3.0},
    }
    query = Query.objects.create(user=user, text=text)
    return Ranking.objects.create(query=query, encoder=encoder, **{**values, **fields})


def make_impression(user: User, scene: Scene, *, rank: int = 1, text: str = "harbour") -> Impression:
    """Return the record that ``scene`` was shown to ``user``."""
    ranking = make_ranking(user, [scene], text=text)
    return Impression.objects.create(ranking=ranking, scene=scene, tile_id=ranking.tile_ids[0], rank=rank)


def make_event(user: User, scene: Scene, kind: str = Event.Kind.CLICK) -> Event:
    """Return the record that ``user`` did this with ``scene``."""
    return Event.objects.create(impression=make_impression(user, scene), kind=kind, user=user)


def make_query_image(user: User, *, kind: str = "picture", number: int = 1, name: str = "") -> QueryImage:
    """Return a picture (or sketch) that a person searched with."""
    kind = QueryImage.Kind.SKETCH if kind == "sketch" else QueryImage.Kind.PICTURE
    content = picture(number, "WEBP")
    return QueryImage.objects.create(
        user=user, kind=kind, name=name, picture=content, width=SCENE_PX, height=SCENE_PX, sha256=_sha256(content)
    )


def utc(year: int, month: int = 1, day: int = 1, hour: int = 0) -> datetime:
    """Return a moment in UTC."""
    return datetime(year, month, day, hour, tzinfo=timezone.get_default_timezone())


def picture(number: int, format: str = "PNG", size: int = SCENE_PX) -> bytes:
    """Return a small real picture, different for each ``number``."""
    ramp = np.linspace(0, 255, size, dtype=np.uint8)
    red, green = np.meshgrid(ramp, ramp)
    blue = np.full_like(red, number % 256)
    blue[0, 0] = number // 256 % 256
    out = io.BytesIO()
    Image.fromarray(np.dstack([red, green, blue])).save(out, format=format)
    return out.getvalue()


def _add_assets(scene: Scene, *, number: int, files: bool) -> None:
    """Add the DATA asset and, with files, the two renditions the pages show."""
    kinds = [("data", Asset.Role.DATA, "png", "PNG")]
    if files:
        kinds += [
            ("thumbnail", Asset.Role.THUMBNAIL, "webp", "WEBP"),
            ("overview", Asset.Role.OVERVIEW, "webp", "WEBP"),
        ]
    for key, role, suffix, format in kinds:
        path = f"{scene.pk}/{key}.{suffix}"
        content = picture(number, format)
        if files:
            target = settings.MEDIA_ROOT / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        Asset.objects.create(
            scene=scene,
            key=key,
            role=role,
            path=path,
            filename=f"scene-{number}.{suffix}" if role == Asset.Role.DATA else f"{key}.{suffix}",
            media_type=f"image/{suffix}",
            size=len(content),
            sha256=_sha256(content),
            width=SCENE_PX,
            height=SCENE_PX,
        )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
