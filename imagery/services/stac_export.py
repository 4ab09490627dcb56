"""Writing collections as a static STAC catalogue: item by item, in memory that does not grow with the archive.

``catalog.json`` is written last: a folder without it is an export that did not end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from imagery.models import Asset, Collection, Scene
from imagery.selectors_stac import collection_facts, originals_given, scenes_taken_out
from imagery.services.embeddings_export import embeddings_export
from imagery.services.export_files import file_copy_out, json_write, json_write_listing
from imagery.stac.collection_out import CollectionPlaces, catalog_document, collection_document
from imagery.stac.item_out import GEOJSON, ItemPlaces, item_id, scene_item
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, RsportalError

Json = dict[str, Any]
Progress = Callable[[int, int], None]

FILES: Final = ("none", "thumbnails", "data")
_CHUNK: Final = 100
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9](?:[\w.-]{0,118}\w)?", re.ASCII)
_MOST_PROBLEMS: Final = 50


@dataclass(frozen=True)
class ExportOptions:
    """``files``: which files are copied (:data:`FILES`). ``portal``: the portal's address, for those that are not."""

    ndjson: bool = False
    files: str = "none"
    embeddings: bool = False
    portal: str = ""


@dataclass
class ExportReport:
    """What was written; ``problems`` are sentences about files that were left out, the first ones only."""

    items: int = 0
    files: int = 0
    bytes: int = 0
    vectors: int = 0
    originals_withheld: bool = False
    left_out: int = 0
    problems: list[str] = field(default_factory=list)

    def problem(self, sentence: str) -> None:
        """Note a file that was left out."""
        self.left_out += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(sentence)


def catalog_export(
    *,
    user: User,
    collections: Sequence[Collection],
    out: Path,
    options: ExportOptions,
    progress: Progress | None = None,
) -> ExportReport:
    """Write what ``user`` may take away of ``collections`` into ``out``, a folder that is new or empty.

    Raises InvalidInput for a folder that holds something or cannot be written.
    """
    report = ExportReport()
    try:
        _folder_require(out)
        for collection in collections:
            _CollectionExport(user, collection, out / collection.slug, options, report, progress).run()
        links = [{"rel": "root", "href": "./catalog.json", "type": "application/json"}] + [
            {"rel": "child", "href": f"./{each.slug}/collection.json", "type": "application/json", "title": each.title}
            for each in collections
        ]
        title, description = "Imagery archive", "Collections exported from an rsportal archive."
        document = catalog_document(id="rsportal", title=title, description=description, links=links)
        json_write(out / "catalog.json", document)
    except OSError as error:
        raise InvalidInput(
            _("%(path)s cannot be written: %(reason)s.") % {"path": error.filename or out, "reason": error.strerror},
            field="out",
        ) from error
    return report


def _folder_require(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise InvalidInput(_("%s is not empty; export into a new folder.") % out, field="out")


@dataclass
class _CollectionExport:
    user: User
    collection: Collection
    folder: Path
    options: ExportOptions
    report: ExportReport
    progress: Progress | None

    def __post_init__(self) -> None:
        self.originals = originals_given(self.user, self.collection)
        self.roles = {
            "none": frozenset[str](),
            "thumbnails": frozenset({Asset.Role.THUMBNAIL, Asset.Role.OVERVIEW}),
            "data": frozenset(Asset.Role.values),
        }[self.options.files]
        self.report.originals_withheld |= self.options.files == "data" and not self.originals

    def run(self) -> None:
        self.folder.mkdir()
        facts = collection_facts(self.user, self.collection)
        scenes = scenes_taken_out(self.user, self.collection)
        assets = {}
        if self.options.embeddings:
            assets["embeddings"] = self._embeddings()
        items = self._items(scenes.order_by("pk"), facts.count)
        places = CollectionPlaces(root="../catalog.json", assets=assets)
        document = collection_document(self.collection, facts=facts, places=places)
        target = self.folder / "collection.json"
        if self.options.ndjson:
            with (self.folder / "items.ndjson").open("x", encoding="utf-8") as lines:
                for item, _href in items:
                    lines.write(json.dumps(item, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")
            document["links"].append({"rel": "items", "href": "./items.ndjson", "type": "application/x-ndjson"})
            json_write(target, document)
        else:
            json_write_listing(target, document, "links", (self._written(item, href) for item, href in items))

    def _items(self, scenes: Any, total: int) -> Iterator[tuple[Json, str]]:
        """Yield each item with its address relative to the collection's folder."""
        rows = scenes.defer("placeholder").iterator(chunk_size=_CHUNK)
        done = 0
        while some := list(islice(rows, _CHUNK)):
            # Not by prefetch_related: its rings of rows wait for the garbage collector, thousands at a time.
            assets: dict[UUID, list[Asset]] = {scene.pk: [] for scene in some}
            for asset in Asset.objects.filter(scene__in=list(assets)).order_by("key"):
                assets[asset.scene_id].append(asset)
            for scene in some:
                scene.collection = self.collection
                yield self._item(scene, assets[scene.pk])
                done += 1
                if self.progress:
                    self.progress(done, total)
            self.report.items += len(some)

    def _item(self, scene: Scene, assets: list[Asset]) -> tuple[Json, str]:
        name = self._name(scene)
        inside = f"items/{name}"
        copied = {}
        for asset in assets:
            if asset.role in self.roles and not asset.href and (asset.role != Asset.Role.DATA or self.originals):
                copied[asset.key] = self._copy(asset, inside)
        up, here = ("./", f"./{inside}/") if self.options.ndjson else ("../../", "./")

        def href(asset: Asset) -> str:
            if file := copied.get(asset.key):
                return here + file
            return self._at_portal("api:scene-asset", pk=scene.pk, key=asset.key)

        places = ItemPlaces(
            asset_href=href,
            parent=f"{up}collection.json",
            collection=f"{up}collection.json",
            root=f"{up}../catalog.json",
            page=self._at_portal("imagery:scene", scene_id=scene.pk),
        )
        item = scene_item(scene, assets=assets, originals=self.originals, places=places)
        return item, f"{inside}/{name}.json"

    def _written(self, item: Json, href: str) -> Json:
        target = self.folder / href
        target.parent.mkdir(parents=True, exist_ok=True)
        json_write(target, item)
        link = {"rel": "item", "href": f"./{href}", "type": GEOJSON}
        return link | ({"title": title} if (title := item["properties"].get("title")) else {})

    def _name(self, scene: Scene) -> str:
        """Return the scene's folder: its STAC id where that is a plain file name nobody took, else its key."""
        wanted = item_id(scene)
        name = wanted if _PLAIN_NAME.fullmatch(wanted) else str(scene.pk)
        number = 1
        while (self.folder / "items" / name).exists():  # Also where only the case of letters differs.
            number += 1
            name = f"{scene.pk}-{number}"
        if not self.options.ndjson or self.roles:
            (self.folder / "items" / name).mkdir(parents=True)
        return name

    def _copy(self, asset: Asset, inside: str) -> str:
        """Copy a file beside its item and return its name; an empty text when it had to be left out."""
        suffix = Path(asset.filename).suffix.lower()
        name = f"{re.sub(r'[^A-Za-z0-9_-]', '_', asset.key)}{suffix if suffix.isascii() else ''}"
        try:
            self.report.bytes += file_copy_out(asset, self.folder / inside / name)
        except RsportalError as error:
            self.report.problem(f"{asset.scene_id}: {error.message}")
            return ""
        self.report.files += 1
        return name

    def _at_portal(self, name: str, **kwargs: Any) -> str:
        return self.options.portal.rstrip("/") + reverse(name, kwargs=kwargs) if self.options.portal else ""

    def _embeddings(self) -> Json:
        written = embeddings_export(user=self.user, collection=self.collection, out=self.folder / "embeddings.parquet")
        self.report.vectors += written.rows
        return {**written.as_asset(), "href": "./embeddings.parquet"}
