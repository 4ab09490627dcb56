"""How long it takes to find what others did under similar queries: .venv/bin/python bench/votes.py [--votes 100000]

Puts that many votes of 2,000 people under 2,000 questions on 5,000 scenes into the portal's database, looks among them,
prints milliseconds (least, median, 90th percentile of 30), and takes everything back: it happens in one transaction.
RSPORTAL_VAR_DIR (an empty folder, ``manage.py migrate``) or DATABASE_URL say where. docs/learning.md has the figures.
"""

import argparse
import os
import sys
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

ROOT: Final = Path(__file__).resolve().parents[1]
DIMENSION: Final = 512
PEOPLE: Final = 2_000
QUESTIONS: Final = 2_000
SCENES: Final = 5_000
TIMES: Final = 30
_MS: Final = 1_000.0
# A tenth of all votes are under the first question: what everybody asks.
_EVENTS: Final = """
WITH made AS (
    SELECT n, CASE WHEN n %% 10 = 0 THEN 0 ELSE floor(random() * %(questions)s)::int END AS question,
        floor(random() * %(scenes)s)::int AS scene, floor(random() * %(people)s)::int AS person,
        now() - random() * interval '170 days' AS at
    FROM generate_series(1, %(votes)s) AS n
), shown AS (
    INSERT INTO search_impression (ranking_id, scene_id, tile_id, rank, shown_at)
    SELECT (%(rankings)s::uuid[])[question + 1], (%(scene_ids)s::uuid[])[scene + 1],
        (%(tile_ids)s::bigint[])[scene + 1], n, at
    FROM made RETURNING id, rank, scene_id, shown_at
), done AS (
    INSERT INTO search_event (impression_id, user_id, kind, created_at)
    SELECT shown.id, (%(user_ids)s::bigint[])[person + 1], 'like', at FROM shown JOIN made ON made.n = shown.rank
    RETURNING id, impression_id, user_id, created_at
)
INSERT INTO search_vote (event_id, user_id, scene_id, query_id, encoder_id, sketch, created_at)
SELECT done.id, done.user_id, shown.scene_id, (%(queries)s::bigint[])[question + 1], %(encoder)s,
    (%(sketches)s::text[])[question + 1]::bit(512), done.created_at
FROM done JOIN shown ON shown.id = done.impression_id JOIN made ON made.n = shown.rank
"""


def fill(votes: int) -> tuple[Any, Any, np.ndarray]:
    """Fill the database; return the encoder, a person who voted for nothing, and the questions (q, d)."""
    from django.db import connection

    from imagery.models import Embedding, Scene, Tile
    from rsportal.accounts.models import User
    from search.feedback.sketches import sketch_of
    from search.models import Query, Ranking
    from tests import factories

    chance = np.random.default_rng(5)
    rows = chance.standard_normal((SCENES, DIMENSION)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    questions = rows[:QUESTIONS]
    encoder = factories.make_encoder(f"bench-{os.getpid()}", dimension=DIMENSION, active=False)
    reader = factories.make_user(f"bench-{os.getpid()}")
    people = User.objects.bulk_create(User(username=f"bench-{os.getpid()}-{n}") for n in range(PEOPLE))
    collection = factories.make_collection(f"bench-{os.getpid()}", owner=reader, visibility="all_users")
    scenes = Scene.objects.bulk_create(
        Scene(collection=collection, title=f"{n}", status="ready", width=64, height=64, content_hash=f"{n:064d}")
        for n in range(SCENES)
    )
    tiles = Tile.objects.bulk_create(Tile(scene=each, level=0, x=0, y=0, width=64, height=64) for each in scenes)
    Embedding.objects.bulk_create(
        Embedding(encoder=encoder, tile=tile, vector=row.tolist()) for tile, row in zip(tiles, rows, strict=True)
    )
    queries = Query.objects.bulk_create(
        Query(user=reader, text=f"{n}", asked=row.tolist(), asked_under=encoder) for n, row in enumerate(questions)
    )
    rankings = Ranking.objects.bulk_create(
        Ranking(query=each, encoder=encoder, ranker="bench", scene_ids=[], tile_ids=[], scores=[], searched=SCENES)
        for each in queries
    )
    with connection.cursor() as cursor:
        given: dict[str, Any] = {
            "votes": votes, "questions": QUESTIONS, "scenes": SCENES, "people": PEOPLE, "encoder": encoder.pk,
            "rankings": [each.pk for each in rankings], "scene_ids": [each.pk for each in scenes],
            "tile_ids": [each.pk for each in tiles], "user_ids": [each.pk for each in people],
            "queries": [each.pk for each in queries], "sketches": [sketch_of(row) for row in questions],
        }  # fmt: skip
        cursor.execute(_EVENTS, given)
        for table in ("search_vote", "search_event", "search_impression", "search_query", "accounts_user"):
            cursor.execute(f"ANALYZE {table}")
    return encoder, reader, questions


def measure(encoder: Any, reader: Any, questions: np.ndarray) -> None:
    """Print how long it takes for a question that nobody asked, one that few did, and the one that everybody did."""
    from search.feedback.everybody import votes_for
    from search.feedback.everybody_state import everybody_state
    from search.feedback.likeness import CENTRED

    def told(name: str, run: Any) -> None:
        taken = []
        for _ in range(TIMES):
            begun = perf_counter()
            found = run()
            taken.append(_MS * (perf_counter() - begun))
        count = f"{len(found):>5} votes" if not isinstance(found, str) else " " * 11
        low, middle, high = np.quantile(taken, [0.0, 0.5, 0.9])
        print(f"{name:<32}{low:7.1f}{middle:8.1f}{high:8.1f} ms {count}")

    def look(asked: np.ndarray) -> Any:
        return lambda: votes_for(user=reader, encoder=encoder, asked=asked, likeness=CENTRED)

    told("a question that nobody asked", look(-questions[1]))
    told("one that a few people asked", look(questions[2]))
    told("the one that everybody asks", look(questions[0]))
    told("the state, before each search", lambda: everybody_state(reader))
    told("for scale: SELECT 1", _nothing)


def _nothing() -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return str(cursor.fetchone())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.db import connection, transaction

    for votes in options.votes:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM search_vote, search_event, search_impression, search_query, imagery_scene")
        with transaction.atomic():
            print(f"{votes:,} votes: least, median, 90th percentile of {TIMES}")
            measure(*fill(votes))
            transaction.set_rollback(True)


if __name__ == "__main__":
    main()
