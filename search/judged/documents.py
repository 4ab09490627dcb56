"""Scenes by the document ids of TREC files: their own ids, or the names of their original files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar
from uuid import UUID

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from imagery.models import Asset
from imagery.querysets import SceneQuerySet

Name = TypeVar("Name", UUID, str)

_CHUNK: Final = 5_000  # ids in one statement


class DocumentId(models.TextChoices):
    """What a document id in a file is."""

    UUID = "uuid", gettext_lazy("the scene's id")
    FILENAME = "filename", gettext_lazy("the name of the original file")


def scenes_named(
    documents: Iterable[str], *, kind: str, scope: SceneQuerySet
) -> tuple[dict[str, UUID], dict[str, str]]:
    """Return ({document id: scene}, {document id: why there is none}) among the scenes of ``scope``.

    A scene outside of the scope, hidden or not, is answered like one that does not exist.
    """
    wanted = list(dict.fromkeys(documents))
    found = _by_name(wanted, scope) if kind == DocumentId.FILENAME else _by_id(wanted, scope)
    scenes = {name: next(iter(each)) for name, each in found.items() if len(each) == 1}
    reasons = {name: _reason(name, kind, len(found.get(name, ()))) for name in wanted if name not in scenes}
    return scenes, reasons


def documents_of(scene_ids: Iterable[UUID], *, kind: str) -> dict[UUID, str]:
    """Return {scene: its document id}; by file name, scenes without an original file are left out."""
    wanted = list(dict.fromkeys(scene_ids))
    if kind != DocumentId.FILENAME:
        return {scene: str(scene) for scene in wanted}
    names: dict[UUID, str] = {}
    for chunk in _chunks(wanted):
        rows = Asset.objects.filter(scene__in=chunk, role=Asset.Role.DATA).order_by("-key")
        names.update(rows.values_list("scene_id", "filename"))
    return names


def _by_id(wanted: list[str], scope: SceneQuerySet) -> dict[str, set[UUID]]:
    ids = {name: key for name in wanted if (key := _uuid(name)) is not None}
    have: set[UUID] = set()
    for chunk in _chunks(ids.values()):
        have.update(scope.filter(pk__in=chunk).order_by().values_list("pk", flat=True))
    return {name: {key} for name, key in ids.items() if key in have}


def _by_name(wanted: list[str], scope: SceneQuerySet) -> dict[str, set[UUID]]:
    found: dict[str, set[UUID]] = {}
    for chunk in _chunks(wanted):
        rows = Asset.objects.filter(
            role=Asset.Role.DATA, filename__in=chunk, scene__in=scope.order_by().values("pk")
        ).order_by()
        for name, scene_id in rows.values_list("filename", "scene_id"):
            found.setdefault(name, set()).add(scene_id)
    return found


def _reason(name: str, kind: str, count: int) -> str:
    told = {"name": name[:80], "count": count}
    if count > 1:
        return _("%(count)d scenes have a file %(name)s: write their ids.") % told
    if kind == DocumentId.FILENAME:
        return _("there is no scene with a file %(name)s in this set's collection, or you may not see it.") % told
    if _uuid(name) is None:
        return _("%(name)s is no scene id. If the file has file names, say so.") % told
    return _("there is no scene %(name)s in this set's collection, or you may not see it.") % told


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _chunks(values: Iterable[Name]) -> Iterator[list[Name]]:
    rest = iter(values)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
