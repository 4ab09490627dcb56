"""What a person already said about the hits of a question, as a page shows it.

A question is asked again whenever its hits are judged, and each answer is a ranking of its own. What was said belongs
to the question: the words and the examples, whatever the filters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models.fields.json import KeyTransform

from imagery.models import Scene
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.match_windows import Window, match_windows
from search.models import Event, Impression, Query, Ranking
from search.tokens import token_issue, token_read

_JUDGEMENTS: Final = (Event.Kind.LIKE, Event.Kind.DISLIKE)
_MOST: Final = 1_000  # judgements of one question that are looked at, newest first


@dataclass(frozen=True)
class Judgement:
    """A like or dislike. ``impression_id`` is the showing it was said of, by which it is changed or taken back."""

    scene_id: UUID
    title: str
    kind: str
    impression_id: int
    at: datetime

    def token(self, user: User) -> str:
        """Return the signed token that changes this judgement."""
        return token_issue(impression_id=self.impression_id, user_id=user.pk)


@dataclass(frozen=True)
class ShownHit:
    """A hit as it was shown: its rank, the query and ranking it answered, and ``like``, ``dislike`` or nothing.

    ``token`` is the one to judge it by; ``windows`` are the parts of the scene that matched, best first.
    """

    rank: int
    ranking: Ranking
    judged: str
    token: str
    scene_id: UUID
    windows: list[Window]


def question_judgements(*, user: User, query: Query) -> dict[UUID, Judgement]:
    """Return the latest judgement of each scene under the same question of this person, newest first.

    Without scenes that are hidden from them by now. One statement.
    """
    rows = Event.objects.visible_to(user).filter(
        kind__in=_JUDGEMENTS,
        impression__ranking__query__user=user,
        impression__ranking__query__text=query.text,
        impression__ranking__query__translation=query.translation,
        impression__ranking__query__examples=query.examples,
        impression__scene__in=Scene.objects.visible_to(user).findable(),
    )
    values = rows.order_by("-created_at", "-pk").values_list(
        "impression__scene_id", "impression__scene__title", "kind", "impression_id", "created_at"
    )
    found: dict[UUID, Judgement] = {}
    for row in values[:_MOST]:
        found.setdefault(row[0], Judgement(*row))
    return found


def shown_hit_get(*, user: User, token: str) -> ShownHit | None:
    """Return the hit a signed token was made for; None when it is not this person's, too old or erased."""
    try:
        impression_id = token_read(token=token, user=user)
    except InvalidInput:
        return None
    rows = Impression.objects.visible_to(user).select_related("ranking__query", "tile")
    arrays = ("scene_ids", "tile_ids", "scores", "similarities", "reasons")  # Of all hits; this is one of them.
    impression: Impression | None = (
        rows.defer(*(f"ranking__{name}" for name in arrays)).filter(pk=impression_id).first()
    )
    if impression is None:
        return None
    ranking = impression.ranking
    judged = question_judgements(user=user, query=ranking.query).get(impression.scene_id)
    return ShownHit(
        rank=impression.rank,
        ranking=ranking,
        judged=judged.kind if judged else "",
        token=judged.token(user) if judged else token,
        scene_id=impression.scene_id,
        windows=match_windows(impression.tile, _reason(ranking, impression.rank)),
    )


def _reason(ranking: Ranking, rank: int) -> dict[str, Any]:
    """Return why the hit at ``rank`` is there, without reading the reasons of the others."""
    found = Ranking.objects.filter(pk=ranking.pk).values_list(KeyTransform(str(rank - 1), "reasons"), flat=True).first()
    return found if isinstance(found, dict) else {}


def judged_counts(judgements: Mapping[UUID, Judgement]) -> tuple[int, int]:
    """Return (likes, dislikes)."""
    likes = sum(each.kind == Event.Kind.LIKE for each in judgements.values())
    return likes, len(judgements) - likes
