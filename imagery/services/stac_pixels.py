"""Taking in the pixels of imported items: choosing their files, reaching them, queueing the scenes to be encoded."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from imagery.models import Asset, Collection, Scene
from imagery.readers import sniff_file
from imagery.readers.formats import FACTS, format_of_extension
from imagery.readers.location import RemoteFile
from imagery.rendering_recipe import recipe_parse
from imagery.services.accept import SourceFile, files_check
from imagery.services.attach import files_attach, pixels_missing_note
from imagery.services.stac_items import Outcome, Stored
from imagery.stac.assets_in import Json, asset_filename, assets_choose
from imagery.stac.catalogue import path_inside
from imagery.stac.fields_in import is_address
from imagery.stac.hosts import HostUnknown, url_check
from imagery.stac.http import RemoteUnavailable, download
from imagery.storage import media_root
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, RsportalError

_AT_ONCE: Final = 4
_STRIKES: Final = 3
"""So often in a row a host may fail to answer before it is left alone for the rest of an import."""
_INCOMING: Final = ".incoming-"
_LEFT_OVER_SECONDS: Final = 24 * 3600


class Pixels(StrEnum):
    """What becomes of the pixels of an item: read where they are, copied, or left alone."""

    REMOTE = "remote"
    COPY = "copy"
    NONE = "none"


@dataclass(frozen=True)
class _Wish:
    """The files of one scene, by asset key: where each is, and the asset of the item that names it."""

    each: Stored
    scene_id: UUID
    files: dict[str, tuple[Path | str, Json]]


@dataclass
class PixelTaker:
    """Takes the pixels of items of one import into ``collection``; ``jobs`` counts the scenes it queued."""

    collection: Collection
    user: User
    batch: UUID
    pixels: Pixels
    wanted: Sequence[str] = ()
    jobs: int = 0
    _strikes: Counter[str] = field(default_factory=Counter)
    _reasons: dict[UUID, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._recipe = recipe_parse(self.collection.rendering)
        if self.pixels is Pixels.COPY:
            _left_overs_remove()

    def take(self, stored: Sequence[Stored]) -> None:
        """Queue the scenes of ``stored`` that lack their pixels, or whose files are others now.

        Items whose files cannot be reached keep the reason, and stay what they are. Nothing is raised for them.
        """
        if self.pixels is Pixels.NONE:
            return
        self._reasons = {}
        wishes = [wish for each in stored if (wish := self._wish(each)) is not None]
        if wishes:
            self._take_all(wishes)
        if self._reasons:
            pixels_missing_note(self._reasons)

    def _take_all(self, wishes: Sequence[_Wish]) -> None:
        with tempfile.TemporaryDirectory(prefix=_INCOMING, dir=media_root()) as incoming:
            for start in range(0, len(wishes), _AT_ONCE):
                self._take_some(wishes[start : start + _AT_ONCE], Path(incoming))

    def _take_some(self, wishes: Sequence[_Wish], incoming: Path) -> None:
        """Reach and check a few at once, then store them one after the other (threads have no database)."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="stac-pixels") as pool:
            folders = [incoming / str(wish.scene_id) for wish in wishes]
            for wish, folder, result in zip(wishes, folders, pool.map(self._reached, wishes, folders), strict=True):
                try:
                    if isinstance(result, RsportalError):
                        raise result
                    checked, size = result
                    if files_attach(
                        scene_id=wish.scene_id,
                        checked=checked,
                        size=size,
                        user=self.user,
                        batch=self.batch,
                        copy=self.pixels is Pixels.COPY,
                    ):
                        self.jobs += 1
                except (RsportalError, OSError) as error:
                    self._reasons[wish.scene_id] = _sentence(error)
                finally:
                    shutil.rmtree(folder, ignore_errors=True)

    def _wish(self, each: Stored) -> _Wish | None:
        """Return what to fetch of an item; None when nothing is to be done, or nothing can be (then it is noted)."""
        if each.item is None or each.scene_id is None or each.outcome is Outcome.REFUSED:
            return None
        lacking = each.status in {Scene.Status.METADATA, Scene.Status.FAILED}
        if each.outcome is Outcome.UNCHANGED and not lacking:
            return None
        try:
            files = self._files(each)
        except RsportalError as error:
            if lacking:
                self._reasons[each.scene_id] = error.message
            return None
        if not lacking and _same_files(each.scene_id, files):
            return None
        return _Wish(each, each.scene_id, files)

    def _files(self, each: Stored) -> dict[str, tuple[Path | str, Json]]:
        assert each.item is not None
        chosen = assets_choose(each.item.assets, wanted=self.wanted, recipe=self._recipe.bands)
        if not chosen and self.wanted:
            raise InvalidInput(
                _("None of its readable files is called, or has the role, %(names)s.")
                % {"names": ", ".join(self.wanted)}
            )
        if not chosen:
            raise InvalidInput(_("It names no file that can be read as an image."))
        keys = {id(asset): key for key, asset in each.item.assets.items()}
        return {key: (self._place(each, asset, keys[id(asset)]), asset) for key, asset in chosen.items()}

    def _place(self, each: Stored, asset: Json, key: str) -> Path | str:
        """Return where a file is: a path of a catalogue of files, or an address that may be asked."""
        if each.found.file is not None and each.found.root is not None:
            said = each.found.item["assets"][key]["href"]
            if not is_address(said):
                there = path_inside(said, file=each.found.file, root=each.found.root)
                if there is None and not is_address(asset["href"]):
                    raise InvalidInput(
                        _("Its file %(href)s is not in the folder of the catalogue.") % {"href": said[:200]}
                    )
                if there is not None:
                    return there
        url_check(asset["href"])
        return str(asset["href"])

    def _reached(self, wish: _Wish, folder: Path) -> Any:
        """Return the checked files of a scene and its size, or the error. Runs in a thread."""
        hosts = {urlsplit(place).netloc for place, _asset in wish.files.values() if isinstance(place, str)}
        try:
            for host in hosts:
                self._strikes_check(host)
            sources = [self._source(key, place, asset, folder) for key, (place, asset) in wish.files.items()]
            found = files_check(sources, recipe=self._recipe, in_place=self.pixels is not Pixels.COPY)
        except (RemoteUnavailable, HostUnknown) as error:
            self._strikes.update(hosts)
            return error
        except RsportalError as error:
            return error
        except OSError as error:
            return InvalidInput(_sentence(error))
        for host in hosts:
            self._strikes[host] = 0
        return found

    def _strikes_check(self, host: str) -> None:
        if self._strikes[host] >= _STRIKES:
            raise InvalidInput(
                _("The host %(host)s did not answer %(times)d times in a row; it was not asked again.")
                % {"host": host, "times": _STRIKES}
            )

    def _source(self, key: str, place: Path | str, asset: Json, folder: Path) -> SourceFile:
        bands = [band for band in asset.get("bands") or [] if isinstance(band, dict)]
        if isinstance(place, Path):
            return SourceFile(path=place, filename=place.name, key=key, bands=bands)
        name = asset_filename(asset)
        if self.pixels is not Pixels.COPY:
            return SourceFile(path=RemoteFile(place), filename=name, key=key, href=place, bands=bands)
        folder.mkdir(exist_ok=True)
        target = folder / f"{len(list(folder.iterdir()))}"
        with target.open("wb") as file:
            download(place, file, most_bytes=settings.UPLOAD_MAX_BYTES)
        format = sniff_file(target, name=name)
        if format_of_extension(name) is not format:  # Nobody here chose its name.
            name += FACTS[format].extensions[0]
        return SourceFile(path=target, filename=name, key=key, href=place, bands=bands)


def _same_files(scene_id: UUID, files: dict[str, tuple[Path | str, Json]]) -> bool:
    """Return whether a scene's originals are those that its item names now."""
    rows = Asset.objects.filter(scene=scene_id, role=Asset.Role.DATA).values_list("href", "path", "managed")
    have = {href or (path if not managed else "") for href, path, managed in rows}
    return have == {str(place) for place, _asset in files.values()}


def _sentence(error: BaseException) -> str:
    if isinstance(error, RsportalError):
        return error.message
    return _("It could not be kept on the server: %(reason)s.") % {"reason": getattr(error, "strerror", "") or error}


def _left_overs_remove() -> None:
    """Remove what imports that were killed had fetched."""
    for folder in media_root().glob(f"{_INCOMING}*"):
        with suppress(OSError):
            if folder.stat().st_mtime < time.time() - _LEFT_OVER_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
