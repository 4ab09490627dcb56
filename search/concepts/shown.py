"""Concepts as their pages show them: pictures of examples, weights to choose, what is new since the last run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext as _

from imagery.models import Collection, IngestJob, Scene
from search.concepts.expand import example_given
from search.examples_given import ExampleGiven, ExampleKind
from search.filters import moment_text
from search.models import Concept, ConceptExample, Query, Ranking
from search.selectors_concepts import examples_of, shared_in

if TYPE_CHECKING:
    from imagery.querysets import Viewer

MANY: Final = 1_000
"""Beyond so many, new scenes are not counted."""
ON_CARD: Final = 4  # pictures
_WEIGHTS: Final = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 3.0)
_LONGEST_INGEST: Final = timedelta(days=1)
_RUNS: Final = 2_000  # searches with a concept that are looked at, newest first


@dataclass(frozen=True)
class WeightChoice:
    """A weight an example can be given."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class ShownExample:
    """An example with its picture's address and its page's ("" if it has none). ``against`` means "not like this"."""

    pk: int
    label: str
    where: str
    picture: str
    page: str
    against: bool
    weight: str
    weight_label: str
    choices: Sequence[WeightChoice]
    window: tuple[int, int, int, int] | None
    width: int
    height: int
    picture_of_owner: bool


@dataclass(frozen=True)
class ShownConcept:
    """A concept for its reader.

    ``search`` is the address of a search with it, ``search_new`` of one of only what was added since ``last_run`` (""
    if it was never run); ``new`` counts those scenes, up to ``MANY``.
    """

    concept: Concept
    own: bool
    collection: Collection | None
    examples: Sequence[ShownExample]
    search: str
    last_run: datetime | None
    search_new: str
    new: int | None

    @property
    def pictures(self) -> int:
        """How many examples are pictures that its owner gave."""
        return sum(example.picture_of_owner for example in self.examples)

    @property
    def more(self) -> int:
        """How many examples are not on its card."""
        return max(0, len(self.examples) - ON_CARD)

    @property
    def many(self) -> bool:
        """Whether there are more new scenes than were counted."""
        return self.new is not None and self.new >= MANY

    @property
    def empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not self.examples and not self.concept.text


def concept_shown(user: "Viewer", concept: Concept) -> ShownConcept:
    """Return one concept of ``concept_list`` as its page shows it."""
    return concepts_shown(user, [concept])[0]


def concepts_shown(user: "Viewer", concepts: Iterable[Concept]) -> list[ShownConcept]:
    """Return concepts of ``concept_list`` as a page shows them, in three statements whatever their number."""
    every = list(concepts)
    known = last_runs(user)
    runs = {concept.pk: known[concept.pk] for concept in every if concept.pk in known}
    since = with_unfinished(user, runs)
    new = scenes_added(user, since)
    return [
        _shown(user, concept, runs.get(concept.pk), since.get(concept.pk), new.get(concept.pk)) for concept in every
    ]


def last_runs(user: "Viewer") -> dict[UUID, datetime]:
    """Return when this person last searched with each concept, by its id, as far as their history is kept."""
    asked = Query.objects.visible_to(user).filter(examples__contains=[{"kind": ExampleKind.CONCEPT.value}])
    latest = Ranking.objects.filter(query=OuterRef("pk")).order_by("-created_at").values("created_at")[:1]
    rows = asked.order_by("-created_at").annotate(ranked_at=Coalesce(Subquery(latest), "created_at"))
    runs: dict[UUID, datetime] = {}
    # A question that is asked again soon is one query with several rankings.
    for examples, moment in rows.values_list("examples", "ranked_at")[:_RUNS]:
        for id in {UUID(example["id"]) for example in examples if example["kind"] == ExampleKind.CONCEPT}:
            runs[id] = max(moment, runs.get(id, moment))
    return {id: moment.replace(microsecond=0) for id, moment in runs.items()}


def with_unfinished(user: "Viewer", runs: dict[UUID, datetime]) -> dict[UUID, datetime]:
    """Return from when on scenes may be new: the run, or the arrival of a scene that was not ready yet at the run.

    Looked for among the ingests of the day before each run. Else what came while somebody searched would never be new.
    """
    asked = Q(pk__in=[])
    for run in set(runs.values()):
        asked |= Q(created_at__gt=run - _LONGEST_INGEST, created_at__lte=run, finished_at__gt=run)
    if not runs:
        return {}
    jobs = IngestJob.objects.filter(asked, scene__in=Scene.objects.visible_to(user).order_by().values("pk"))
    late = list(jobs.order_by().values_list("scene__created_at", "finished_at")[:MANY])
    moment = timedelta(seconds=1)
    return {
        pk: min([run, *(added - moment for added, done in late if added <= run < done)]).replace(microsecond=0)
        for pk, run in runs.items()
    }


def scenes_added(user: "Viewer", since: dict[UUID, datetime]) -> dict[UUID, int]:
    """Return how many scenes that this person can find were added after each moment, up to ``MANY``, in one statement.

    Of the newest ``MANY`` after the earliest moment those after each are counted.
    """
    if not since:
        return {}
    newest = Scene.objects.visible_to(user).findable().filter(created_at__gt=min(since.values()))
    rows = Scene.objects.filter(pk__in=newest.order_by("-created_at").values("pk")[:MANY])
    names = {f"after_{number}": pk for number, pk in enumerate(since)}
    counts = rows.aggregate(**{name: Count("pk", filter=Q(created_at__gt=since[pk])) for name, pk in names.items()})
    return {pk: counts[name] for name, pk in names.items()}


def _shown(
    user: "Viewer", concept: Concept, run: datetime | None, after: datetime | None, new: int | None
) -> ShownConcept:
    home = reverse("search:home")
    like = str(ExampleGiven(ExampleKind.CONCEPT, concept.pk))
    since = {"added_after": moment_text(after)} if after else {}
    return ShownConcept(
        concept=concept,
        own=concept.owner_id == user.pk,
        collection=shared_in(concept),
        examples=[_example(concept, row) for row in examples_of(concept)],
        search=f"{home}?{urlencode({'like': like}, safe=':')}",
        last_run=run,
        search_new=f"{home}?{urlencode({'like': like, **since}, safe=':')}" if after else "",
        new=new,
    )


def _example(concept: Concept, row: ConceptExample) -> ShownExample:
    given = example_given(row)
    if row.image is not None:
        sketch = given.kind == ExampleKind.SKETCH
        label = row.image.name or (_("a sketch") if sketch else _("a picture"))
        where = _("sketch") if sketch else _("picture")
        picture, page = reverse("search:concept_picture", args=[concept.pk, row.image_id]), ""
        size = (row.image.width, row.image.height)
    else:
        scene = row.scene
        assert scene is not None, "the table has no example of neither"
        label, where = scene.title, scene.collection.title
        picture, page = reverse("imagery:thumbnail", args=[scene.pk]), reverse("imagery:scene", args=[scene.pk])
        if given.window is not None:
            page += "?window=" + ",".join(str(value) for value in given.window)
        size = (scene.width, scene.height)
    values = sorted({*_WEIGHTS, row.weight})
    return ShownExample(
        pk=row.pk,
        label=label,
        where=where,
        picture=picture,
        page=page,
        against=row.weight < 0,
        weight=f"{row.weight:g}",
        weight_label=_weight_label(row.weight),
        choices=[WeightChoice(f"{value:g}", _weight_label(value), value == row.weight) for value in values],
        window=given.window,
        width=size[0],
        height=size[1],
        picture_of_owner=row.image is not None,
    )


def _weight_label(value: float) -> str:
    amount = f"×{abs(value):g}"
    return (
        _("not like this %(amount)s") % {"amount": amount}
        if value < 0
        else _("like this %(amount)s") % {"amount": amount}
    )
