"""What is kept about a person's searches, in full: for the history page and the export."""

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from imagery.models import Scene
from search.models import Concept, Event, EventCount, LearningChoice, Query, QueryImage, Ranking
from search.selectors_concepts import concepts_export

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


def learning_choice(user: "User") -> LearningChoice:
    """Return what the person lets the portal learn; without a choice, both (a row that is not stored)."""
    return LearningChoice.objects.filter(user=user.pk).first() or LearningChoice(user=user)


def history_pictures(user: "User") -> QuerySet[QueryImage]:
    """Return the pictures and sketches the person searched with, newest first, without their bytes."""
    return QueryImage.objects.visible_to(user).defer("picture")


def history_concepts(user: "User") -> QuerySet[Concept]:
    """Return the person's own concepts."""
    return Concept.objects.editable_by(user)


def history_export(user: "User") -> Iterator[str]:
    """Yield one JSON document with everything that is kept about the person's searches.

    ``{"user", "exported_at", "learning", "concepts", "events_a_day", "pictures", "queries"}``: what they let the portal
    learn, their concepts, how many events they told a day, the pictures and sketches they searched with (WebP in
    base64), and their queries in the form that ``/api/v1/me/history/`` gives.
    """
    from search.api.serializers import HistoryQuerySerializer

    choice = learning_choice(user)
    counts = EventCount.objects.filter(user=user.pk).order_by("day")
    head = {
        "user": user.get_username(),
        "exported_at": timezone.now(),
        "learning": {"for_me": choice.for_me, "for_all": choice.for_all},
        "concepts": concepts_export(user),
        "events_a_day": [{"day": row.day, "told": row.told, "refused": row.refused} for row in counts],
    }
    yield _json(head)[:-1] + ', "pictures": ['
    for number, picture in enumerate(QueryImage.objects.visible_to(user).iterator(chunk_size=_CHUNK)):
        yield ",\n" if number else "\n"
        yield _json(
            {
                "id": picture.pk,
                "kind": picture.kind,
                "name": picture.name,
                "width": picture.width,
                "height": picture.height,
                "created_at": picture.created_at,
                "used_at": picture.used_at,
                "webp": base64.b64encode(picture.picture).decode(),
            }
        )
    yield '\n], "queries": ['
    for number, query in enumerate(history_details(user).iterator(chunk_size=_CHUNK)):
        yield ",\n" if number else "\n"
        yield _json(HistoryQuerySerializer(query).data)
    yield "\n]}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, cls=DjangoJSONEncoder)
