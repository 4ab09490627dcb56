"""What a person did with hits, as the database tells it: the part that is the same for the lessons and for their state.

Raw SQL around the one permission verb: a scene that may not be shown any more is nowhere in it, so that a like of it
is as if it had never been, at once.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import EmptyResultSet

from imagery.models import Scene
from search.models import Event

if TYPE_CHECKING:
    from imagery.querysets import Viewer

MOST_LOOKED_AT: Final = 500
"""Events of a person, newest first, among which those under similar queries are looked for."""
SESSION: Final = timedelta(hours=2)
TEACHING: Final = (Event.Kind.LIKE, Event.Kind.DISLIKE, Event.Kind.DOWNLOAD, Event.Kind.CLICK)

# OFFSET 0 keeps the permission a look at each scene, and so one at the newest events only (``search.slices``).
_DEEDS: Final = """
SELECT event.id, event.kind, event.created_at, impression.scene_id, impression.tile_id, impression.rank,
    ranking.query_id, dwell.seconds, event.created_at > statement_timestamp() - %s AS fresh
FROM search_event AS event
JOIN search_impression AS impression ON impression.id = event.impression_id
JOIN search_ranking AS ranking ON ranking.id = impression.ranking_id
LEFT JOIN search_event AS dwell ON event.kind = 'click' AND dwell.impression_id = impression.id AND dwell.kind = 'dwell'
WHERE event.user_id = %s AND event.kind = ANY(%s)
    AND NOT EXISTS (SELECT 1 FROM search_learningchoice WHERE user_id = %s AND NOT for_me)
    AND EXISTS (SELECT 1 FROM ({visible}) AS visible (id) WHERE visible.id = impression.scene_id OFFSET 0)
ORDER BY event.created_at DESC, event.id DESC LIMIT %s
"""
STATE: Final = """
SELECT md5(
    string_agg(concat_ws(':', id, kind, tile_id, seconds, fresh), ',' ORDER BY id)
    || (SELECT coalesce(max(computed_at)::text, '') FROM search_positionpropensity)
) AS state FROM deeds
"""
"""What tells two moments apart in which somebody's deeds have another say; NULL without any."""


@dataclass(frozen=True)
class Deeds:
    """``sql`` selects a person's newest deeds that may teach, with its ``parameters``."""

    sql: str
    parameters: list[Any]


def deeds_of(user: "Viewer") -> Deeds | None:
    """Return the deeds of a person that may have a say in their own rankings; None if nothing can."""
    try:
        scenes = Scene.objects.visible_to(user).findable().order_by().values("pk")
        visible, permitted = scenes.query.sql_with_params()
    except EmptyResultSet:  # A visitor, or a disabled account.
        return None
    kinds = [kind.value for kind in TEACHING]
    return Deeds(_DEEDS.format(visible=visible), [SESSION, user.pk, kinds, user.pk, *permitted, MOST_LOOKED_AT])
