"""``manage.py example_searches``: three searches, to see that searching works."""

from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from rsportal.accounts.models import User
from search.console import page_lines
from search.models import Query
from search.query import search_request_parse
from search.services import ranking_page, search_run

_TEXTS: Final = ("a beach and the sea", "a river with bends", "海边的沙滩")
_SHOWN: Final = 3


class Command(BaseCommand):
    """Prints hits, scores and times. Exits with 1 when a search returns nothing."""

    help = "Run three example searches and print what they found, with scores and times."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--as", dest="username", required=True, metavar="USER", help="whose scenes to search")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']!r}.")
        empty = [text for text in _TEXTS if not self._search(user, text)]
        if empty:
            raise CommandError("No scenes were found for: " + "; ".join(empty))

    def _search(self, user: User, text: str) -> int:
        ranking = search_run(
            user=user, request=search_request_parse(user=user, text=text), channel=Query.Channel.COMMAND
        )
        page = ranking_page(user=user, ranking=ranking, size=_SHOWN)
        self.stdout.write(f"Search “{text}”")
        for line in page_lines(page):
            self.stdout.write(f"  {line}")
        return len(page.hits)
