"""A small archive of two kinds of scenes that match a query equally well, and what people do there."""

from typing import Any
from uuid import UUID

from imagery.models import Collection, Scene
from imagery.models.collection import Visibility
from rsportal.accounts.models import User
from search.models import Ranking
from search.services import event_record, ranking_page, search_request_parse, search_run
from tests import factories

EACH = 12
WORDS = "harbour"


class Harbours:
    """``boats`` and ``cranes``: of both a half matches "harbour" a little better, turn by turn.

    "pier" is a similar query, "forest" another one. Everybody sees the collection.
    """

    def __init__(self) -> None:
        self.encoder = factories.make_encoder()
        self.owner = factories.make_user()
        self.collection: Collection = factories.make_collection(
            "coast", owner=self.owner, visibility=Visibility.ALL_USERS
        )
        factories.know_query(WORDS, [1, 0, 0, 0, 0, 0, 0, 0])
        factories.know_query("a harbour", [1, 0.05, 0, 0, 0, 0, 0, 0])
        factories.know_query("pier", [1, 0, 0, 0, 0, 0.25, 0, 0])
        factories.know_query("forest", [0, 0, 0, 0, 0, 0, 1, 0])
        self.boats: list[Scene] = []
        self.cranes: list[Scene] = []
        for number in range(EACH):
            off = 0.01 * number
            self.boats.append(self.scene([1 - off, 0.6, 0, 0, 0, 0, 0.1, 0.02 * number]))
            self.cranes.append(self.scene([1 - off - 0.005, 0, 0.6, 0, 0, 0, 0.1, 0.02 * number]))

    def scene(self, vector: list[float], collection: Collection | None = None) -> Scene:
        return factories.make_scene(collection or self.collection, vector=vector, encoder=self.encoder)


def ask(user: User, text: str = WORDS, **request: Any) -> Ranking:
    return search_run(user=user, request=search_request_parse(user=user, text=text, **request))


def order(user: User, text: str = WORDS, **request: Any) -> list[UUID]:
    """Ask, and return the scenes, best first."""
    return list(ask(user, text, **request).scene_ids)


def token_of(user: User, ranking: Ranking, scene: Scene) -> str:
    """Show the first page, and return the token of a scene on it."""
    page = ranking_page(user=user, ranking=ranking, size=100)
    return next(hit.token for hit in page.hits if hit.scene.pk == scene.pk)


def do(user: User, kind: str, scene: Scene, text: str = WORDS) -> str:
    """Ask, and do something with a scene of the answer; return its token."""
    token = token_of(user, ask(user, text), scene)
    event_record(user=user, token=token, kind=kind)
    return token


def mean_rank(scenes: list[Scene], ranked: list[UUID]) -> float:
    return sum(ranked.index(scene.pk) for scene in scenes) / len(scenes)
