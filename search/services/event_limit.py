"""How many events a person may tell in a minute, counted in the database: one count for all web processes."""

from typing import Final

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import ngettext

from rsportal.accounts.models import User
from rsportal.errors import TooMany
from search.services.log_writes import log_atomic

_MINUTE_SECONDS: Final = 60
# The row of the day says which minute it counts, so that nothing has to be cleared every minute.
_IN_MINUTE: Final = "CASE WHEN known.minute = excluded.minute THEN known.in_minute + 1 ELSE 1 END"
_COUNT: Final = f"""
INSERT INTO search_eventcount AS known (user_id, day, told, refused, minute, in_minute)
SELECT %(user)s, (moment AT TIME ZONE 'UTC')::date, (1 <= %(most)s)::int, (1 > %(most)s)::int,
    date_trunc('minute', moment), 1
FROM (SELECT statement_timestamp() AS moment) AS now
ON CONFLICT (user_id, day) DO UPDATE SET
    told = known.told + ({_IN_MINUTE} <= %(most)s)::int,
    refused = known.refused + ({_IN_MINUTE} > %(most)s)::int,
    in_minute = {_IN_MINUTE},
    minute = excluded.minute
RETURNING in_minute
"""


def event_count(*, user: User) -> None:
    """Count one more event that this person tells or takes back.

    Raises TooMany beyond ``RSPORTAL_FEEDBACK_EVENTS_PER_MINUTE`` within a minute of the clock. Refused ones are
    counted too, for those who look after the portal.
    """
    most = settings.FEEDBACK_EVENTS_PER_MINUTE
    with log_atomic(), connection.cursor() as cursor:
        cursor.execute(_COUNT, {"user": user.pk, "most": most})
        (counted,) = cursor.fetchone()
    if counted <= most:
        return
    wait = _MINUTE_SECONDS - timezone.now().second
    raise TooMany(
        ngettext(
            "More than %(most)d likes, clicks and the like in a minute are not recorded. Go on in %(wait)d second.",
            "More than %(most)d likes, clicks and the like in a minute are not recorded. Go on in %(wait)d seconds.",
            wait,
        )
        % {"most": most, "wait": wait},
        wait_seconds=wait,
    )
