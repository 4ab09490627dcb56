"""Which collection a command adds to, and in whose name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError

from imagery.models import Collection
from imagery.services.collections import collection_create
from rsportal.accounts.models import User
from rsportal.accounts.selectors import user_named


def collection_for(
    slug: str, username: str | None, *, say: Callable[[str], Any], create: bool = True
) -> tuple[Collection, User]:
    """Return the collection and the person: the one named, else its owner. Raises CommandError.

    A collection that does not exist is made, private, when ``create``; ``say`` is told.
    """
    user = user_named(username) if username else None
    if username and (user is None or not user.is_active):
        raise CommandError(f"There is no user {username!r}.")
    collection = Collection.objects.filter(slug=slug).select_related("owner").first()
    if collection is not None:
        return collection, user or collection.owner
    if not create:
        raise CommandError(f"There is no collection {slug!r}.")
    user = user or User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if user is None:
        raise CommandError("There is no administrator who could own the new collection; name one by --user.")
    collection = collection_create(user=user, title=slug.replace("-", " ").capitalize(), slug=slug)
    say(f"Made the private collection {slug!r}, owned by {user}.")
    return collection, user
