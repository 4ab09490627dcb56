"""All that is known for one ranking: what this person did in this session and before, and what everybody did."""

from typing import TYPE_CHECKING

from imagery.models import Encoder
from search.feedback.everybody import votes_for
from search.feedback.lessons import OwnLessons, lessons_find
from search.feedback.likeness import asked_together, likeness_of
from search.feedback.state import FeedbackState
from search.query import SearchRequest
from search.ranking.evidence import Evidence, Lessons, Votes
from search.ranking.query import Geometry, RankQuery

if TYPE_CHECKING:
    from imagery.querysets import Viewer


def evidence_for(
    *,
    user: "Viewer",
    encoder: Encoder,
    query: RankQuery,
    geometry: Geometry,
    request: SearchRequest,
    state: FeedbackState,
    translation: str = "",
) -> Evidence:
    """Return what people did with scenes under queries like this one, of scenes that this person may be shown now.

    ``state`` is what was read for the key of the answer, so that equal keys mean equal own lessons. If nothing had a
    say, nothing is looked up. ``translation``
    is what the request's text was translated to, if it was. Own lessons and those of others
    take three statements each at most.
    """
    nothing = Lessons.none(encoder.dimension)
    asked, likeness = asked_together(query, geometry), likeness_of(geometry)
    own = OwnLessons(nothing, nothing, nothing)
    if request.history and state.own:
        own = lessons_find(
            deeds=state.deeds,
            encoder=encoder,
            asked=asked,
            likeness=likeness,
            request=request,
            translation=translation,
        )
    everybody = Votes.none(encoder.dimension)
    if request.history and state.everybody:
        everybody = votes_for(user=user, encoder=encoder, asked=asked, likeness=likeness)
    return Evidence(own.session, own.own, own.disliked, everybody)
