"""Going through the archive for scenes that may be the same as an older one: a few hundred at a time, newest first."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np
from django.db.models import Q

from imagery.duplicates import Duplicate, Kind, cosines, pixels_alike
from imagery.models import Asset, Collection, Scene
from imagery.perceptual import FLAT
from imagery.perceptual_bands import MAX_DISTANCE, near_hash
from rsportal.errors import InvalidInput

if TYPE_CHECKING:
    from imagery.querysets import SceneQuerySet, Viewer

_TOGETHER: Final = 50
_OTHERS_SHOWN: Final = 12


@dataclass(frozen=True)
class Group:
    """A scene and older ones that may be the same (same bytes or same pixels); ``more``: how many are left out."""

    scene: Scene
    others: list[Duplicate]
    more: int = 0


@dataclass(frozen=True)
class Page:
    """``groups`` found, how many scenes were looked at, and where to go on ("" at the end of the archive)."""

    groups: list[Group]
    looked_at: int
    after: str


def duplicates_page(
    user: Viewer, *, collection: Collection | None = None, after: str = "", most: int = 20, seconds: float = 2.0
) -> Page:
    """Return the next scenes this person may see that may be the same as an older one they may see.

    Looks at scenes, newest first, until ``most`` are found or ``seconds`` are over. Each pair comes once, with the
    newer one. ``after`` is what the page before returned. Raises InvalidInput (field ``after``) when it is not.
    """
    until = time.monotonic() + seconds
    scenes = Scene.objects.visible_to(user).ready().select_related("collection")
    if collection is not None:
        scenes = scenes.filter(collection=collection)
    groups: list[Group] = []
    looked_at = 0
    while True:
        chunk = _chunk(scenes, after)
        looked_at += len(chunk)
        if not chunk:
            return Page(groups, looked_at, "")
        groups += _groups(chunk, user)
        after = f"{chunk[-1].created_at.isoformat()},{chunk[-1].pk}"
        if len(groups) >= most or time.monotonic() > until:
            return Page(groups, looked_at, after if _chunk(scenes, after) else "")


def _chunk(scenes: SceneQuerySet, after: str) -> list[Scene]:
    if after:
        try:
            moment, _comma, key = after.partition(",")
            at, pk = datetime.fromisoformat(moment), UUID(key)
        except ValueError:
            raise InvalidInput("after: begin again from the first page.", field="after") from None
        scenes = scenes.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=pk))
    rows = scenes.defer("properties", "bands", "stac", "stretch", "footprint")
    return list(rows.order_by("-created_at", "-pk")[:_TOGETHER])


def _groups(chunk: Sequence[Scene], user: Viewer) -> list[Group]:
    """Return those of ``chunk`` that have older twins, with them."""
    same_bytes, same_pixels = _bytes_of(chunk), _pixels_of(chunk, user)
    wanted = {pk for twins in same_bytes.values() for pk in twins}
    wanted |= {pk for twins in same_pixels.values() for pk in twins}
    seen = Scene.objects.visible_to(user).ready().filter(pk__in=wanted).select_related("collection")
    others = {scene.pk: scene for scene in seen.defer("properties", "bands", "stac", "stretch", "footprint")}
    groups = []
    for scene in chunk:
        older = {
            pk: other
            for pk in [*same_bytes.get(scene.pk, ()), *same_pixels.get(scene.pk, ())]
            if (other := others.get(pk)) and (other.created_at, other.pk) < (scene.created_at, scene.pk)
        }
        if not older:
            continue
        pixels = [pk for pk in older if pk not in same_bytes.get(scene.pk, ())]
        cosine = cosines(scene.pk, pixels) if pixels else {}
        found = [Duplicate(older[pk], Kind.BYTES) for pk in older if pk not in pixels]
        found += [
            Duplicate(older[pk], Kind.PIXELS, distance=distance, cosine=cosine.get(pk))
            for pk, distance in sorted(same_pixels.get(scene.pk, {}).items(), key=lambda item: item[1])
            if pk in pixels and pixels_alike(distance, cosine.get(pk))
        ]
        if found:
            groups.append(Group(scene, found[:_OTHERS_SHOWN], max(0, len(found) - _OTHERS_SHOWN)))
    return groups


def _bytes_of(chunk: Sequence[Scene]) -> dict[UUID, dict[UUID, None]]:
    pictures = Asset.objects.filter(role=Asset.Role.DATA, width__gt=0).exclude(sha256="")
    mine = list(pictures.filter(scene__in=chunk).values_list("scene_id", "sha256"))
    holders: dict[str, list[UUID]] = defaultdict(list)
    for pk, sha256 in pictures.filter(sha256__in={sha for _pk, sha in mine}).values_list("scene_id", "sha256"):
        holders[sha256].append(pk)
    found: dict[UUID, dict[UUID, None]] = defaultdict(dict)
    for pk, sha256 in mine:
        found[pk].update(dict.fromkeys(holder for holder in holders[sha256] if holder != pk))
    return found


def _pixels_of(chunk: Sequence[Scene], user: Viewer) -> dict[UUID, dict[UUID, int]]:
    """Return by scene the visible scenes with near hashes, and how many bits away they are."""
    hashes = {scene.pk: scene.perceptual_hash for scene in chunk if scene.perceptual_hash not in (None, FLAT)}
    if not hashes:
        return {}
    known = [value for value in hashes.values() if value is not None]
    near = Scene.objects.visible_to(user).ready().filter(near_hash(*known)).exclude(perceptual_hash=FLAT)
    rows = list(near.order_by().values_list("pk", "perceptual_hash"))
    others = np.array([theirs for _pk, theirs in rows], dtype=np.int64).view(np.uint64)
    found: dict[UUID, dict[UUID, int]] = defaultdict(dict)
    for pk, mine in hashes.items():
        distances = np.bitwise_count(others ^ np.int64(mine or 0).view(np.uint64))
        for position in np.flatnonzero(distances <= MAX_DISTANCE):
            if (other := rows[position][0]) != pk:
                found[pk][other] = int(distances[position])
    return found
