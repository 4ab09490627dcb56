"""What a person does with a hit: recorded once, withdrawn on request."""

from typing import Final

from django.db import transaction
from django.utils.translation import gettext as _

from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.models import Event, Impression
from search.services.event_limit import event_count
from search.services.votes import vote_keep
from search.tokens import token_read

_OPPOSITE: Final = {Event.Kind.LIKE: Event.Kind.DISLIKE, Event.Kind.DISLIKE: Event.Kind.LIKE}


def event_record(*, user: User, token: str, kind: str) -> Event:
    """Record a click, like, dislike or download of the hit that ``token`` was made for; repeating changes nothing.

    A like withdraws a dislike and the other way round. Raises InvalidInput (field ``kind`` or ``token``), and TooMany
    for more in a minute than one person does.
    """
    chosen = _kind(kind)
    event_count(user=user)
    with transaction.atomic():
        impression = _impression(user, token)
        if chosen in _OPPOSITE:
            Event.objects.filter(impression=impression, kind=_OPPOSITE[chosen]).delete()
        event, made = Event.objects.get_or_create(impression=impression, kind=chosen, defaults={"user": user})
        if made:
            vote_keep(event=event, impression=impression)
    return event


def event_withdraw(*, user: User, token: str, kind: str) -> None:
    """Take back an event; harmless when there is none. Raises as ``event_record`` does."""
    chosen = _kind(kind)
    event_count(user=user)
    with transaction.atomic():
        Event.objects.filter(impression=_impression(user, token), kind=chosen).delete()


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
