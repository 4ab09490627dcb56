"""Items of other archives as scenes: new ones are added, changed ones brought up to date, the rest left alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from imagery.models import Collection, Scene
from imagery.stac.assets_in import assets_choose
from imagery.stac.fields_in import (
    FINGERPRINT,
    KEPT_KEYS,
    PLACE_FIELDS,
    PLACED,
    ItemIn,
    grid_fields,
    item_in,
    metadata_hash,
)
from imagery.stac.names import STAC_ASSETS, STAC_SOURCE
from imagery.stac.source import Found
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput

_FIELDS: Final = (
    "title", "datetime", "start_datetime", "end_datetime", "platform", "instruments", "gsd", "cloud_cover",
    "embargo_until", "properties", "stac", *PLACE_FIELDS,
)  # fmt: skip
_EMPTY: Final[dict[str, Any]] = {
    "datetime": None, "start_datetime": None, "end_datetime": None, "platform": "", "instruments": [], "gsd": None,
    "cloud_cover": None, "embargo_until": None, "properties": {}, "width": 0, "height": 0, "bands": [],
    "proj_code": "",
}  # fmt: skip
_TRIES: Final = 3


class Outcome(StrEnum):
    """What became of an item."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass
class Stored:
    """An item, what became of it, the scene's id and state, or the ``reason`` why it was refused."""

    found: Found
    outcome: Outcome
    item: ItemIn | None = None
    scene_id: UUID | None = None
    status: str = ""
    reason: str = ""


def stac_items_store(
    *, found: Sequence[Found], collection: Collection | None, user: User | None, write: bool = True
) -> list[Stored]:
    """Store items as scenes of ``collection``; return what became of each, in their order. Asks no permission.

    An item is known by its id: one that is as it was writes nothing, a changed one updates the fields it speaks of
    (but not the place and size that its pixels told better). New ones have no pixels yet. Without ``write`` nothing is
    stored, and the outcome is what it would be.
    """
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                return _stored([_read(each) for each in found], collection, user, write=write)
        except IntegrityError:  # Another import adds the same items at this moment: look again.
            if attempt == _TRIES - 1:
                raise
    raise AssertionError("not reached")


def stac_item_store(*, found: Found, collection: Collection, user: User) -> Stored:
    """Do what :func:`stac_items_store` does for one item."""
    return stac_items_store(found=[found], collection=collection, user=user)[0]


def _read(found: Found) -> Stored:
    if found.error:
        return Stored(found, Outcome.REFUSED, reason=found.error)
    try:
        return Stored(found, Outcome.UNCHANGED, item=item_in(found.item, base=found.base))
    except InvalidInput as error:
        return Stored(found, Outcome.REFUSED, reason=error.message)


def _stored(read: list[Stored], collection: Collection | None, user: User | None, *, write: bool) -> list[Stored]:
    ids = {each.item.stac_id for each in read if each.item}
    known: dict[str, tuple[UUID, str, str]] = {
        stac_id: (pk, status, fingerprint)
        for stac_id, pk, status, fingerprint in Scene.objects.filter(
            collection=collection, stac_id__in=ids
        ).values_list("stac_id", "pk", "status", f"stac__{FINGERPRINT}")
    }
    changed_ids = {
        known[each.item.stac_id][0]
        for each in read
        if each.item and each.item.stac_id in known and known[each.item.stac_id][2] != each.item.fingerprint
    }
    rows = _locked(changed_ids) if write else {}
    new: dict[str, Scene] = {}
    for each in read:
        if each.item is not None:
            _place_in(each, each.item, known, rows, new, collection, user)
    if write:
        Scene.objects.bulk_create(new.values())
        Scene.objects.bulk_create(
            rows.values(), update_conflicts=True, unique_fields=["id"], update_fields=[*_FIELDS, "updated_at"]
        )
    return read


def _locked(ids: Iterable[UUID]) -> dict[UUID, Scene]:
    if not ids:
        return {}
    return {scene.pk: scene for scene in Scene.objects.filter(pk__in=ids).order_by("pk").select_for_update()}


def _place_in(
    each: Stored,
    item: ItemIn,
    known: dict[str, tuple[UUID, str, str]],
    rows: dict[UUID, Scene],
    new: dict[str, Scene],
    collection: Collection | None,
    user: User | None,
) -> None:
    """Say what becomes of one item, and change or make its row; ``known`` learns of it."""
    scene: Scene | None
    if item.stac_id in known:
        pk, status, fingerprint = known[item.stac_id]
        each.scene_id, each.status = pk, status
        if fingerprint == item.fingerprint:
            return
        each.outcome = Outcome.CHANGED
        scene = rows.get(pk) or new.get(item.stac_id)
        if scene is None:  # Nothing is written, or it was deleted this very moment.
            return
    else:
        each.outcome = Outcome.ADDED
        scene = Scene(
            collection=collection or Collection(),
            stac_id=item.stac_id,
            status=Scene.Status.METADATA,
            content_hash=metadata_hash(item.stac_id),
            created_by=user,
        )
    before = {name: getattr(scene, name) for name in _FIELDS}
    _fill(scene, item)
    try:
        scene.full_clean(exclude=["collection", "created_by"], validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        each.outcome, each.reason = Outcome.REFUSED, f"{field}: {messages[0]}"
        for name, value in before.items():
            setattr(scene, name, value)
        return
    if each.outcome is Outcome.ADDED:
        new[item.stac_id] = scene
        each.scene_id, each.status = scene.pk, scene.status
    known[item.stac_id] = (scene.pk, scene.status, item.fingerprint)


def _fill(scene: Scene, item: ItemIn) -> None:
    """Set what the item says; where its pixels told more, the scene keeps that."""
    grid = grid_fields(assets_choose(item.assets))
    fields = {**_EMPTY, **grid, **{name: value for name, value in item.fields.items() if value not in ("", None)}}
    kept = {key: scene.stac[key] for key in KEPT_KEYS if key in scene.stac}
    fields["stac"] = {**item.fields["stac"], **kept}
    told = scene.status != Scene.Status.METADATA
    for name in _FIELDS:
        if name in {"width", "height", "bands"} and told:
            continue
        if name in PLACE_FIELDS and scene.stac.get(PLACED):
            continue
        setattr(scene, name, fields.get(name))
    scene.updated_at = timezone.now()


def stored_again(scene: Scene) -> Stored:
    """Return an imported scene without pixels as if its item had just been read, unchanged."""
    item = ItemIn(
        stac_id=scene.stac_id,
        fields={},
        assets=scene.stac.get(STAC_ASSETS) or {},
        fingerprint=scene.stac.get(FINGERPRINT, ""),
    )
    found = Found(where=scene.stac_id, cursor={}, base=scene.stac.get(STAC_SOURCE) or "")
    return Stored(found, Outcome.UNCHANGED, item=item, scene_id=scene.pk, status=Scene.Status.METADATA)
