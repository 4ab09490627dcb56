"""A small world of people and collections in which every leak has a word of its own.

Everything a person holds (titles, addresses, file names, reasons, queries) carries that person's ``word``. A page
that shows the word to somebody who may not see the holding leaks, wherever on the page it stands.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from imagery.models import ArchiveFile, ArchiveFolder, Asset, IngestJob, Upload
from imagery.models.collection import Visibility
from rsportal.accounts.models import User
from rsportal.accounts.services import token_create
from search.example_vectors import picture_recipe
from search.examples_given import ExampleGiven
from search.judged.measures import MEASURES, PRECISION_POINTS, RECALL_POINTS
from search.models import Event, ExampleVector, JudgedQuery, JudgedSet, QueryImage, RankingRun, RelevanceJudgement
from search.services.concepts import concept_create
from search.tokens import token_issue
from tests.factories import active_encoder, axis, know_query, make_collection, make_event, make_scene, make_user
from tests.staff import make_curator

SHARED_TEXT = "what everybody asks"
"""A query whose vector is kept, so that searching needs no model."""


@dataclass(frozen=True)
class Holding:
    """Keys of the things one person holds; ``word`` stands in all of their texts."""

    word: str
    owner_id: int
    collection_id: int
    slug: str
    scene_id: uuid.UUID
    failed_id: uuid.UUID
    waiting_id: uuid.UUID
    batch: uuid.UUID
    content_hash: str
    query_id: int
    ranking_id: uuid.UUID
    impression_id: int
    event_id: int
    hit_token: str
    token_key: str
    judged_set_id: int
    judged_query_id: int
    run_id: int
    concept_id: uuid.UUID
    picture_id: uuid.UUID
    upload_id: uuid.UUID
    folder_id: int
    archive_file_id: int

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what no one else may meet: the word and every unguessable key."""
        keys = (
            self.scene_id,
            self.failed_id,
            self.waiting_id,
            self.batch,
            self.ranking_id,
            self.concept_id,
            self.picture_id,
            self.upload_id,
        )
        return (self.word, *(str(key) for key in keys), self.content_hash)


GHOST = Holding(
    word="nowhere",
    owner_id=2_000_000_000,
    collection_id=2_000_000_000,
    slug="nowhere-bays",
    scene_id=uuid.UUID(int=1),
    failed_id=uuid.UUID(int=2),
    waiting_id=uuid.UUID(int=3),
    batch=uuid.UUID(int=4),
    content_hash="0" * 64,
    query_id=2_000_000_000,
    ranking_id=uuid.UUID(int=5),
    impression_id=2_000_000_000,
    event_id=2_000_000_000,
    hit_token="nowhere",
    token_key="nowhere",
    judged_set_id=2_000_000_000,
    judged_query_id=2_000_000_000,
    run_id=2_000_000_000,
    concept_id=uuid.UUID(int=6),
    picture_id=uuid.UUID(int=7),
    upload_id=uuid.UUID(int=8),
    folder_id=2_000_000_000,
    archive_file_id=2_000_000_000,
)
"""Keys of things that do not exist: what is hidden must answer like them."""


@dataclass(frozen=True)
class World:
    """Everybody and everything. ``hidden_from`` says whose holding somebody may not meet."""

    alice: User
    bob: User
    curator: User
    root: User
    alices: Holding
    bobs: Holding
    members: Holding
    """A collection for members: Alice is one, Bob and the curator are not."""

    def hidden_from(self, user: User | None) -> list[Holding]:
        """Return the holdings this person (None: a visitor without account) may not see any part of."""
        if user is None:
            return [self.alices, self.bobs, self.members]
        seen = {self.alice: [self.alices, self.members], self.bob: [self.bobs], self.curator: []}[user]
        return [each for each in (self.alices, self.bobs, self.members) if each not in seen]


def make_holding(
    owner: User, word: str, *, visibility: str = Visibility.PRIVATE, viewers: tuple[User, ...] = ()
) -> Holding:
    """Give a person a collection with a scene (and its files), jobs, a search with a click, an API token, a concept
    that is shared in the collection, and a judged query set with a judgement and a run."""
    collection = make_collection(
        f"{word}-bays", owner=owner, title=f"{word.title()} bays", description=f"About {word}.",
        attribution=f"{word} office", visibility=visibility, viewers=viewers, license="CC-BY-4.0",
    )  # fmt: skip
    scene = make_scene(
        collection, title=f"{word.title()} harbour", platform=f"{word}-1", files=True, bbox=(8.0, 53.0, 8.5, 53.5),
        properties={"note": word}, created_by=owner, datetime=timezone.now(),
        perceptual_hash=0x0123_4567_89AB_CDEF,
    )  # fmt: skip
    Asset.objects.filter(scene=scene, role=Asset.Role.DATA).update(filename=f"{word}.png")
    folder = ArchiveFolder.objects.create(collection=collection, path=f"/archive/{word}")
    file = ArchiveFile.objects.create(
        folder=folder, path=f"{word}.tif", size=10, modified_ns=1, state=ArchiveFile.State.CHANGED, scene=scene,
        reason=f"{word} is other than it was.", seen_at=timezone.now(),
    )  # fmt: skip
    batch = uuid.uuid4()
    common = {"collection": collection, "created_by": owner, "batch": batch}
    failed = IngestJob.objects.create(
        source_name=f"{word}-broken.tif",
        state=IngestJob.State.FAILED,
        reason=f"{word}-broken.tif is no image.",
        **common,
    )
    pending = make_scene(collection, title=f"{word.title()} to come", status="pending", files=True)
    waiting = IngestJob.objects.create(source_name=f"{word}-next.tif", scene=pending, **common)
    upload = Upload.objects.create(
        user=owner, collection=collection, filename=f"{word}-half.tif", length=10, batch=batch,
        expires_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    event = make_event(owner, scene, Event.Kind.LIKE)
    ranking = event.impression.ranking
    ranking.query.text = f"{word} at dusk"
    ranking.query.save()
    token, _plain = token_create(user=owner, name=f"{word} script", days=1)
    judged_set = JudgedSet.objects.create(
        owner=owner, name=f"{word}-queries", description=f"About {word}.", collection=collection, sharing="judge"
    )
    query = JudgedQuery.objects.create(judged_set=judged_set, key="1", text=SHARED_TEXT, scene_class=f"{word} class")
    RelevanceJudgement.objects.create(query=query, scene=scene, grade=2, judged_by=owner)
    run = RankingRun.objects.create(
        judged_set=judged_set, user=owner, collection=collection, configuration=f"{word}:windows=on",
        scores={"1": {**dict.fromkeys(MEASURES, 0.5), "relevant": 1, "group": "query 1"}},
        summary={
            "queries": 1, "unanswered": 0, "unjudged": 0, "groups": 1, "languages": {},
            "measures": {name: [0.5, 0.5, 0.5] for name in MEASURES},
            "precision": [[0.5, 0.5, 0.5]] * len(PRECISION_POINTS), "recall": [[0.5, 0.5, 0.5]] * len(RECALL_POINTS),
        },
    )  # fmt: skip
    image = QueryImage.objects.create(
        user=owner, name=f"{word}.png", picture=word.encode(), width=8, height=8, sha256=uuid.uuid4().hex * 2
    )
    encoder = active_encoder()
    ExampleVector.objects.create(
        encoder=encoder, recipe=picture_recipe(encoder), image=image, vector=axis(1).tolist()
    )  # So that searching with it needs no model.
    concept = concept_create(
        user=owner, name=f"{word} piers", text=SHARED_TEXT, description=f"About {word}.",
        examples=[ExampleGiven("scene", scene.pk), ExampleGiven("image", image.pk)], collection=collection,
    )  # fmt: skip
    return Holding(
        word=word,
        owner_id=owner.pk,
        collection_id=collection.pk,
        slug=collection.slug,
        scene_id=scene.pk,
        failed_id=failed.pk,
        waiting_id=waiting.pk,
        batch=batch,
        content_hash=scene.content_hash,
        query_id=ranking.query_id,
        ranking_id=ranking.pk,
        impression_id=event.impression_id,
        event_id=event.pk,
        hit_token=token_issue(impression_id=event.impression_id, user_id=owner.pk),
        token_key=token.token_key,
        judged_set_id=judged_set.pk,
        judged_query_id=query.pk,
        run_id=run.pk,
        concept_id=concept.pk,
        picture_id=image.pk,
        upload_id=upload.pk,
        folder_id=folder.pk,
        archive_file_id=file.pk,
    )


def make_world() -> World:
    """Return the world: two people with a private collection each, one for members, a curator, a superuser."""
    alice, bob, dora = make_user("alice"), make_user("bob"), make_user("dora")
    remember_query(SHARED_TEXT)
    return World(
        alice=alice,
        bob=bob,
        curator=make_curator("carla"),
        root=make_user("root", superuser=True),
        alices=make_holding(alice, "zanzibar"),
        bobs=make_holding(bob, "valparaiso"),
        members=make_holding(dora, "reykjavik", visibility=Visibility.MEMBERS, viewers=(alice,)),
    )


def remember_query(text: str) -> None:
    """Keep a vector for a query under the active encoder, as if it had been asked before."""
    know_query(text)
