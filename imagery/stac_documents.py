"""STAC documents for one reader: the row they may see, its assets and the addresses of where they asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils.translation import gettext as _

from imagery.models import Asset, Collection, Scene
from imagery.selectors import collection_get, collections_list, scene_get
from imagery.selectors_stac import collection_facts, originals_given
from imagery.stac.collection_out import CollectionPlaces, catalog_document, collection_document
from imagery.stac.item_out import ItemPlaces, scene_item

if TYPE_CHECKING:
    from imagery.querysets import Viewer

Json = dict[str, Any]


@dataclass(frozen=True)
class Addresses:
    """The absolute addresses of documents, files and pages, over the pages or over the API."""

    root: str
    item: Callable[[Scene], str]
    collection: Callable[[Collection], str]
    asset: Callable[[Asset], str]
    scene_page: Callable[[Scene], str]
    collection_page: Callable[[Collection], str]


def item_document(*, user: Viewer, scene_id: UUID, addresses: Addresses) -> Json:
    """Return a scene as a STAC Item. Raises Scene.DoesNotExist when it may not be seen."""
    scene = scene_get(user, scene_id)
    places = ItemPlaces(
        asset_href=addresses.asset,
        self_href=addresses.item(scene),
        collection=addresses.collection(scene.collection),
        root=addresses.root,
        page=addresses.scene_page(scene),
    )
    originals = originals_given(user, scene.collection)
    return scene_item(scene, assets=scene.assets.all(), originals=originals, places=places)


def collection_stac(*, user: Viewer, slug: str, addresses: Addresses) -> Json:
    """Return a collection as a STAC Collection. Raises Collection.DoesNotExist when it may not be seen."""
    collection = collection_get(user, slug)
    places = CollectionPlaces(
        self_href=addresses.collection(collection),
        root=addresses.root,
        page=addresses.collection_page(collection),
    )
    return collection_document(collection, facts=collection_facts(user, collection), places=places)


def root_stac(*, user: Viewer, addresses: Addresses) -> Json:
    """Return the catalogue of the collections this person may see."""
    links = [{"rel": rel, "href": addresses.root, "type": "application/json"} for rel in ("self", "root")]
    links += [
        {"rel": "child", "href": addresses.collection(each), "type": "application/json", "title": each.title}
        for each in collections_list(user)
    ]
    return catalog_document(
        id="rsportal",
        title=_("Imagery archive"),
        description=_("The collections of this portal that you may see."),
        links=links,
    )
