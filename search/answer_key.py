"""What an answer depends on, as one key: equal keys, equal answers; anything that could change it changes the key."""

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from imagery.models import Collection, Encoder
from imagery.selectors_archive import ArchiveState, archive_state
from search.encode_query import query_recipe
from search.engine import ranker_of
from search.query import SearchRequest
from search.translation.glossary import glossary

if TYPE_CHECKING:
    from imagery.querysets import Viewer

_VERSION: Final = 2  # Raise it when the same key would mean another answer.


def request_state(user: "Viewer", request: SearchRequest) -> ArchiveState:
    """Return the state of what a request is answered from: the collections this person sees and asked for."""
    rows = Collection.objects.visible_to(user)
    if request.collections:
        rows = rows.filter(slug__in=request.collections)
    return archive_state(rows)


def answer_key(*, request: SearchRequest, state: ArchiveState, encoder: Encoder, limit: int, personal: str = "") -> str:
    """Return the key (SHA-256) of the answer to a request in this state of the archive.

    The person is no part of it: people who see the same collections get the same answer, and one computation serves
    them. An answer in which a person's own feedback has a say must name it in ``personal`` (the person and the version
    of their feedback), and is then theirs alone. ``state.rules`` never comes back to what it was: an answer computed
    while permission was given and taken back is found by nobody, though the same collections are seen again.
    """
    parts: list[Any] = [
        _VERSION,
        asdict(request),
        limit,
        [state.collections, state.changes, state.rules, state.encoder, state.lapsed],
        [query_recipe(encoder), ranker_of(encoder).version],
        [settings.TRANSLATOR, glossary().checksum, settings.SEARCH_LICENSES],
        personal,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
