"""What a person did with hits lately: read once before a search, for the key of its answer and for its lessons.

Raw SQL around the one permission verb: a scene that may not be shown any more is nowhere in it, so that a like of it
is as if it had never been, at once.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection

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
SELECT (SELECT max(computed_at) FROM search_positionpropensity),
    event.id, event.kind, event.created_at, impression.scene_id, impression.tile_id, impression.rank,
    ranking.query_id, dwell.seconds, event.created_at > statement_timestamp() - %s
FROM search_event AS event
JOIN search_impression AS impression ON impression.id = event.impression_id
JOIN search_ranking AS ranking ON ranking.id = impression.ranking_id
LEFT JOIN search_event AS dwell ON event.kind = 'click' AND dwell.impression_id = impression.id AND dwell.kind = 'dwell'
WHERE event.user_id = %s AND event.kind = ANY(%s)
    AND NOT EXISTS (SELECT 1 FROM search_learningchoice WHERE user_id = %s AND NOT for_me)
    AND EXISTS (SELECT 1 FROM ({visible}) AS visible (id) WHERE visible.id = impression.scene_id OFFSET 0)
ORDER BY event.created_at DESC, event.id DESC LIMIT %s
"""


@dataclass(frozen=True)
class Done:
    """One event on a hit: which, when, on what, at which rank, under which query.

    ``seconds`` is how long an opened scene was looked at, if that is known; ``fresh``: in the last two hours.
    """

    id: int
    kind: str
    at: datetime
    scene_id: UUID
    tile_id: int | None
    rank: int
    query_id: int
    seconds: int | None
    fresh: bool


@dataclass(frozen=True)
class Deeds:
    """What a person did lately that may teach, newest first. ``state`` tells two moments apart in which it has another
    say, and is "" if nothing was done."""

    done: tuple[Done, ...] = ()
    state: str = ""


def deeds_read(user: "Viewer") -> Deeds:
    """Return the deeds of a person that may have a say in their own rankings.

    One statement, two if there are any.
    """
    with connection.cursor() as cursor:  # Before the permission, which costs more.
        cursor.execute("SELECT EXISTS (SELECT 1 FROM search_event WHERE user_id = %s)", [user.pk])
        if not cursor.fetchone()[0]:
            return Deeds()
    try:
        scenes = Scene.objects.visible_to(user).findable().order_by().values("pk")
        visible, permitted = scenes.query.sql_with_params()
    except EmptyResultSet:  # A visitor, or a disabled account.
        return Deeds()
    kinds = [kind.value for kind in TEACHING]
    parameters: list[Any] = [SESSION, user.pk, kinds, user.pk, *permitted, MOST_LOOKED_AT]
    with connection.cursor() as cursor:
        cursor.execute(_DEEDS.format(visible=visible), parameters)
        rows = cursor.fetchall()
    if not rows:
        return Deeds()
    done = tuple(Done(*row[1:]) for row in rows)
    told = "".join(f"{each.id}:{each.kind}:{each.tile_id}:{each.seconds}:{each.fresh}," for each in done)
    return Deeds(done=done, state=hashlib.sha256(f"{told}{rows[0][0]}".encode()).hexdigest())
