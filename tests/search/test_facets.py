"""Counts of the filters against a computation in Python over everything there is, for random people and filters."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from imagery.models import Collection, CollectionMember, Scene
from imagery.models.collection import Visibility
from search import facets as facets_module
from search.facets import CLOUD_CLASSES, GSD_CLASSES, Facets, facets_forget, facets_get, rounded, up_to
from search.filters import SceneFilters
from search.query import SearchRequest
from tests import factories

pytestmark = pytest.mark.django_db

BOXES = [(-10.0, -10.0, 10.0, 10.0), (170.0, -20.0, -160.0, 20.0), (-180.0, -90.0, 180.0, 0.0), (5.0, 5.0, 5.0, 5.0)]


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    facets_forget()
    yield
    facets_forget()


def _box(rng: random.Random) -> dict[str, float | None]:
    west, south = rng.uniform(-180, 180), rng.uniform(-90, 80)
    east = west + rng.uniform(0, 40)
    values = (west, south, east - 360 if east > 180 else east, south + rng.uniform(0, 10))
    return dict(zip(("west", "south", "east", "north"), values if rng.random() < 0.9 else (None,) * 4, strict=True))


def _archive(rng: random.Random, scenes: int) -> list[Any]:
    users = [factories.make_user() for _ in range(3)]
    people = [*users, factories.make_user(superuser=True), factories.make_user(is_active=False)]
    for _ in range(5):
        factories.make_collection(
            owner=rng.choice(users), visibility=rng.choice(Visibility.values),
            viewers=rng.sample(users, rng.randint(0, 2)), license=rng.choice(["", "CC-BY-4.0", "cc-by-4.0", "MIT"]),
        )  # fmt: skip
    collections = list(Collection.objects.all())
    rows = []
    for number in range(scenes):
        moment = factories.utc(rng.randint(2019, 2023), rng.randint(1, 12), rng.randint(1, 28))
        spans = rng.random() < 0.2
        rows.append(
            Scene(
                collection=rng.choice(collections),
                title=str(number),
                content_hash=str(number),
                status=rng.choice(["ready"] * 6 + ["pending", "failed"]),
                datetime=None if spans or rng.random() < 0.1 else moment,
                start_datetime=moment if spans else None,
                end_datetime=moment + timedelta(days=9) if spans else None,
                platform=rng.choice(["", "Sentinel-2A", "sentinel-2a", "landsat-8", "GF-2"]),
                instruments=rng.choice([[], ["msi"], ["MSI", "msi"], ["oli", "tirs"]]),
                gsd=rng.choice([None, 0.3, 0.5, 1.0, 4.0, 10.0, 30.0, 60.0]),
                cloud_cover=rng.choice([None, 0.0, 5.0, 7.5, 20.0, 88.0, 100.0]),
                embargo_until=rng.choice([None] * 9 + [timezone.now() + timedelta(days=1)]),
                **_box(rng),
            )
        )
    Scene.objects.bulk_create(rows)
    return [*people, AnonymousUser()]


def _may_see(user: Any, scene: Scene) -> bool:
    collection = scene.collection
    if not user.is_authenticated or not user.is_active:
        return False
    shared = CollectionMember.objects.filter(collection=collection, user=user).exists()
    return (
        user.is_superuser
        or collection.owner_id == user.pk
        or collection.visibility == Visibility.ALL_USERS
        or (collection.visibility == Visibility.MEMBERS and shared)
    )


def _meets(scene: Scene, box: tuple[float, float, float, float]) -> bool:
    def longitudes(west: float, east: float) -> list[tuple[float, float]]:
        return [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]

    if scene.bbox is None:
        return False
    west, south, east, north = scene.bbox
    return south <= box[3] and north >= box[1] and any(
        one[0] <= two[1] and one[1] >= two[0]
        for one in longitudes(west, east)
        for two in longitudes(box[0], box[2])
    )  # fmt: skip


def _day(moment: datetime | None) -> date | None:
    return moment.astimezone(UTC).date() if moment else None


def _rules(filters: SceneFilters) -> dict[str, Callable[[Scene], bool]]:
    """What a scene must be to pass each group of filters, by the words of the documentation."""

    def captured(scene: Scene) -> bool:
        first, last = _day(scene.datetime or scene.start_datetime), _day(scene.datetime or scene.end_datetime)
        if filters.start and not (last and last >= filters.start):
            return False
        return not filters.end or bool(first and first <= filters.end)

    def within(value: float | None, least: float | None, most: float | None) -> bool:
        if least is None and most is None:
            return True
        return value is not None and (least is None or value >= least) and (most is None or value <= most)

    def one_of(names: tuple[str, ...], values: list[str]) -> bool:
        return not names or bool({name.lower() for name in names} & {value.lower() for value in values})

    return {
        "collections": lambda scene: not filters.collections or scene.collection.slug in filters.collections,
        "datetime": captured,
        "bbox": lambda scene: filters.bbox is None or _meets(scene, filters.bbox),
        "platform": lambda scene: one_of(filters.platform, [scene.platform]),
        "instruments": lambda scene: one_of(filters.instruments, scene.instruments),
        "gsd": lambda scene: within(scene.gsd, filters.gsd_min, filters.gsd_max),
        "cloud_cover": lambda scene: within(scene.cloud_cover, None, filters.cloud_cover_max),
        "license": lambda scene: one_of(filters.license, [scene.collection.license or "none"]),
    }


def _class(value: float | None, ends: tuple[float, ...]) -> int | None:
    if value is None:
        return None
    return next((number for number, end in enumerate(ends) if value <= end), len(ends))


def _values(name: str, scene: Scene) -> set[Any]:
    moment = scene.datetime or scene.start_datetime
    found: dict[str, Callable[[], set[Any]]] = {
        "collection": lambda: {scene.collection.slug},
        "year": lambda: {moment.year if moment else None},
        "platform": lambda: {scene.platform.lower() or None},
        "instruments": lambda: {value.lower() for value in scene.instruments} or {None},
        "license": lambda: {scene.collection.license or "none"},
        "gsd": lambda: {_class(scene.gsd, GSD_CLASSES)},
        "cloud_cover": lambda: {_class(scene.cloud_cover, CLOUD_CLASSES)},
    }
    return found[name]()


def _expected(user: Any, filters: SceneFilters, scenes: list[Scene]) -> tuple[int, dict[str, Counter]]:
    rules = _rules(filters)
    seen = [scene for scene in scenes if scene.status == "ready" and not scene.embargo_until and _may_see(user, scene)]
    counts = {}
    for name in facets_module.FACETS:
        own = {"collection": "collections", "year": "datetime"}.get(name, name)
        counts[name] = Counter(
            value
            for scene in seen
            if all(rule(scene) for group, rule in rules.items() if group != own)
            for value in _values(name, scene)
        )
    return sum(all(rule(scene) for rule in rules.values()) for scene in seen), counts


def _counted(found: Facets, name: str) -> Counter:
    return Counter({row.value: row.count for row in found.values[name] if row.count})


def _random_filters(rng: random.Random) -> SceneFilters:
    slugs = list(Collection.objects.values_list("slug", flat=True))
    options: dict[str, Any] = {
        "collections": tuple(rng.sample(slugs, 2)),
        "start": date(rng.randint(2019, 2022), 6, 1),
        "end": date(2022, rng.randint(1, 12), 15),
        "bbox": rng.choice(BOXES),
        "platform": ("SENTINEL-2a", "gf-2"),
        "instruments": ("Msi",),
        "gsd_min": 0.5,
        "gsd_max": rng.choice([1.0, 10.0]),
        "cloud_cover_max": rng.choice([5.0, 20.0]),
        "license": tuple(rng.sample(["none", "CC-BY-4.0", "MIT"], rng.randint(1, 2))),
    }
    return SceneFilters(**{name: options[name] for name in rng.sample(sorted(options), rng.randint(0, 4))})


@pytest.mark.parametrize("seed", range(3))
def test_filters_and_counts_equal_brute_force(seed):
    rng = random.Random(seed)
    people = _archive(rng, scenes=120)
    scenes = list(Scene.objects.select_related("collection"))
    found_something = 0
    for _ in range(12):
        user, filters = rng.choice(people), _random_filters(rng)
        total, counts = _expected(user, filters, scenes)
        found = facets_get(user, filters)
        assert (found.total, found.estimated) == (total, frozenset()), (filters, user)
        for name in facets_module.FACETS:
            assert _counted(found, name) == counts[name], (name, filters, user)
        passing = SearchRequest(text="x", **{n: getattr(filters, n) for n in filters.__dataclass_fields__}).scenes(user)
        rules = _rules(filters).values()
        wanted = {
            s.pk for s in scenes
            if s.status == "ready" and not s.embargo_until and _may_see(user, s) and all(rule(s) for rule in rules)
        }  # fmt: skip
        assert set(passing.values_list("pk", flat=True)) == wanted
        found_something += len(wanted)
    assert found_something > 30


def test_beyond_the_bound_counts_are_estimates_over_what_one_may_see(monkeypatch):
    """The scenes of others, ten times as many, change nothing: not the number, and not whether it is an estimate."""
    monkeypatch.setattr(facets_module, "EXACT_TO", 300)
    monkeypatch.setattr(facets_module, "_SAMPLE", 1_000)
    monkeypatch.setattr(facets_module, "_LARGE_SAMPLE", 1_500)
    user = factories.make_user()
    mine, hidden = factories.make_collection(owner=user), factories.make_collection()
    Scene.objects.bulk_create(
        Scene(
            collection=mine, title="", content_hash=f"a{n}", status="ready", gsd=0.3 if n % 4 else 10.0, platform="gf-2"
        )
        for n in range(2_000)
    )
    before = facets_get(user, SceneFilters())
    assert before.estimated >= {"total", "gsd", "collection"}
    assert before.total == pytest.approx(2_000, rel=0.15)
    gsd = {row.to: row.count for row in before.values["gsd"]}
    assert gsd[0.5] == pytest.approx(1_500, rel=0.2) and gsd[10.0] == pytest.approx(500, rel=0.3)
    narrowed = facets_get(user, SceneFilters(gsd_max=1.0))
    assert narrowed.total == pytest.approx(1_500, rel=0.15) and "total" in narrowed.estimated
    Scene.objects.bulk_create(
        Scene(collection=hidden, title="", content_hash=f"b{n}", status="ready", platform="secret")
        for n in range(20_000)
    )
    facets_forget()
    assert facets_get(user, SceneFilters()) == before
    assert facets_get(user, SceneFilters(gsd_max=1.0)) == narrowed


def test_what_is_small_after_filtering_is_exact_in_a_large_archive(monkeypatch):
    monkeypatch.setattr(facets_module, "EXACT_TO", 30)
    user = factories.make_user()
    mine = factories.make_collection(owner=user)
    Scene.objects.bulk_create(
        Scene(collection=mine, title="", content_hash=f"{n}", status="ready", platform="rare" if n < 7 else "usual")
        for n in range(200)
    )
    found = facets_get(user, SceneFilters(platform=("RARE",)))
    assert found.total == 7 and "total" not in found.estimated
    assert "platform" in found.estimated, "it counts what another platform would give"
    assert _counted(found, "collection") == {mine.slug: 7}


def test_counts_are_kept_until_something_changes():
    user, other = factories.make_user(), factories.make_user()
    mine = factories.make_collection(owner=user)
    factories.make_scene(mine)
    first = facets_get(user, SceneFilters())
    with CaptureQueriesContext(connection) as statements:
        assert facets_get(user, SceneFilters()) is first
    assert len(statements) == 1
    factories.make_scene(mine)
    assert facets_get(user, SceneFilters()).total == 2
    assert facets_get(other, SceneFilters()).total == 0
    CollectionMember.objects.create(collection=mine, user=other)
    Collection.objects.filter(pk=mine.pk).update(visibility=Visibility.MEMBERS)
    assert facets_get(other, SceneFilters()).total == 2


def test_counting_takes_few_statements():
    user = factories.make_user()
    factories.make_scene(factories.make_collection(owner=user), platform="x", gsd=2.0, cloud_cover=0.0)
    with CaptureQueriesContext(connection) as statements:
        facets_get(user, SceneFilters(platform=("x",), gsd_max=3.0, cloud_cover_max=5.0))
    assert len(statements) == 3, "the state, the counts, the collections' names"


def test_estimates_keep_three_digits_and_classes_add_up():
    assert [rounded(number) for number in (7, 999, 1_234, 123_987.4)] == [7, 999, 1_230, 124_000]
    user = factories.make_user()
    collection = factories.make_collection(owner=user)
    for gsd in (0.5, 1.0, 99.0, None):
        factories.make_scene(collection, gsd=gsd)
    rows = facets_get(user, SceneFilters()).values["gsd"]
    assert [(row.to, row.count) for row in up_to(rows)][:3] == [(0.5, 1), (1.0, 2), (2.0, 2)]
    assert up_to(rows)[-1].to == 30.0
