"""Who a command acts for, and on which collection."""

from django.core.management.base import CommandError

from imagery.models import Collection
from rsportal.accounts.models import User
from rsportal.accounts.selectors import user_named


def collection_named(slug: str) -> Collection:
    """Return a collection with its owner. Raises CommandError."""
    collection = Collection.objects.filter(slug=slug).select_related("owner").first()
    if collection is None:
        raise CommandError(f"There is no collection {slug!r}.")
    return collection


def acting_user(name: str | None, collection: Collection) -> User:
    """Return the person called ``name``, else the collection's owner. Raises CommandError."""
    if not name:
        return collection.owner
    user = user_named(name)
    if user is None or not user.is_active:
        raise CommandError(f"There is no user {name!r}.")
    return user
