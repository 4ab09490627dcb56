"""What is kept about a person's searches, in full: for the history page and the export."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from imagery.models import Scene
from search.models import Event, Query, Ranking

if TYPE_CHECKING:
    from rsportal.accounts.models import User

_CHUNK: Final = 50  # queries read at a time


@dataclass(frozen=True)
class Deed:
    """Something a person did with a hit. ``scene`` is None when it is no longer shared with them."""

    event: Event
    rank: int
    scene: Scene | None


def history_deeds(user: "User", queries: Iterable[Query]) -> dict[int, list[Deed]]:
    """Return what the person did with the hits of these queries, by query id, in order of rank."""
    events = (
        Event.objects.visible_to(user)
        .filter(impression__ranking__query__in=[query.pk for query in queries])
        .select_related("impression__ranking")
        .order_by("impression__rank", "created_at")
        .defer(*(f"impression__ranking__{name}" for name in ("scene_ids", "tile_ids", "scores")))
    )
    rows = list(events)
    scenes = Scene.objects.visible_to(user).in_bulk({event.impression.scene_id for event in rows})
    deeds: dict[int, list[Deed]] = defaultdict(list)
    for event in rows:
        impression = event.impression
        deeds[impression.ranking.query_id].append(Deed(event, impression.rank, scenes.get(impression.scene_id)))
    return dict(deeds)


def history_details(user: "User") -> QuerySet[Query]:
    """Return the person's queries, newest first, with rankings, impressions and events, without vectors and lists."""
    rankings = Ranking.objects.select_related("encoder").defer("scene_ids", "tile_ids", "scores", "dropped_ranks")
    return Query.objects.visible_to(user).prefetch_related(
        Prefetch("rankings", rankings.order_by("created_at")), "rankings__impressions__events"
    )


def history_export(user: "User") -> Iterator[str]:
    """Yield one JSON document with everything that is kept about the person's searches.

    ``{"user", "exported_at", "queries": [...]}``; each query has the form that ``/api/v1/me/history/`` gives.
    """
    from search.api.serializers import HistoryQuerySerializer

    head = json.dumps({"user": user.get_username(), "exported_at": timezone.now().isoformat()}, ensure_ascii=False)
    yield head[:-1] + ', "queries": ['
    for number, query in enumerate(history_details(user).iterator(chunk_size=_CHUNK)):
        yield ",\n" if number else "\n"
        yield json.dumps(HistoryQuerySerializer(query).data, ensure_ascii=False, cls=DjangoJSONEncoder)
    yield "\n]}\n"
