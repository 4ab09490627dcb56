"""Reads for STAC documents: which scenes somebody may take away, and what those of a collection have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import models
from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from imagery.api.extents import CollectionExtent, scenes_extents
from imagery.models import Collection, Scene
from imagery.querysets import SceneQuerySet
from imagery.selectors import collection_editable
from imagery.stac.collection_out import CollectionFacts

if TYPE_CHECKING:
    from imagery.querysets import Viewer

_MOST_VALUES: Final = 100
"""A summary that lists more values than this tells nothing; it is left out then."""


def scenes_taken_out(user: Viewer, collection: Collection) -> SceneQuerySet:
    """Return the scenes of a collection that this person may take away: complete, and not under an embargo unless
    they edit the collection."""
    scenes: SceneQuerySet = Scene.objects.visible_to(user).kept().filter(collection=collection)
    if not collection_editable(user, collection):
        scenes = scenes.filter(Q(embargo_until=None) | Q(embargo_until__lte=timezone.now()))
    return scenes


def originals_given(user: Viewer, collection: Collection) -> bool:
    """Return whether this person gets the original files: by the licence, or because they edit the collection."""
    return collection.originals_downloadable or collection_editable(user, collection)


def collection_facts(user: Viewer, collection: Collection) -> CollectionFacts:
    """Return what the scenes this person may take away have in common."""
    scenes = scenes_taken_out(user, collection)
    extent = scenes_extents(scenes).get(collection.pk, CollectionExtent())
    row = scenes.aggregate(
        count=Count("pk"),
        gsd_least=Min("gsd"),
        gsd_most=Max("gsd"),
        cloud_least=Min("cloud_cover"),
        cloud_most=Max("cloud_cover"),
    )
    summaries: dict[str, Any] = {}
    for name, key in (("platform", "platform"), ("proj_code", "proj:code")):
        values = scenes.exclude(**{name: ""}).order_by(name).values_list(name, flat=True).distinct()
        _add(summaries, key, list(values[: _MOST_VALUES + 1]))
    each = models.Func("instruments", function="jsonb_array_elements_text", output_field=models.TextField())
    named = scenes.exclude(instruments=[]).order_by().annotate(each=each).values_list("each", flat=True).distinct()
    _add(summaries, "instruments", sorted(named[: _MOST_VALUES + 1]))
    for key, least, most in (("gsd", "gsd_least", "gsd_most"), ("eo:cloud_cover", "cloud_least", "cloud_most")):
        if row[least] is not None:
            summaries[key] = {"minimum": row[least], "maximum": row[most]}
    interval = extent.interval or (None, None)
    return CollectionFacts(count=row["count"], bbox=extent.bbox, interval=interval, summaries=summaries)


def _add(summaries: dict[str, Any], key: str, values: list[str]) -> None:
    if 0 < len(values) <= _MOST_VALUES:
        summaries[key] = values
