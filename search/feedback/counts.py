"""How much feedback there is: events and voters a day, and the queries that most people voted under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import Lower, TruncDate
from django.utils import timezone

from imagery.models import Encoder, Scene
from search.feedback.everybody import COUNTED_FOR
from search.models import Event, EventCount, Vote

if TYPE_CHECKING:
    from rsportal.accounts.models import User

DAYS: Final = 30
MOST_QUERIES: Final = 20


@dataclass(frozen=True)
class DayOfFeedback:
    """One day (UTC): events that were told, by how many people; those of them that count for others, by how many; and
    those that came too fast and were refused (None: not for this viewer)."""

    day: date
    told: int
    people: int
    counted: int
    voters: int
    refused: int | None

    @property
    def uncounted(self) -> int:
        """Events that have no say for others: of people who are excluded or keep what they do to themselves, on
        excluded scenes, and looks that only add to a click."""
        return self.told - self.counted


@dataclass(frozen=True)
class QueryEvidence:
    """Words under which people voted for scenes: how many people, votes and scenes, and when last."""

    text: str
    voters: int
    votes: int
    scenes: int
    last: date


def _shared(scene: str) -> Q:
    """Return the predicate that what was done has a say for others; ``scene`` is the path to what it was done with."""
    people = Q(user__is_active=True, user__feedback_exclusion=None) & ~Q(user__learning_choice__for_all=False)
    return people & Q(**{f"{scene}__feedback_exclusion": None})


def days_told(user: User, *, days: int = DAYS) -> list[DayOfFeedback]:
    """Return the last days with events, newest first: of everybody for superusers, else on scenes this person may
    change. Two statements."""
    since = timezone.now() - timedelta(days=days)
    rows = Event.objects.filter(created_at__gt=since).order_by()
    refused: dict[date, int] | None = None
    if user.is_superuser:
        counts = EventCount.objects.filter(day__gt=since.date()).values("day")
        refused = {row["day"]: row["all"] for row in counts.annotate(all=Sum("refused")).order_by()}
    else:
        rows = rows.filter(impression__scene__in=Scene.objects.editable_by(user).order_by().values("pk"))
    counts_for_all = _shared("impression__scene") & Q(vote__isnull=False)
    told = rows.annotate(day=TruncDate("created_at", tzinfo=UTC)).values("day")
    found: dict[date, Any] = {
        row["day"]: row
        for row in told.annotate(
            told=Count("pk"),
            people=Count("user", distinct=True),
            counted=Count("pk", filter=counts_for_all),
            voters=Count("user", distinct=True, filter=counts_for_all),
        )
    }
    nothing = {"told": 0, "people": 0, "counted": 0, "voters": 0}
    every = sorted({*found, *(day for day, count in (refused or {}).items() if count)}, reverse=True)
    return [
        DayOfFeedback(
            day=day,
            **{name: found.get(day, nothing)[name] for name in nothing},
            refused=None if refused is None else refused.get(day, 0),
        )
        for day in every
    ]


def queries_most(encoder: Encoder, *, most: int = MOST_QUERIES) -> Sequence[QueryEvidence]:
    """Return the words under which most people voted under this encoder, for superusers: they are other people's."""
    rows = Vote.objects.filter(encoder=encoder, created_at__gt=timezone.now() - COUNTED_FOR)
    rows = rows.filter(_shared("scene")).exclude(event__kind=Event.Kind.DISLIKE)
    groups = rows.annotate(words=Lower("query__text")).values("words").order_by()
    counted = groups.annotate(
        voters=Count("user", distinct=True),
        votes=Count("pk"),
        scenes=Count("scene", distinct=True),
        last=Max("created_at"),
    )
    return [
        QueryEvidence(
            text=row["words"],
            voters=row["voters"],
            votes=row["votes"],
            scenes=row["scenes"],
            last=row["last"].date(),
        )
        for row in counted.order_by("-voters", "-votes", "words")[:most]
    ]
