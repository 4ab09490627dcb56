"""Who a command acts for, and on which collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError

from imagery.models import Collection
from imagery.services.collections import collection_create
from rsportal.accounts.models import User
from rsportal.accounts.selectors import user_named


def collection_named(slug: str) -> Collection:
    """Return a collection with its owner. Raises CommandError."""
    collection = _collection(slug)
    if collection is None:
        raise CommandError(f"There is no collection {slug!r}.")
    return collection


def acting_user(name: str | None, collection: Collection) -> User:
    """Return the person called ``name``, else the collection's owner. Raises CommandError."""
    return _person(name) or collection.owner


def collection_for(
    slug: str, username: str | None, *, say: Callable[[str], Any], create: bool = True
) -> tuple[Collection, User]:
    """Return the collection and the person: the one named, else its owner. Raises CommandError.

    A collection that does not exist is made, private, when ``create``; ``say`` is told.
    """
    user = _person(username)
    collection = _collection(slug) if create else collection_named(slug)
    if collection is not None:
        return collection, user or collection.owner
    user = user or User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if user is None:
        raise CommandError("There is no administrator who could own the new collection; name one by --user.")
    collection = collection_create(user=user, title=slug.replace("-", " ").capitalize(), slug=slug)
    say(f"Made the private collection {slug!r}, owned by {user}.")
    return collection, user


def _collection(slug: str) -> Collection | None:
    return Collection.objects.filter(slug=slug).select_related("owner").first()


def _person(name: str | None) -> User | None:
    """Return the active person called ``name``; None without a name."""
    user = user_named(name) if name else None
    if name and (user is None or not user.is_active):
        raise CommandError(f"There is no user {name!r}.")
    return user
