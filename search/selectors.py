"""Reads of the search app: rankings, a person's history, how much of the archive can be searched."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import (
    Count,
    Exists,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from imagery.models import Collection, Embedding, Encoder, FillItem, Scene
from imagery.models.encoder import HEAVY_FIELDS
from imagery.selectors import coverage_cells
from imagery.selectors_archive import ArchiveState, archive_state
from rsportal.maps.world import spots
from search.facets import EXACT_TO
from search.kept import Kept
from search.models import Event, Impression, Query, Ranking

if TYPE_CHECKING:
    from imagery.querysets import Viewer

_PATIENCE_SECONDS: Final = 5.0
"""So old may be how far a large archive is encoded."""
_searchable: Kept[int] = Kept(256)
_MAP_SECONDS: Final = 60.0
"""So old may be the map of a large archive."""
_spots: Kept[list[Any]] = Kept(64)


def ranking_get(user: "Viewer", id: UUID | str) -> Ranking:
    """Return a ranking of this person's own with its query, the pieces of a long text, and the encoder.

    Raises Ranking.DoesNotExist, also for another person's and for an id that is no UUID.
    """
    try:
        key = id if isinstance(id, UUID) else UUID(id)
    except ValueError:
        raise Ranking.DoesNotExist(f"{id!r} is no ranking id") from None
    rows = Ranking.objects.visible_to(user).select_related("query__vector", "encoder")
    lists = ("scene_ids", "tile_ids", "reasons")  # Of which a page needs its part only.
    unused = (*lists, "query__vector__vector", *(f"encoder__{name}" for name in HEAVY_FIELDS))
    ranking: Ranking = rows.defer(*unused).get(pk=key)
    return ranking


# Before every search: Django takes three times as long to write this statement as the database to answer it.
_CACHED: Final = """
SELECT ranking.id, (query.user_id = %(user)s AND query.channel = %(channel)s AND ranking.dropped_ranks = '{}') AS own
FROM search_ranking AS ranking JOIN search_query AS query ON query.id = ranking.query_id
WHERE ranking.cache_key = %(key)s AND ranking.cache_key <> '' AND ranking.computed_at > %(since)s
ORDER BY own DESC, ranking.computed_at DESC LIMIT 1
"""


@dataclass(frozen=True)
class CachedRanking:
    """A ranking that answers a question now. ``own`` is whether it is the very entry of this person's history."""

    pk: UUID
    own: bool


def ranking_cached(user: "Viewer", key: str, channel: str) -> CachedRanking | None:
    """Return the latest ranking with this key that was computed within ``RSPORTAL_SEARCH_REUSE_MINUTES``, or None.

    One's own goes first, unless hits have dropped out of it: a new search shows what is visible again.
    """
    since = timezone.now() - timedelta(minutes=settings.SEARCH_REUSE_MINUTES)
    with connection.cursor() as cursor:
        cursor.execute(_CACHED, {"user": user.pk, "channel": channel, "key": key, "since": since})
        row = cursor.fetchone()
    return CachedRanking(*row) if row is not None else None


def history_list(user: "Viewer") -> QuerySet[Any]:
    """Return this person's queries (``Query`` rows), newest first, in one statement.

    Each carries ``ranking_id`` (the latest, or None) and the counts ``found`` and ``searched`` of that ranking,
    ``shown`` (hits that were on a page), ``clicks``, ``likes``, ``dislikes`` and ``downloads``.
    """
    latest = Ranking.objects.filter(query=OuterRef("pk")).order_by("-created_at")
    shown = Impression.objects.filter(ranking__query=OuterRef("pk")).order_by().values("ranking__query")
    events = Event.objects.filter(impression__ranking__query=OuterRef("pk")).order_by()
    counts = {
        f"{kind}s": _count(events.filter(kind=kind).values("impression__ranking__query")) for kind in Event.Kind.values
    }
    rows: QuerySet[Any] = Query.objects.visible_to(user).annotate(
        ranking_id=Subquery(latest.values("pk")[:1]),
        found=Coalesce(Subquery(latest.values("scene_ids__len")[:1], output_field=IntegerField()), 0),
        searched=Coalesce(Subquery(latest.values("searched")[:1]), 0),
        shown=_count(shown),
        **counts,
    )
    return rows


def archive_progress(user: "Viewer", *, state: ArchiveState | None = None) -> tuple[int, int, Encoder | None]:
    """Return (scenes this person can search now, scenes that will be searchable, the active encoder or None).

    Scenes whose ingest failed count in neither; a scene without vectors under the active encoder is not searchable yet.
    Of more than 10,000 scenes not each is looked at: those that wait for the active encoder's fill are counted.
    ``state`` is that of all the person sees, if it was read already.
    """
    encoder = Encoder.objects.filter(state=Encoder.State.ACTIVE).defer(*HEAVY_FIELDS).first()
    scenes = Scene.objects.visible_to(user).order_by()
    waiting = scenes.filter(status=Scene.Status.PENDING).count()
    state = state or archive_state(Collection.objects.visible_to(user))
    if encoder is None or not state.scenes:
        return 0, waiting + state.scenes, encoder

    def searchable() -> int:
        embedded = Embedding.objects.filter(encoder=encoder)
        if state.scenes <= EXACT_TO:
            return int(scenes.ready().filter(Exists(embedded.filter(tile__scene=OuterRef("pk")))).count())
        if not embedded.exists():
            return 0
        items = FillItem.objects.filter(fill__encoder=encoder, scene__in=scenes.ready().values("pk"))
        return state.scenes - items.count()

    made_in = (state.changes, state.encoder)
    patience = _PATIENCE_SECONDS if state.scenes > EXACT_TO else 0.0
    key = (state.collections, encoder.pk)
    return _searchable.get(key, state=made_in, compute=searchable, patience=patience), waiting + state.scenes, encoder


def coverage_spots(user: "Viewer") -> list[Any]:
    """Return where the searchable scenes lie, as spots of the world map; looked up once a change of the archive."""
    state = archive_state(Collection.objects.visible_to(user))
    patience = _MAP_SECONDS if state.scenes > EXACT_TO else 0.0
    return _spots.get(
        state.collections,
        state=state.changes,
        patience=patience,
        compute=lambda: spots(chain.from_iterable(coverage_cells(user).values())),
    )


def _count(rows: QuerySet) -> Coalesce:
    counted = rows.annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
