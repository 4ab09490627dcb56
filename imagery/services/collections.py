"""Writes to collections: make, change, share, remove. Only the owner (or a superuser) changes who may do what."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from imagery.citation import doi_clean, keywords_clean, providers_clean, providers_merge
from imagery.models import Collection, CollectionMember
from imagery.models.collection import Visibility
from imagery.rendering_recipe import recipe_parse
from rsportal.accounts.models import User
from rsportal.accounts.selectors import user_named
from rsportal.errors import Conflict, InvalidInput, NotAllowed

_SLUG_LENGTH: Final = 70  # leaves room for a number behind it
_SLUG_TRIES: Final = 5
_RESERVED_SLUGS: Final = frozenset({"new"})  # addresses of other pages
_TILE_FIELDS: Final = frozenset({"tile_overlap", "tile_gsd_min", "tile_gsd_max", "tile_most"})
_CITED_FIELDS: Final = frozenset({"providers", "keywords", "doi", "citation"})
_MORE_FIELDS: Final = _TILE_FIELDS | _CITED_FIELDS | {"rendering"}
_CHANGEABLE: Final = _MORE_FIELDS | {
    "title", "description", "license", "license_url", "attribution", "visibility",
}  # fmt: skip


def collection_create(
    *,
    user: User,
    title: str,
    description: str = "",
    license: str = "",
    license_url: str = "",
    attribution: str = "",
    visibility: str = Visibility.PRIVATE,
    slug: str = "",
    **more: Any,
) -> Collection:
    """Make a collection owned by ``user``; without ``slug`` its address is made from the title.

    ``more``: any of the fields ``tile_...``, how its scenes are cut into windows, ``rendering``, how they are drawn,
    and of providers, keywords, doi, citation.

    Raises InvalidInput with the field at fault, also when a given slug is taken.
    """
    collection = Collection(
        title=title.strip(),
        description=description,
        license=license.strip(),
        license_url=license_url,
        attribution=attribution,
        visibility=visibility,
        owner=user,
    )
    _assign(collection, more, _MORE_FIELDS)
    if slug:
        collection.slug = slug
        if slug in _RESERVED_SLUGS:
            raise InvalidInput(_("The address “%s” is used by the portal; choose another.") % slug, field="slug")
        _clean(collection)
        try:
            with transaction.atomic():
                collection.save()
        except IntegrityError:  # another person took the address between the look and the save
            _clean(collection)
            raise
        return collection
    for _attempt in range(_SLUG_TRIES):
        collection.slug = _free_slug(title)
        _clean(collection)
        try:
            with transaction.atomic():
                collection.save()
        except IntegrityError:  # another person took the address between the look and the save
            continue
        return collection
    raise Conflict(_("No free address for “%s” was found; try again or choose another title.") % title)


def collection_update(*, collection: Collection, user: User, **changes: Any) -> Collection:
    """Change its words, licence, providers, citation, visibility or windows. The address stays, so that links hold.

    Another rule of windows holds for scenes added from then on.

    Raises NotAllowed when ``user`` is not the owner, InvalidInput with the field at fault.
    """
    _require_owner(collection, user)
    _assign(collection, changes, _CHANGEABLE)
    _clean(collection)
    collection.save(update_fields=[*changes, "updated_at"])
    return collection


def collection_delete(*, collection: Collection, user: User) -> None:
    """Delete an empty collection. Raises NotAllowed, or Conflict while it still holds scenes."""
    _require_owner(collection, user)
    with transaction.atomic():
        locked = Collection.objects.select_for_update().filter(pk=collection.pk).first()
        if locked is None:  # deleted a moment ago: what was asked for is done
            return
        if locked.scenes.exists():
            raise Conflict(
                _("“%s” still holds scenes. Delete them first; a collection is only removed when it is empty.")
                % collection.title
            )
        locked.delete()


def collection_member_set(*, collection: Collection, user: User, username: str, role: str) -> CollectionMember:
    """Let the person called ``username`` see (viewer) or change (editor) the collection; repeats change the role.

    Raises NotAllowed when ``user`` is not the owner, InvalidInput for an unknown name or role, or the owner's own.
    """
    _require_owner(collection, user)
    member = user_named(username)
    if member is None or not member.is_active:
        raise InvalidInput(
            _("Nobody here is called “%s”. Type the exact user name.") % username.strip(), field="username"
        )
    if member.pk == collection.owner_id:
        raise InvalidInput(_("%s owns the collection and has every right already.") % member, field="username")
    if role not in CollectionMember.Role.values:
        raise InvalidInput(_("“%s” is not a role.") % role, field="role")
    membership, _created = CollectionMember.objects.update_or_create(
        collection=collection, user=member, defaults={"role": role}
    )
    return membership


def collection_member_remove(*, collection: Collection, user: User, member_id: int) -> None:
    """Take a person's rights in the collection back (nothing happens when there were none). Raises NotAllowed."""
    _require_owner(collection, user)
    CollectionMember.objects.filter(collection=collection, user_id=member_id).delete()


def collection_owned_by(*, collection: Collection, user: User) -> bool:
    """Return whether ``user`` decides about the collection itself: its owner, and superusers."""
    return user.is_active and (user.is_superuser or collection.owner_id == user.pk)


def _assign(collection: Collection, changes: Mapping[str, object], allowed: frozenset[str]) -> None:
    if unknown := set(changes) - allowed:
        raise InvalidInput(_("A collection has no changeable field “%s”.") % min(unknown), field=min(unknown))
    for name, value in changes.items():
        kept = _recipe(value) if name == "rendering" else value
        setattr(collection, name, _cited(collection, name, value) if name in _CITED_FIELDS else kept)


def _recipe(value: object) -> dict[str, Any]:
    try:
        return recipe_parse(value).as_json()
    except InvalidInput as error:
        raise InvalidInput(error.message, field=".".join(filter(None, ("rendering", error.field)))) from error


def _cited(collection: Collection, name: str, value: Any) -> Any:
    """Return what is kept for a field that says whom to name; members that a form does not show stay."""
    if name == "providers":
        return providers_clean(providers_merge(value or [], collection.providers))
    if name == "keywords":
        return keywords_clean(value or [])
    return doi_clean(value or "") if name == "doi" else (value or "").strip()


def _require_owner(collection: Collection, user: User) -> None:
    if not collection_owned_by(collection=collection, user=user):
        raise NotAllowed(
            _("Only %(owner)s, who owns “%(title)s”, can change it or its members.")
            % {"owner": collection.owner, "title": collection.title}
        )


def _free_slug(title: str) -> str:
    base = slugify(title)[:_SLUG_LENGTH].strip("-") or f"collection-{secrets.token_hex(3)}"
    taken = set(Collection.objects.filter(slug__startswith=base).values_list("slug", flat=True)) | _RESERVED_SLUGS
    if base not in taken:
        return base
    return next(slug for number in range(2, len(taken) + 3) if (slug := f"{base}-{number}") not in taken)


def _clean(collection: Collection) -> None:
    try:
        collection.full_clean(exclude=["owner"], validate_constraints=True)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidInput(messages[0], field=field) from error
