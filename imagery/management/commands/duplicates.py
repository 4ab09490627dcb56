"""``manage.py duplicates``: scenes that may be the same; hashes for those that have none."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from imagery.models import Collection
from imagery.selectors_duplicates import Group, duplicates_page
from imagery.services.scene_hashes import scene_hashes_fill
from rsportal.accounts.models import User
from rsportal.accounts.selectors import user_named


class Command(BaseCommand):
    """Lists pairs of scenes that may be the same, newest first."""

    help = (
        "List scenes that may be the same as an older one: the same bytes in another collection, or the same picture "
        "compressed or scaled anew. Nothing is merged. Scenes without a hash are given one first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--collection", metavar="SLUG", help="only newer scenes of this collection")
        parser.add_argument("--user", metavar="NAME", help="only what this person may see (default: everything)")
        parser.add_argument("--hash-only", action="store_true", help="only give scenes without a hash theirs")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *args: Any, **options: Any) -> None:
        hashed, _over = scene_hashes_fill()
        if hashed:
            self.stderr.write(f"{hashed} scenes were given a hash.")
        if options["hash_only"]:
            return
        user, collection = self._user(options["user"]), self._collection(options["collection"])
        after, pairs = "", 0
        while True:
            page = duplicates_page(user, collection=collection, after=after)
            for group in page.groups:
                pairs += len(group.others)
                self._tell(group, as_json=options["json"])
            if not page.after:
                break
            after = page.after
        if not options["json"]:
            self.stdout.write(f"{pairs} possible duplicates")

    def _tell(self, group: Group, *, as_json: bool) -> None:
        for each in group.others:
            row = {
                "scene": str(group.scene.pk),
                "other": str(each.scene.pk),
                "kind": each.kind.value,
                "distance": each.distance,
                "cosine": each.cosine,
            }
            title = f"{group.scene.title} ({group.scene.pk}) {each.kind.value} {each.scene.title} ({each.scene.pk})"
            self.stdout.write(json.dumps(row) if as_json else title)

    def _user(self, name: str | None) -> User:
        user = user_named(name) if name else User.objects.filter(is_superuser=True, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no user {name!r}." if name else "There is no administrator; use --user.")
        return user

    def _collection(self, slug: str | None) -> Collection | None:
        found = Collection.objects.filter(slug=slug).first() if slug else None
        if slug and found is None:
            raise CommandError(f"There is no collection {slug!r}.")
        return found
