"""What somebody's own history costs their searches: .venv/bin/python bench/own_history.py [--events 200]

Puts 1,000 scenes with vectors of 1,024 numbers and a person's events into the portal's database, and takes everything
back: it all happens in one transaction. Prints processor milliseconds a call, of Python and of the database's process
(wall-clock times say little on a machine that others use): what is read before each search, the lessons that are read
for a ranking, and the ranking of 1,000 candidates without and with them. RSPORTAL_VAR_DIR (an empty folder, ``manage.py
migrate``) or DATABASE_URL say where. docs/learning.md has the figures.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

ROOT: Final = Path(__file__).resolve().parents[1]
DIMENSION: Final = 1_024
SCENES: Final = 1_000
SHOWN: Final = 24
DEEDS_OF_A_QUERY: Final = 4
CALLS: Final = 60
_MS: Final = 1_000.0


def fill(events: int) -> tuple[Any, Any, np.ndarray]:
    """Fill the database; return the encoder, the person, and what they ask (d,). Half of their queries are similar."""
    from django.db import connection

    from imagery.models import Embedding, Scene, Tile
    from search.models import Event, Impression, Query, Ranking
    from tests import factories

    chance = np.random.default_rng(5)
    common = chance.standard_normal(DIMENSION)
    encoder = factories.make_encoder(
        f"bench-{os.getpid()}", dimension=DIMENSION, text_mean=[0.0] * DIMENSION, image_mean=[0.0] * DIMENSION
    )
    person = factories.make_user(f"bench-{os.getpid()}")
    collection = factories.make_collection(f"bench-{os.getpid()}", owner=person, visibility="all_users")
    scenes = Scene.objects.bulk_create(
        Scene(collection=collection, title=f"{n}", status="ready", width=64, height=64, content_hash=f"{n:064d}")
        for n in range(SCENES)
    )
    tiles = Tile.objects.bulk_create(Tile(scene=each, level=0, x=0, y=0, width=64, height=64) for each in scenes)
    Embedding.objects.bulk_create(
        Embedding(
            encoder=encoder, tile=tile, vector=factories.unit(common + chance.standard_normal(DIMENSION)).tolist()
        )
        for tile in tiles
    )
    done: list[Any] = []
    for number in range(events // DEEDS_OF_A_QUERY):
        near = common + 0.3 * chance.standard_normal(DIMENSION)
        asked = factories.unit(chance.standard_normal(DIMENSION) if number % 2 else near)
        query = Query.objects.create(user=person, text=f"{number}", asked=asked.tolist(), asked_under=encoder)
        order = chance.permutation(SCENES)
        ranking = Ranking.objects.create(
            query=query, encoder=encoder, ranker="bench", searched=SCENES, scores=[0.1] * SCENES,
            scene_ids=[scenes[place].pk for place in order], tile_ids=[tiles[place].pk for place in order],
        )  # fmt: skip
        shown = Impression.objects.bulk_create(
            Impression(ranking=ranking, scene=scenes[place], tile=tiles[place], rank=rank)
            for rank, place in enumerate(order[:SHOWN], start=1)
        )
        done += [Event(impression=each, kind="click", user=person) for each in shown[:DEEDS_OF_A_QUERY]]
        done.append(Event(impression=shown[0], kind="dwell", seconds=40, user=person))
    Event.objects.bulk_create(done)
    with connection.cursor() as cursor:
        for table in ("search_event", "search_impression", "search_ranking", "search_query", "imagery_scene"):
            cursor.execute(f"ANALYZE {table}")
    return encoder, person, factories.unit(common)


def told(name: str, run: Callable[[], Any]) -> None:
    """Print the processor time of a call, here and in the database's process for this connection."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def there() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    run()
    begun, begun_there = time.process_time(), there()
    for _call in range(CALLS):
        run()
    here = _MS * (time.process_time() - begun) / CALLS
    print(f"{name:<46}{here:8.1f}{_MS * (there() - begun_there) / CALLS:10.1f}")


def measure(encoder: Any, person: Any, asked: np.ndarray) -> None:
    """Print the table."""
    from search.candidates import candidates_find
    from search.engine import ranker_of
    from search.feedback.evidence import evidence_for
    from search.feedback.state import feedback_state
    from search.query import SearchRequest
    from search.ranking import RankQuery, candidates_rank

    request, query, ranker = SearchRequest(text="harbour"), RankQuery(vector=asked), ranker_of(encoder)
    found = candidates_find(vector=asked, encoder=encoder, request=request, user=person, k=SCENES)
    state = feedback_state(person, request)

    def lessons() -> Any:
        return evidence_for(
            user=person, encoder=encoder, query=query, geometry=ranker.geometry, request=request, state=state
        )

    def rank(evidence: Any) -> Any:
        return candidates_rank(
            candidates=found, query=query, settings=ranker.settings, geometry=ranker.geometry, limit=SCENES,
            evidence=evidence,
        )  # fmt: skip

    evidence = lessons()
    print(f"{len(evidence.session) + len(evidence.own)} lessons, {len(found.tile_ids)} candidates")
    print(f"{'processor ms a call':<46}{'Python':>8}{'database':>10}")
    told("the state, before each search", lambda: feedback_state(person, request))
    told("the lessons", lessons)
    told("the ranking without them", lambda: rank(None))
    told("the ranking with them", lambda: rank(evidence))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[200])
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.db import transaction

    for events in options.events:
        with transaction.atomic():
            print(f"{events:,} events, threads {os.environ.get('OMP_NUM_THREADS', 'all')}")
            measure(*fill(events))
            transaction.set_rollback(True)


if __name__ == "__main__":
    main()
