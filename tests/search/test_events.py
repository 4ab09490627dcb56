"""Tokens and events: who may say what about which hit, and how often."""

import threading

import pytest
from django.core import signing
from django.db import connection

from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.models import Event, Impression
from search.services import event_record, event_withdraw, history_erase
from search.tokens import token_issue, token_read
from tests import factories

_THREADS = 6


def _shown() -> tuple[User, Impression, str]:
    """Return (user, impression, token) of a hit that was shown."""
    user = factories.make_user()
    scene = factories.make_scene(factories.make_collection(owner=user))
    impression = factories.make_impression(user, scene)
    return user, impression, token_issue(impression_id=impression.pk, user_id=user.pk)


def _refused(user, token, kind="click") -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        event_record(user=user, token=token, kind=kind)
    assert not Event.objects.exists()
    return caught.value


@pytest.mark.django_db
def test_a_token_is_compact_and_safe_in_an_address():
    token = token_issue(impression_id=2**40, user_id=2**31)
    assert len(token) < 80
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:")
    user = factories.make_user(pk=2**31 - 1)
    assert token_read(token=token_issue(impression_id=2**40, user_id=user.pk), user=user) == 2**40


@pytest.mark.django_db
def test_forged_tokens_are_refused():
    user, impression, token = _shown()
    other_salt = signing.TimestampSigner(salt="elsewhere").sign(token.rsplit(":", 2)[0])
    next_one = token_issue(impression_id=impression.pk + 1, user_id=user.pk)
    swapped = ":".join([next_one.rsplit(":", 2)[0], *token.rsplit(":", 2)[1:]])
    for forged in ("", "x", "a.b:c:d", token[:-1] + ("A" if token[-1] != "A" else "B"), other_salt, swapped, "\x00"):
        error = _refused(user, forged)
        assert (error.field, error.code) == ("token", "token_invalid")


@pytest.mark.django_db
def test_another_person_s_token_reads_like_a_forged_one():
    _user, _impression, token = _shown()
    stranger = factories.make_user(superuser=True)
    assert _refused(stranger, token).message == _refused(stranger, "forged").message


@pytest.mark.django_db
def test_a_token_expires(settings):
    user, _impression, token = _shown()
    settings.FEEDBACK_TOKEN_DAYS = -1
    assert _refused(user, token).code == "token_expired"


@pytest.mark.django_db
def test_an_erased_hit_takes_no_events():
    user, _impression, token = _shown()
    history_erase(user=user)
    assert _refused(user, token).code == "token_erased"


@pytest.mark.django_db
def test_unknown_kinds_are_named():
    user, _impression, token = _shown()
    error = _refused(user, token, kind="stare")
    assert error.field == "kind" and "click, like, dislike, download" in error.message


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [kind for kind in Event.Kind.values if kind != "dwell"])
def test_repeating_changes_nothing(kind):
    user, impression, token = _shown()
    first = event_record(user=user, token=token, kind=kind)
    again = event_record(user=user, token=token, kind=kind)
    assert (again.pk, again.created_at) == (first.pk, first.created_at)
    assert list(impression.events.values_list("kind", flat=True)) == [kind]


@pytest.mark.django_db
def test_like_and_dislike_replace_each_other_and_leave_the_click():
    user, impression, token = _shown()
    for kind in ("click", "like", "dislike"):
        event_record(user=user, token=token, kind=kind)
    assert set(impression.events.values_list("kind", flat=True)) == {"click", "dislike"}
    event_record(user=user, token=token, kind="like")
    assert set(impression.events.values_list("kind", flat=True)) == {"click", "like"}
    for _ in range(2):
        event_withdraw(user=user, token=token, kind="like")
    assert set(impression.events.values_list("kind", flat=True)) == {"click"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kinds", [["click"], ["like", "dislike"]])
def test_clicks_at_the_same_moment_are_one_event(kinds):
    user, impression, token = _shown()
    start = threading.Barrier(_THREADS)
    errors: list[BaseException] = []

    def click(kind: str) -> None:
        try:
            start.wait(timeout=20)
            event_record(user=user, token=token, kind=kind)
        except BaseException as error:  # noqa: BLE001 - whatever happens in a thread must fail the test
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=click, args=(kinds[n % len(kinds)],)) for n in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not errors
    assert impression.events.count() == 1
