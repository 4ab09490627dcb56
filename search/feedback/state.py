"""What an answer depends on of all that people did: a name for it, for the key that answers are kept under."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from django.db import connection

from imagery.models import Collection
from imagery.selectors_archive import archive_state
from search.feedback.deeds import STATE, Deeds, deeds_of
from search.feedback.everybody_state import everybody_state
from search.query import SearchRequest

if TYPE_CHECKING:
    from imagery.querysets import Viewer

_STATE: Final = f"WITH deeds AS ({{deeds}}) {STATE}"


@dataclass(frozen=True)
class FeedbackState:
    """Two equal states of one person: nothing changed that feedback could have told their rankings.

    ``own`` is that of their own deeds ("" without any), ``everybody`` that of other people's, ``elsewhere`` that of the
    collections that were not asked for: lessons are of scenes there, too.
    """

    user_id: int | None = None
    own: str = ""
    everybody: str = ""
    elsewhere: str = ""
    deeds: Deeds | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """Return it as ``search.answer_key`` takes it: "" if no feedback can have a say."""
        if not self.own and not self.everybody:
            return ""
        return f"{self.user_id or ''}:{self.own}:{self.everybody}:{self.elsewhere}"


def feedback_state(user: "Viewer", request: SearchRequest) -> FeedbackState:
    """Return what must be the same for an answer with feedback to be the same.

    It is read before the query is understood, so it is of all that the person did lately and not only under similar
    queries: whoever did nothing, or wants no history, shares kept answers with everybody else. Two statements at most.
    """
    deeds = deeds_of(user) if request.history else None
    if deeds is None:
        return FeedbackState()
    with connection.cursor() as cursor:
        cursor.execute(_STATE.format(deeds=deeds.sql), deeds.parameters)
        (own,) = cursor.fetchone()
    everybody = everybody_state(user)
    if not own and not everybody:
        return FeedbackState()
    return FeedbackState(
        user_id=user.pk if own else None,
        own=own or "",
        everybody=everybody,
        elsewhere=_elsewhere(user, request),
        deeds=deeds,
    )


def _elsewhere(user: "Viewer", request: SearchRequest) -> str:
    if not request.collections:
        return ""
    state = archive_state(Collection.objects.visible_to(user))
    return f"{state.collections}:{state.changes}"
