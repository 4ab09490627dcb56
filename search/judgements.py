"""Reads of the feedback log that a page shows: what this person already said about a hit."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.models import Event, Impression, Ranking
from search.tokens import token_read

_JUDGEMENTS: Final = (Event.Kind.LIKE, Event.Kind.DISLIKE)


@dataclass(frozen=True)
class ShownHit:
    """A hit as it was shown: its rank, the query and ranking it answered, and ``like``, ``dislike`` or nothing."""

    rank: int
    ranking: Ranking
    judged: str


def judgements_get(*, user: User, ranking: Ranking, ranks: Iterable[int]) -> dict[int, str]:
    """Return ``like`` or ``dislike`` by rank for the hits of a ranking that this person judged."""
    events = Event.objects.visible_to(user).filter(
        impression__ranking=ranking, impression__rank__in=list(ranks), kind__in=_JUDGEMENTS
    )
    return dict(events.order_by().values_list("impression__rank", "kind"))


def shown_hit_get(*, user: User, token: str) -> ShownHit | None:
    """Return the hit a signed token was made for; None when it is not this person's, too old or erased."""
    try:
        impression_id = token_read(token=token, user=user)
    except InvalidInput:
        return None
    rows = Impression.objects.visible_to(user).select_related("ranking__query")
    impression: Impression | None = (
        rows.defer("ranking__scene_ids", "ranking__tile_ids", "ranking__scores").filter(pk=impression_id).first()
    )
    if impression is None:
        return None
    judged = Event.objects.filter(impression=impression, kind__in=_JUDGEMENTS).values_list("kind", flat=True).first()
    return ShownHit(rank=impression.rank, ranking=impression.ranking, judged=judged or "")
