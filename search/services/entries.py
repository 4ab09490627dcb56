"""Entries of the history: a question that is asked again while its hits are judged stays one of them."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from rsportal.accounts.models import User
from search.engine import Answer
from search.models import Query
from search.query import SearchRequest


def entry_going_on(*, user: User, request: SearchRequest, channel: str, answer: Answer) -> Query | None:
    """Return the entry that an answer belongs to, locked: the same question of this person, answered not long ago.

    Words, translation, clauses, filters, examples and the use of the history are the same, and it was last answered
    within ``RSPORTAL_SEARCH_REUSE_MINUTES``. None: it is a new entry.
    """
    since = timezone.now() - timedelta(minutes=settings.SEARCH_REUSE_MINUTES)
    rows = Query.objects.select_for_update(of=("self",), no_key=True).filter(
        user=user,
        channel=channel,
        text=request.text,
        translation=answer.words.translation,
        filters=request.filters(),
        examples=[example.as_json() for example in request.examples],
        without_history=not request.history,
        parsed=answer.parsed,
        asked_under=answer.encoder,
        created_at__gt=since - timedelta(days=1),
    )
    query: Query | None = rows.order_by("-created_at", "-pk").first()
    if query is None or not query.rankings.filter(created_at__gt=since).exists():
        return None
    return query
