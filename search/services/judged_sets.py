"""Writes to judged query sets and their queries. The owner (and superusers) changes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from imagery.models import Collection
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, NotAllowed
from search.judged.configuration import configuration_parse
from search.judged.scope import request_parse
from search.models import JudgedQuery, JudgedSet, Sharing

MOST_CONFIGURATIONS: Final = 8
_SET_FIELDS: Final = frozenset(
    {"name", "description", "collection", "sharing", "configurations", "depth", "class_property"}
)
_QUERY_FIELDS: Final = frozenset({"key", "text", "language", "filters", "scene_class"})


def judged_set_create(*, user: User, name: str, **fields: Any) -> JudgedSet:
    """Make a set of queries, owned by ``user``. Raises InvalidInput with the field at fault."""
    judged_set = JudgedSet(owner=user)
    _set_fill(judged_set, user, {"name": name, **fields})
    try:
        with transaction.atomic():
            judged_set.save()
    except IntegrityError:  # The same person made one of this name a moment ago.
        _clean(judged_set)
        raise
    return judged_set


def judged_set_update(*, judged_set: JudgedSet, user: User, **changes: Any) -> JudgedSet:
    """Change a set. Raises NotAllowed when it is not this person's, InvalidInput with the field at fault."""
    _require_owner(judged_set, user)
    _set_fill(judged_set, user, changes)
    judged_set.save(update_fields=[*changes, "updated_at"])
    return judged_set


def judged_set_delete(*, judged_set: JudgedSet, user: User) -> None:
    """Delete a set with its queries, judgements and runs. Raises NotAllowed when it is not this person's."""
    _require_owner(judged_set, user)
    judged_set.delete()


def judged_query_create(*, judged_set: JudgedSet, user: User, text: str, key: str = "", **fields: Any) -> JudgedQuery:
    """Add a query; without ``key`` it gets the next free number. Raises NotAllowed, or InvalidInput (the field)."""
    _require_owner(judged_set, user)
    with transaction.atomic():
        # Locked, so that two queries added at once do not take the same number.
        JudgedSet.objects.select_for_update(no_key=True).get(pk=judged_set.pk)
        query = JudgedQuery(judged_set=judged_set)
        _query_fill(query, user, {"text": text, "key": key.strip() or next_key(judged_set), **fields})
        query.save()
    return query


def judged_query_update(*, query: JudgedQuery, user: User, **changes: Any) -> JudgedQuery:
    """Change a query; its judgements stay. Raises NotAllowed, or InvalidInput with the field at fault."""
    _require_owner(query.judged_set, user)
    _query_fill(query, user, changes)
    query.save(update_fields=list(changes))
    return query


def judged_query_delete(*, query: JudgedQuery, user: User) -> None:
    """Delete a query with its judgements. Raises NotAllowed when the set is not this person's."""
    _require_owner(query.judged_set, user)
    query.delete()


def next_key(judged_set: JudgedSet) -> str:
    """Return the number after the highest one of the set's queries."""
    keys = JudgedQuery.objects.filter(judged_set=judged_set).values_list("key", flat=True)
    return str(1 + max((int(key) for key in keys if key.isascii() and key.isdigit()), default=0))


def judged_set_owned_by(*, judged_set: JudgedSet, user: User) -> bool:
    """Return whether ``user`` decides about the set: its owner, and superusers."""
    return user.is_active and (user.is_superuser or judged_set.owner_id == user.pk)


def _set_fill(judged_set: JudgedSet, user: User, changes: Mapping[str, Any]) -> None:
    if unknown := set(changes) - _SET_FIELDS:
        raise InvalidInput(_("A judged query set has no field %(name)s.") % {"name": min(unknown)}, field=min(unknown))
    for name, value in changes.items():
        setattr(judged_set, name, value)
    collection = judged_set.collection
    if (
        "collection" in changes
        and collection
        and not Collection.objects.visible_to(user).filter(pk=collection.pk).exists()
    ):
        raise InvalidInput(_("There is no such collection, or you may not see it."), field="collection")
    if judged_set.sharing != Sharing.PRIVATE and collection is None:
        raise InvalidInput(
            _("Only a set that is bound to a collection can be shared: choose one, or keep the set to yourself."),
            field="sharing",
        )
    if "configurations" in changes:
        judged_set.configurations = configurations_check(changes["configurations"])
    _clean(judged_set)


def configurations_check(texts: Iterable[str]) -> list[str]:
    """Return the configurations without blanks and repeats. Raises InvalidInput (field ``configurations``)."""
    wanted = list(dict.fromkeys(text.strip() for text in texts if text.strip()))
    if len(wanted) > MOST_CONFIGURATIONS:
        raise InvalidInput(
            _("There are %(found)d configurations; %(most)d is the most.")
            % {"found": len(wanted), "most": MOST_CONFIGURATIONS},
            field="configurations",
        )
    try:
        for text in wanted:
            configuration_parse(text)
    except InvalidInput as error:
        raise InvalidInput(error.message, field="configurations") from error
    return wanted


def _query_fill(query: JudgedQuery, user: User, changes: Mapping[str, Any]) -> None:
    if unknown := set(changes) - _QUERY_FIELDS:
        raise InvalidInput(_("A judged query has no field %(name)s.") % {"name": min(unknown)}, field=min(unknown))
    for name, value in changes.items():
        setattr(query, name, value)
    # Without the collection: the words and filters are checked, not what the person may see today.
    request = request_parse(user=user, text=query.text, filters=query.filters, collections=[])
    query.text, query.filters = request.text, request.filters()
    _clean(query)


def _clean(row: JudgedSet | JudgedQuery) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        unique = "name" if isinstance(row, JudgedSet) else "key"
        raise InvalidInput(messages[0], field=unique if field == "__all__" else field) from error


def _require_owner(judged_set: JudgedSet, user: User) -> None:
    if not judged_set_owned_by(judged_set=judged_set, user=user):
        raise NotAllowed(_("Only the owner of “%(name)s” can change it.") % {"name": judged_set.name})
