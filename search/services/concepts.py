"""Writes to concepts: make, change, share, delete. Only the owner does; whoever sees a shared one searches with it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from imagery.models import Collection
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput, NotAllowed
from search.concepts.expand import MAX_CONCEPT_EXAMPLES, example_given
from search.concepts.from_ranking import draft_of_ranking
from search.examples_given import FIELD, ExampleGiven
from search.models import Concept, ConceptExample, Ranking
from search.query import MAX_TEXT_CHARS
from search.services.concept_examples import examples_check, examples_store, examples_weigh, inside_check

MAX_CONCEPTS: Final = 100
"""Concepts of one person."""
MAX_DESCRIPTION_CHARS: Final = 1_000
_WORDS: Final = frozenset({"name", "text", "description"})


@dataclass(frozen=True)
class SavedSearch:
    """What became of a search: ``added`` examples in ``concept``; ``left_out`` did not fit or are others' pictures."""

    concept: Concept
    added: int
    left_out: int


def concept_create(
    *,
    user: User,
    name: str,
    text: str = "",
    examples: Iterable[ExampleGiven] = (),
    description: str = "",
    collection: Collection | None = None,
) -> Concept:
    """Make a concept of words and examples, owned by ``user``; with ``collection`` it is shared at once.

    Raises InvalidInput with the field at fault (``name``, ``text``, ``description``, ``examples``, ``collection``),
    also beyond 100 concepts.
    """
    concept = Concept(owner=user)
    _words_fill(concept, {"name": name, "text": text, "description": description})
    with transaction.atomic():
        # Locked, so that two that are made at once count each other.
        User.objects.select_for_update(no_key=True).only("pk").get(pk=user.pk)
        if Concept.objects.filter(owner=user).count() >= MAX_CONCEPTS:
            raise InvalidInput(
                _("You have %(most)d concepts, which is the most. Delete one that you no longer use.")
                % {"most": MAX_CONCEPTS},
                code="too_many_concepts",
            )
        _clean(concept)
        if collection is not None:
            concept.collection = _collection_check(user, collection)
        rows = examples_check(user=user, examples=examples, collection=collection)
        if not concept.text and not rows:
            raise InvalidInput(_("Give the concept words, or at least one example."), code="empty", field="text")
        concept.save()
        examples_store(concept=concept, rows=rows)
    return concept


def concept_from_ranking(*, user: User, ranking: Ranking, name: str, into: Concept | None = None) -> SavedSearch:
    """Save a search of this person as a concept: words, examples, and the hits that were liked (1) and disliked (-1).

    With ``into``, its examples are added to that concept of theirs instead, whose name and words stay. Raises
    NotAllowed, or InvalidInput with the field at fault.
    """
    draft = draft_of_ranking(user=user, ranking=ranking)
    left_out = draft.pictures_of_others
    if into is not None:
        added = concept_examples_add(concept=into, user=user, examples=draft.examples)
        return SavedSearch(into, added, left_out)
    taken = draft.examples[:MAX_CONCEPT_EXAMPLES]
    concept = concept_create(user=user, name=name, text=draft.text, examples=taken)
    return SavedSearch(concept, len(taken), left_out + len(draft.examples) - len(taken))


def concept_change(
    *,
    concept: Concept,
    user: User,
    examples: Iterable[ExampleGiven] | None = None,
    weights: Mapping[int, float] | None = None,
    **words: str,
) -> Concept:
    """Change name, text or description, replace all examples, or weigh some (by the row's id; 0 takes one out).

    Raises NotAllowed when it is not this person's, InvalidInput with the field at fault.
    """
    with transaction.atomic():
        locked = _locked(concept, user)
        _words_fill(locked, words)
        _clean(locked)
        if examples is not None:
            rows = examples_check(user=user, examples=examples, collection=_shared_in(locked, user))
            examples_store(concept=locked, rows=rows)
        if weights:
            examples_weigh(concept=locked, user=user, weights=weights)
        _save(locked, [*words, "updated_at"])
    return locked


def concept_examples_add(*, concept: Concept, user: User, examples: Iterable[ExampleGiven]) -> int:
    """Add examples behind those it has; of one it has already, the weight changes. Return how many are new.

    Raises NotAllowed when it is not this person's, InvalidInput (field ``examples``).
    """
    with transaction.atomic():
        locked = _locked(concept, user)
        known = _seen(locked, user)
        rows = examples_check(user=user, examples=examples, collection=_shared_in(locked, user))
        had = {example_given(row).thing: row for row in known}
        new = []
        for row in rows:
            old = had.get(example_given(row).thing)
            if old is None:
                row.concept = locked
                new.append(row)
            elif old.weight != row.weight:
                ConceptExample.objects.filter(pk=old.pk).update(weight=row.weight)
        if len(known) + len(new) > MAX_CONCEPT_EXAMPLES:
            raise InvalidInput(
                _("“%(name)s” would have %(found)d examples; %(most)d is the most. Take some out first.")
                % {"name": locked.name, "found": len(known) + len(new), "most": MAX_CONCEPT_EXAMPLES},
                field=FIELD,
            )
        ConceptExample.objects.bulk_create(new)
        _save(locked, ["updated_at"])
    return len(new)


def concept_share(*, concept: Concept, user: User, collection: Collection, leave_out: bool = False) -> Concept:
    """Share a concept with all who may see the collection; its pictures are then seen by them.

    Scenes outside the collection are refused with a sentence that names them, or with ``leave_out`` taken out. Raises
    NotAllowed when the concept is not this person's, InvalidInput (field ``collection`` or ``examples``).
    """
    with transaction.atomic():
        locked = _locked(concept, user)
        into = _collection_check(user, collection)
        rows = _seen(locked, user)
        if leave_out:
            outside = [row.pk for row in rows if row.scene is not None and row.scene.collection_id != into.pk]
            ConceptExample.objects.filter(pk__in=outside).delete()
        else:
            inside_check(rows, into)
        locked.collection = into
        _save(locked, ["collection", "updated_at"])
    return locked


def concept_unshare(*, concept: Concept, user: User) -> Concept:
    """Keep a concept to oneself (again). Raises NotAllowed when it is not this person's."""
    with transaction.atomic():
        locked = _locked(concept, user)
        locked.collection = None
        _save(locked, ["collection", "updated_at"])
    return locked


def concept_delete(*, concept: Concept, user: User) -> None:
    """Delete a concept with its examples. Raises NotAllowed when it is not this person's."""
    _require_owner(concept, user)
    concept.delete()


def concepts_erase(*, user: User) -> int:
    """Delete all concepts of this person, also shared ones; return how many there were."""
    rows = Concept.objects.editable_by(user)
    with transaction.atomic():
        count = rows.count()
        rows.delete()
    return count


def _locked(concept: Concept, user: User) -> Concept:
    """Return the row, locked, so that sharing and new examples follow each other."""
    _require_owner(concept, user)
    locked: Concept | None = Concept.objects.select_for_update(no_key=True).filter(pk=concept.pk).first()
    if locked is None:
        raise InvalidInput(_("The concept was deleted meanwhile."), code="unknown_concept")
    return locked


def _require_owner(concept: Concept, user: User) -> None:
    if not user.is_active or concept.owner_id != user.pk:
        raise NotAllowed(
            _("Only %(owner)s, who made “%(name)s”, can change it. Save a search with it as a concept of your own.")
            % {"owner": concept.owner, "name": concept.name}
        )


def _seen(concept: Concept, user: User) -> list[ConceptExample]:
    """Return its examples that the person sees. Those on hidden scenes take no part: nothing may tell of them."""
    rows = ConceptExample.objects.filter(concept=concept).seen_by(user).select_related("scene", "image")
    return list(rows.only("concept", "window", "weight", "scene__title", "scene__collection", "image__kind"))


def _shared_in(concept: Concept, user: User) -> Collection | None:
    """Return the collection it is shared in; None if its owner may not see that any more, and so shares nothing."""
    found: Collection | None = Collection.objects.visible_to(user).filter(pk=concept.collection_id).first()
    return found


def _collection_check(user: User, collection: Collection) -> Collection:
    found: Collection | None = Collection.objects.visible_to(user).filter(pk=collection.pk).first()
    if found is None:
        raise InvalidInput(_("There is no such collection, or you may not see it."), field="collection")
    return found


def _words_fill(concept: Concept, words: Mapping[str, Any]) -> None:
    if unknown := set(words) - _WORDS:
        raise InvalidInput(_("A concept has no field %(name)s.") % {"name": min(unknown)}, field=min(unknown))
    for name, value in words.items():
        setattr(concept, name, _plain(value, lines=name == "description"))
    for name, most in (("text", MAX_TEXT_CHARS), ("description", MAX_DESCRIPTION_CHARS)):
        if len(getattr(concept, name)) > most:
            raise InvalidInput(
                _("This has %(length)d characters; %(most)d is the most.")
                % {"length": len(getattr(concept, name)), "most": most},
                field=name,
            )


def _plain(value: str, *, lines: bool) -> str:
    """Return the words without control characters and lone surrogates (a description keeps its lines)."""
    kept = "".join(
        char if (lines and char == "\n") or unicodedata.category(char) not in ("Cc", "Cs") else " "
        for char in value.replace("\r\n", "\n")
    )
    return kept.strip() if lines else " ".join(kept.split())


def _clean(concept: Concept) -> None:
    if not concept.name:
        raise InvalidInput(_("Give the concept a name."), field="name")
    if Concept.objects.filter(owner=concept.owner_id, name=concept.name).exclude(pk=concept.pk).exists():
        raise InvalidInput(
            _("You have a concept “%(name)s” already. Choose another name.") % {"name": concept.name}, field="name"
        )
    try:
        concept.full_clean(exclude=["owner", "collection"], validate_constraints=False)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidInput(messages[0], field=field) from error


def _save(concept: Concept, fields: list[str]) -> None:
    try:
        with transaction.atomic():
            concept.save(update_fields=fields)
    except IntegrityError:  # Another of this name was made between the look and the save.
        _clean(concept)
        raise
