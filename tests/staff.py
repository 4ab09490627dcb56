"""People who may enter the administration."""

from importlib import import_module
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group

from rsportal.accounts.models import User
from tests.factories import make_user


def make_curator(username: str = "", **fields: Any) -> User:
    """Return a new curator: staff, in the group the migration made (made again where a test emptied the tables)."""
    if not Group.objects.filter(name="curator").exists():
        for name in ("0002_curator_group", "0006_judged_sets", "0007_learning", "0008_curator_archives"):
            import_module(f"search.migrations.{name}").grant(apps)
    user = make_user(username, is_staff=True, **fields)
    user.groups.add(Group.objects.get(name="curator"))
    return user
