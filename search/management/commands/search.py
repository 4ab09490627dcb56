"""``manage.py search``: the search of the portal on the command line, for people and programs."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from imagery.models import Asset
from rsportal.accounts.models import User
from rsportal.accounts.selectors import user_named
from rsportal.errors import RsportalError
from search.console import page_lines
from search.filters import FILTERS
from search.models import Query
from search.selectors import archive_progress
from search.services import SearchPage, ranking_page, search_request_parse, search_run

_MAX_LIMIT = 1_000


class Command(BaseCommand):
    help = "Search the archive with words; prints the best scenes, their scores and the time taken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "text", nargs="?", default="", help='what to look for, such as "an airport beside the sea"; or --like'
        )
        parser.add_argument(
            "--like",
            action="append",
            default=[],
            metavar="EXAMPLE",
            help="like scene:ID, box:ID:x,y,width,height, image:ID or concept:ID; with *-1 behind it: not like it",
        )
        parser.add_argument("--translation", default="", metavar="TEXT", help="search for this in place of the text")
        parser.add_argument(
            "--collection",
            dest="collections",
            action="append",
            default=[],
            metavar="SLUG",
            help="search only in this one",
        )
        parser.add_argument("--as", dest="username", metavar="USER", help="search as this person (sees what they see)")
        parser.add_argument("--start", metavar="DAY", help="acquired on or after this day (2024-05-31)")
        parser.add_argument("--end", metavar="DAY", help="acquired on or before this day")
        parser.add_argument(
            "--bbox", metavar="W,S,E,N", help="meeting this box, degrees; write it as --bbox=-76.4,36,-75,37"
        )
        parser.add_argument(
            "--intersects", metavar="GEOJSON", help="meeting this area: GeoJSON, or the name of a file that holds it"
        )
        parser.add_argument("--platform", action="append", default=[], metavar="NAME", help="taken from this platform")
        parser.add_argument(
            "--instrument", dest="instruments", action="append", default=[], metavar="NAME", help="with it"
        )
        parser.add_argument("--gsd-min", metavar="M", help="of at least this ground sample distance in metres")
        parser.add_argument("--gsd-max", metavar="M", help="of at most this ground sample distance in metres")
        parser.add_argument("--cloud-cover-max", metavar="PERCENT", help="of at most this known cloud cover")
        parser.add_argument(
            "--license", action="append", default=[], metavar="ID", help="of collections under this licence"
        )
        parser.add_argument("--added-after", metavar="MOMENT", help="added after this day or moment (UTC)")
        parser.add_argument("--limit", type=int, default=10, metavar="N", help="show N scenes (default 10)")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["limit"] <= _MAX_LIMIT:
            raise CommandError(f"--limit is {options['limit']}; it must be 1 to {_MAX_LIMIT}.")
        user = self._user(options["username"])
        try:
            options["intersects"] = _area(options["intersects"])
            request = search_request_parse(
                user=user,
                text=options["text"],
                translation=options["translation"],
                examples=options["like"],
                **{name: options[name] for name in FILTERS},
            )
            ranking = search_run(user=user, request=request, channel=Query.Channel.COMMAND, limit=options["limit"])
            page = ranking_page(user=user, ranking=ranking, size=options["limit"])
        except RsportalError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(page), ensure_ascii=False))
        else:
            self._print(user, page)

    def _user(self, username: str | None) -> User:
        if username is not None:
            user = user_named(username)
            if user is None:
                raise CommandError(f"There is no user {username!r}.")
            if not user.is_active:
                raise CommandError(f"The account {username!r} is disabled and sees nothing.")
            return user
        user = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if user is None:
            raise CommandError('Name a user with --as USER, or make an administrator with "manage.py createsuperuser".')
        self.stderr.write(f"Searching as {user.username}, who sees every collection (--as USER searches as another).")
        return user

    def _print(self, user: User, page: SearchPage) -> None:
        for line in page_lines(page):
            self.stdout.write(line)
        if not page.hits:
            self.stdout.write(_why_empty(user, filtered=bool(page.ranking.query.filters)))


def _area(given: str | None) -> str | None:
    """Return the GeoJSON that was given, or that the named file holds."""
    if not given or given.lstrip().startswith("{"):
        return given
    try:
        return Path(given).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CommandError(f"--intersects: {given[:200]!r} is neither GeoJSON nor a file that can be read.") from error


def _why_empty(user: User, *, filtered: bool) -> str:
    searchable, every, _encoder = archive_progress(user)
    if filtered and searchable:
        return "No scene passes the filters. Leave out one of them, such as --bbox or --start."
    if every:
        return f"{searchable} of {every} scenes can be searched so far. Is the worker running (manage.py run_worker)?"
    return 'The archive holds nothing this user may see. Add images with "manage.py ingest PATH --collection SLUG".'


def _as_json(page: SearchPage) -> dict[str, Any]:
    """``window`` is [x, y, width, height] in pixels or null; ``bbox`` [west, south, east, north] in degrees or null."""
    ranking = page.ranking
    names = _filenames(page)
    return {
        "query": ranking.query.text,
        "translation": ranking.query.translation or None,
        "untranslated": ranking.query.untranslated,
        "pieces": ranking.query.pieces,
        "encoder": ranking.encoder.name,
        "took_ms": ranking.took_ms,
        "searched": ranking.searched,
        "results": [
            {
                "scene": str(hit.scene.pk),
                "title": hit.scene.title,
                "collection": hit.scene.collection.slug,
                "filename": names.get(hit.scene.pk, ""),
                "score": hit.score,
                "window": list(hit.window) if hit.window else None,
                "bbox": list(hit.scene.bbox) if hit.scene.bbox else None,
                "datetime": hit.scene.datetime.isoformat() if hit.scene.datetime else None,
            }
            for hit in page.hits
        ],
    }


def _filenames(page: SearchPage) -> dict[Any, str]:
    """Return {scene id: name of its (first) original file}."""
    rows = Asset.objects.filter(scene__in=[hit.scene.pk for hit in page.hits], role=Asset.Role.DATA)
    return dict(rows.order_by("-key").values_list("scene_id", "filename"))
