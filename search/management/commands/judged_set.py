"""``manage.py judged_set``: judged query sets from and to files."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from imagery.evaluation.phrases import phrases_read
from imagery.models import Collection
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, RsportalError
from search.acting import acting_user
from search.comparison import CLASS_PROPERTY
from search.judged.documents import DocumentId
from search.judged.export import qrels_lines, topics_lines
from search.judged.trec import BadLine
from search.models import JudgedSet
from search.selectors_judged import judged_set_get, judged_sets_list
from search.services.judged_import import Imported, phrases_import, qrels_import, topics_import
from search.services.judged_sets import judged_set_create

_NAMED: Final = 20
"""As many bad lines are named; the rest is counted."""


class Command(BaseCommand):
    help = (
        "Judged query sets: import queries and judgements (TREC topics and qrels, or phrases with classes), export "
        "them, list the sets. docs/evaluation.md explains the files."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="import|export|list")
        take = actions.add_parser("import", help="add queries and judgements to a set, made when there is none")
        take.add_argument("--set", required=True, metavar="NAME", help="the set (owner/name where names repeat)")
        take.add_argument("--topics", type=Path, metavar="FILE", help="queries: number, tab, words")
        take.add_argument("--qrels", type=Path, metavar="FILE", help="judgements: query, 0, scene, grade")
        take.add_argument("--queries", type=Path, metavar="FILE", help='JSON Lines: {"text", "language", "class"}')
        take.add_argument(
            "--class-property",
            default=CLASS_PROPERTY,
            metavar="NAME",
            help=f"with --queries: the property of scenes that holds their class (default: {CLASS_PROPERTY})",
        )
        take.add_argument("--collection", metavar="SLUG", help="a new set searches only in this one")
        take.add_argument("--description", default="", metavar="TEXT", help="of a new set")
        give = actions.add_parser("export", help="write a set as TREC files")
        give.add_argument("--set", required=True, metavar="NAME")
        give.add_argument("--topics", type=Path, metavar="FILE")
        give.add_argument("--qrels", type=Path, metavar="FILE")
        show = actions.add_parser("list", help="the sets and their sizes")
        show.add_argument("--json", action="store_true", help="print one JSON object")
        for each in (take, give):
            each.add_argument(
                "--docids",
                choices=DocumentId.values,
                default=DocumentId.UUID.value,
                help="what scenes are called by in the qrels: their id (default) or their original file's name",
            )
        for each in (take, give, show):
            each.add_argument("--as", dest="username", metavar="USER", help="as this person (sees what they see)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = acting_user(options["username"])
            {"import": self._import, "export": self._export, "list": self._list}[options["action"]](user, options)
        except RsportalError as error:
            raise CommandError(error.message) from error

    def _import(self, user: User, options: dict[str, Any]) -> None:
        if not (options["topics"] or options["qrels"] or options["queries"]):
            raise CommandError("Name at least one file: --topics, --qrels or --queries.")
        judged_set = self._set(user, options)
        if options["queries"]:
            self._import_phrases(judged_set, user, options)
        if options["topics"]:
            path = options["topics"]
            found = topics_import(judged_set=judged_set, user=user, lines=_lines(path), file=str(path))
            self._say(found, f"{found.queries:,} queries from {path}")
        if options["qrels"]:
            path = options["qrels"]
            found = qrels_import(
                judged_set=judged_set, user=user, lines=_lines(path), file=str(path), documents=options["docids"]
            )
            self._say(found, f"{found.judgements:,} judgements from {path}")

    def _set(self, user: User, options: dict[str, Any]) -> JudgedSet:
        """The set, made when this person has none of the name."""
        name = options["set"]
        try:
            judged_set = judged_set_get(user, name)
        except InvalidInput:
            if "/" in name or judged_sets_list(user).filter(name=name).exists():
                raise
        else:
            if options["collection"] and (
                judged_set.collection is None or judged_set.collection.slug != options["collection"]
            ):
                raise CommandError(
                    f"The set {name!r} is there and not bound to {options['collection']!r}: change that in the "
                    "administration, or leave --collection out."
                )
            return judged_set
        collection = None
        if slug := options["collection"]:
            collection = Collection.objects.visible_to(user).filter(slug=slug).first()
            if collection is None:
                raise CommandError(f"There is no collection {slug!r}, or this user may not see it.")
        made = judged_set_create(user=user, name=name, collection=collection, description=options["description"])
        self.stdout.write(f"Made the set {made.name!r} of {user.username}.")
        return made

    def _import_phrases(self, judged_set: JudgedSet, user: User, options: dict[str, Any]) -> None:
        path: Path = options["queries"]
        phrases, bad = phrases_read(path)
        found, missing = phrases_import(
            judged_set=judged_set, user=user, phrases=phrases, class_property=options["class_property"]
        )
        if missing:
            shown = ", ".join(missing[:_NAMED]) + (" ..." if len(missing) > _NAMED else "")
            self.stderr.write(
                f"No scene of the set has the {options['class_property']!r} {shown}: these queries have no judgements."
            )
        bad_lines = [BadLine(str(path), each.number, f"{each.reason}.") for each in bad]
        self._say(
            Imported(found.queries, found.judgements, bad_lines),
            f"{found.queries:,} queries and {found.judgements:,} judgements from {path}",
        )

    def _say(self, found: Imported, what: str) -> None:
        for each in found.bad[:_NAMED]:
            self.stderr.write(str(each))
        if len(found.bad) > _NAMED:
            self.stderr.write(f"... and {len(found.bad) - _NAMED:,} more lines that cannot be used")
        left_out = f"; {len(found.bad):,} lines left out" if found.bad else ""
        self.stdout.write(f"{what}{left_out}.")

    def _export(self, user: User, options: dict[str, Any]) -> None:
        if not (options["topics"] or options["qrels"]):
            raise CommandError("Name at least one file to write: --topics or --qrels.")
        judged_set = judged_set_get(user, options["set"])
        if options["topics"]:
            self._write(options["topics"], topics_lines(judged_set), "queries")
        if options["qrels"]:
            lines, left_out = qrels_lines(judged_set, user, documents=options["docids"])
            for sentence in left_out[:_NAMED]:
                self.stderr.write(sentence)
            if len(left_out) > _NAMED:
                self.stderr.write(f"... and {len(left_out) - _NAMED:,} more scenes left out")
            self._write(options["qrels"], lines, "judgements")

    def _write(self, path: Path, lines: list[str], what: str) -> None:
        try:
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
        except OSError as error:
            raise CommandError(f"{path} cannot be written ({error.strerror}).") from error
        self.stdout.write(f"{len(lines):,} {what} written to {path}.")

    def _list(self, user: User, options: dict[str, Any]) -> None:
        rows = [
            {
                "set": row.name,
                "owner": row.owner.username if row.owner else None,
                "collection": _scope(row),
                "queries": row.query_count,
                "judgements": row.judgement_count,
                "last_run": row.last_run.isoformat() if row.last_run else None,
            }
            for row in judged_sets_list(user)
        ]
        if options["json"]:
            self.stdout.write(json.dumps({"sets": rows}, ensure_ascii=False))
            return
        for row in rows:
            where = row["collection"] or "everything"
            owner = row["owner"] or "nobody"
            last = f", last run {row['last_run'][:16]}" if row["last_run"] else ""
            size = f"{row['queries']:,} queries, {row['judgements']:,} judgements"
            self.stdout.write(f"{owner}/{row['set']}  over {where}: {size}{last}")
        if not rows:
            self.stdout.write("There is no judged query set this user may see.")


def _scope(row: Any) -> str | None:
    if row.collection is None:
        return None
    return str(row.collection.slug) if row.scope_seen else "(hidden)"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise CommandError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is no UTF-8 text.") from error
