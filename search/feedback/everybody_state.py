"""What kept answers depend on of all that other people did, as one name: cheap to read before every search."""

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import connection

from search.kept import Kept

if TYPE_CHECKING:
    from imagery.querysets import Viewer

FRESH: Final = timedelta(minutes=5)
"""So much later, at most, the votes of others change an answer that is kept."""
_PATIENCE_SECONDS: Final = 60.0
_counted: Kept[str] = Kept(1)

# The newest vote before the last round five minutes is found from the end of the primary key, voters from both ends of
# their index.
_STATE: Final = """
SELECT (SELECT min(user_id) < max(user_id) FROM search_vote WHERE user_id <> %(user)s),
    EXISTS (SELECT 1 FROM search_vote WHERE user_id = %(user)s),
    concat_ws(';',
        coalesce((
            SELECT event_id FROM search_vote
            WHERE created_at <= date_bin(%(fresh)s::interval, statement_timestamp(), 'epoch'::timestamptz)
            ORDER BY event_id DESC LIMIT 1
        ), 0),
        coalesce((SELECT string_agg(id::text, ',' ORDER BY id) FROM search_feedbackexclusion), ''),
        coalesce((
            SELECT string_agg(user_id::text, ',' ORDER BY user_id) FROM search_learningchoice WHERE NOT for_all
        ), '')
    )
"""
_COUNT: Final = """
SELECT concat_ws(',', count(*), sum(event_id), count(*) FILTER (WHERE NOT is_active))
FROM search_vote JOIN accounts_user AS person ON person.id = user_id
"""


def everybody_state(user: "Viewer") -> str:
    """Return what must be the same for the votes of others to say the same to this person; "" if not two others voted.

    One other person's votes never count (``search.ranking.gates``).
    Exclusions and choices change it at once; new votes, votes that were taken back or erased and disabled accounts
    within minutes. Who voted has a state of their own, because nobody's own votes are among those of others; all
    others share theirs. What may be seen is told by the state of the archive.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STATE, {"user": user.pk, "fresh": f"{FRESH.total_seconds():.0f} s"})
        others, own, state = cursor.fetchone()
    if not others:
        return ""
    count = _counted.get(None, state=time.monotonic(), compute=_count, patience=_PATIENCE_SECONDS)
    return f"{state}:{count}:{user.pk if own else ''}"


def _count() -> str:
    with connection.cursor() as cursor:
        cursor.execute(_COUNT)
        return str(cursor.fetchone()[0])
