"""A town of people who searched and were shown the same scenes, so that what they do with them takes one line."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from imagery.models import Collection, Scene
from imagery.models.collection import Visibility
from rsportal.accounts.models import User
from search.feedback.everybody import votes_for
from search.feedback.likeness import CENTRED
from search.models import Event, Impression, Query, Ranking
from search.ranking.evidence import Votes
from search.services import search_request_parse, search_run
from search.services.votes import vote_keep
from tests import factories

SCENES = (24, 8, 8)
"""Of each collection: boats and cranes in turn. Of the first enough that those of others speak to some of them only."""
TEXTS: dict[str, list[float]] = {
    "harbour": [1, 0, 0, 0, 0, 0, 0, 0],
    "pier": [1, 0, 0, 0, 0, 0.25, 0, 0],
    "forest": [0, 0, 0, 0, 0, 0, 1, 0],
}
"""Two similar queries and another one."""


class Town:
    """``people`` were shown all ``scenes`` of three collections under each of ``TEXTS``, in the order of the list.

    Half of the scenes are boats, half cranes; both match "harbour" equally well.
    """

    def __init__(self, *, people: int = 4) -> None:
        self.encoder = factories.make_encoder()
        for text, vector in TEXTS.items():
            factories.know_query(text, vector)
        self.people = [factories.make_user() for _ in range(people)]
        self.collections: list[Collection] = [
            factories.make_collection(f"part-{number}", owner=self.people[number % people], visibility=visibility)
            for number, visibility in enumerate((Visibility.ALL_USERS, Visibility.MEMBERS, Visibility.PRIVATE))
        ]
        self.scenes: list[Scene] = []
        for part, collection in enumerate(self.collections):
            for place in range(SCENES[part]):
                boat, crane = (0.6, 0.0) if place % 2 == 0 else (0.0, 0.6)
                vector = [1 - 0.006 * place, boat, crane, 0, 0, 0, 0.1 + 0.01 * part, 0.02 * place]
                self.scenes.append(factories.make_scene(collection, vector=vector, encoder=self.encoder))
        self._shown: dict[tuple[int, str, UUID], Impression] = {}
        for person in self.people:
            for text in TEXTS:
                self._show(person, text)

    def _show(self, person: User, text: str) -> None:
        ranking = factories.make_ranking(person, self.scenes, text=text, encoder=self.encoder)
        vector = factories.unit(TEXTS[text]).tolist()
        Query.objects.filter(pk=ranking.query_id).update(asked=vector, asked_under=self.encoder)
        rows = Impression.objects.bulk_create(
            Impression(ranking=ranking, scene=scene, tile_id=tile, rank=rank)
            for rank, (scene, tile) in enumerate(zip(self.scenes, ranking.tile_ids, strict=True), start=1)
        )
        self._shown.update({(person.pk, text, row.scene_id): row for row in rows})

    def part(self, part: int) -> list[Scene]:
        """Return the scenes of a collection."""
        return self.scenes[sum(SCENES[:part]) : sum(SCENES[: part + 1])]

    def cranes(self, part: int) -> list[Scene]:
        """Return the cranes of a collection."""
        return self.part(part)[1::2]

    def impression(self, person: User, scene: Scene, text: str = "harbour") -> Impression:
        """Return the showing of a scene to a person."""
        return self._shown[person.pk, text, scene.pk]

    def do(
        self, person: User, scene: Scene, kind: str = "like", *, text: str = "harbour", at: datetime | None = None
    ) -> Event:
        """Let a person do something with a scene, as ``event_record`` keeps it."""
        impression = self.impression(person, scene, text)
        event = Event.objects.create(impression=impression, kind=kind, user=person)
        if at is not None:
            event.created_at = at
            event.save(update_fields=["created_at"])
        vote_keep(event=event, impression=impression)
        return event

    def all_do(self, people: Iterable[User], scenes: Iterable[Scene], kind: str = "like") -> None:
        """Let each of the people do it with each of the scenes."""
        chosen = list(scenes)
        for person in people:
            for scene in chosen:
                self.do(person, scene, kind)

    def votes(self, reader: User, text: str = "harbour", *, fewest: int = 1) -> Votes:
        """Return what a reader's ranking may learn from others, scenes of one voter included."""
        asked = factories.unit(TEXTS[text])
        return votes_for(user=reader, encoder=self.encoder, asked=asked, likeness=CENTRED, fewest=fewest)

    def voted(self, reader: User, text: str = "harbour") -> set[UUID]:
        """Return the scenes that others voted for, as far as a reader's ranking may learn from it."""
        return set(self.votes(reader, text).scene_ids.tolist())


def ask(user: User, text: str = "harbour", **request: Any) -> Ranking:
    """Search; nothing of these tests is answered from what is kept unless it says so."""
    return search_run(user=user, request=search_request_parse(user=user, text=text, **request))


def days_ago(days: float) -> datetime:
    """Return a moment."""
    return timezone.now() - timedelta(days=days)
