"""What a person does with a hit: recorded once, withdrawn on request."""

import math
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.models import Event, Impression, Query
from search.services.event_limit import event_count
from search.services.votes import vote_keep
from search.tokens import token_read

_OPPOSITE: Final = {Event.Kind.LIKE: Event.Kind.DISLIKE, Event.Kind.DISLIKE: Event.Kind.LIKE}
_MOST_SECONDS: Final = 30 * 60


def event_record(*, user: User, token: str, kind: str, seconds: int | None = None) -> Event:
    """Record a click, like, dislike, download or look at the hit that ``token`` is of; repeating changes nothing.

    A like withdraws a dislike of the scene under the same question and the other way round. ``seconds`` (dwell only) is
    how long the scene was looked at: at most the time since it was opened, and half an hour; the longest look counts.
    Raises InvalidInput (field ``kind``, ``token`` or ``seconds``), and TooMany for more in a minute than one person
    does.
    """
    chosen = _kind(kind)
    event_count(user=user)
    with transaction.atomic():
        impression = _impression(user, token)
        if chosen == Event.Kind.DWELL:
            return _look(user, impression, seconds)
        if chosen in _OPPOSITE:
            _said(user, impression, _OPPOSITE[chosen]).delete()
        event, made = Event.objects.get_or_create(impression=impression, kind=chosen, defaults={"user": user})
        if made:
            vote_keep(event=event, impression=impression)
    return event


def event_withdraw(*, user: User, token: str, kind: str) -> None:
    """Take back an event; harmless when there is none. Raises as ``event_record`` does.

    A like or dislike is taken back wherever it was said of the scene under the same question; with a click goes what
    is known of the look.
    """
    chosen = _kind(kind)
    event_count(user=user)
    with transaction.atomic():
        impression = _impression(user, token)
        if chosen in _OPPOSITE:
            _said(user, impression, chosen).delete()
            return
        kinds = [chosen, Event.Kind.DWELL] if chosen == Event.Kind.CLICK else [chosen]
        Event.objects.filter(impression=impression, kind__in=kinds).delete()


def event_impression(*, user: User, token: str) -> Impression:
    """Return the impression that a token was made for, without telling anything. Raises InvalidInput (``token``)."""
    with transaction.atomic():
        return _impression(user, token)


def _kind(kind: str) -> Event.Kind:
    if kind not in Event.Kind.values:
        raise InvalidInput(
            _("%(kind)s cannot be recorded; write one of %(kinds)s.")
            % {"kind": repr(kind[:40]), "kinds": ", ".join(Event.Kind.values)},
            field="kind",
        )
    return Event.Kind(kind)


def _impression(user: User, token: str) -> Impression:
    """Return the impression, locked, so that clicks on the same hit at the same time follow each other."""
    impression_id = token_read(token=token, user=user)
    rows = Impression.objects.visible_to(user).select_for_update(of=("self",), no_key=True)
    impression: Impression | None = rows.filter(pk=impression_id).first()
    if impression is None:
        raise InvalidInput(
            _("This result is no longer in your search history. Search again."), code="token_erased", field="token"
        )
    return impression


def _said(user: User, impression: Impression, kind: Event.Kind) -> QuerySet[Any]:
    """The likes (dislikes) of the scene under the same question: its words and examples, whatever the filters."""
    query = Query.objects.filter(rankings=impression.ranking_id).only("text", "translation", "examples").get()
    return Event.objects.filter(
        user=user,
        kind=kind,
        impression__scene=impression.scene_id,
        impression__ranking__query__text=query.text,
        impression__ranking__query__translation=query.translation,
        impression__ranking__query__examples=query.examples,
    )


def _look(user: User, impression: Impression, seconds: int | None) -> Event:
    if seconds is None or seconds < 0:
        raise InvalidInput(_("Say how many seconds the scene was looked at, 0 or more."), field="seconds")
    opened = Event.objects.filter(impression=impression, kind=Event.Kind.CLICK).first()
    if opened is None:
        raise InvalidInput(
            _("How long a scene was looked at is recorded only after it was opened from the results."), field="kind"
        )
    most = min(math.ceil((timezone.now() - opened.created_at).total_seconds()), _MOST_SECONDS)
    looked, _made = Event.objects.get_or_create(
        impression=impression, kind=Event.Kind.DWELL, defaults={"user": user, "seconds": 0}
    )
    looked.seconds = max(looked.seconds or 0, min(seconds, most))
    looked.full_clean(exclude=["impression", "user"])
    looked.save(update_fields=["seconds"])
    return looked
