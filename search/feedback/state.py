"""What an answer depends on of all that people did: a name for it, for the key that answers are kept under."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from imagery.models import Collection
from imagery.selectors_archive import archive_state
from search.feedback.deeds import Deeds, deeds_read
from search.feedback.everybody_state import everybody_state
from search.query import SearchRequest

if TYPE_CHECKING:
    from imagery.querysets import Viewer


@dataclass(frozen=True)
class FeedbackState:
    """Two equal states of one person: nothing changed that feedback could have told their rankings.

    ``own`` is that of their own deeds ("" without any), ``everybody`` that of other people's, ``elsewhere`` that of the
    collections that were not asked for: lessons are of scenes there, too. ``deeds`` are what ``own`` was read from.
    """

    user_id: int | None = None
    own: str = ""
    everybody: str = ""
    elsewhere: str = ""
    deeds: Deeds = field(default_factory=Deeds, compare=False)

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
    if not request.history:
        return FeedbackState()
    deeds = deeds_read(user)
    everybody = everybody_state(user)
    if not deeds.state and not everybody:
        return FeedbackState()
    return FeedbackState(
        user_id=user.pk if deeds.state else None,
        own=deeds.state,
        everybody=everybody,
        elsewhere=_elsewhere(user, request),
        deeds=deeds,
    )


def _elsewhere(user: "Viewer", request: SearchRequest) -> str:
    if not request.collections:
        return ""
    state = archive_state(Collection.objects.visible_to(user))
    return f"{state.collections}:{state.changes}"
