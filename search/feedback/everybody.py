"""What other people did under similar queries, as one person's ranking may learn from it.

Which of these votes count is decided where they are used (``search.ranking.gates``), on nothing but these rows. So a
scene that the reader may not be shown must not be among them, and must not keep another row out: every bound below
counts what is left after permission.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.core.exceptions import EmptyResultSet
from django.db import connection

from imagery.models import Encoder, Scene
from search.feedback.lessons import Deed, deeds_weighed, lessons_of, one_a_scene, scene_vectors
from search.feedback.likeness import Likeness
from search.feedback.sketches import bits_apart, sketch_of
from search.models import Event
from search.ranking.evidence import Votes
from search.ranking.gates import FEWEST_VOTERS
from search.ranking.query import Vector

if TYPE_CHECKING:
    from imagery.querysets import Viewer

COUNTED_FOR: Final = timedelta(days=180)
"""After which an event, worth a sixty-fourth by then, is not looked at any more."""
MOST_OF_ONE: Final = 20
"""Events of one person under similar queries, newest first: nobody's many push out the few of others."""
MOST_EVENTS: Final = 500
"""Events of all persons; everybody's newest first, then everybody's second newest, and so on."""

# Each person and each scene is looked at once: OFFSET 0 keeps the planner from joining their whole tables, and IS TRUE
# from joining what is left, so that no wrong guess of how many there are makes it compare all with all.
_SEEN: Final = """
near AS MATERIALIZED (
    SELECT event_id, user_id, scene_id, query_id, created_at FROM search_vote
    WHERE encoder_id = %s AND user_id <> %s AND created_at > statement_timestamp() - %s
        AND (sketch <~> %s::bit(512)) <= %s
),
people AS MATERIALIZED (
    SELECT user_id FROM (SELECT DISTINCT user_id FROM near) AS voter
    WHERE EXISTS (SELECT 1 FROM accounts_user WHERE id = voter.user_id AND is_active OFFSET 0)
        AND NOT EXISTS (SELECT 1 FROM search_learningchoice WHERE user_id = voter.user_id AND NOT for_all OFFSET 0)
        AND NOT EXISTS (SELECT 1 FROM search_feedbackexclusion WHERE user_id = voter.user_id OFFSET 0)
),
scenes AS MATERIALIZED (
    SELECT scene_id FROM (
        SELECT scene_id FROM near WHERE (user_id IN (SELECT user_id FROM people)) IS TRUE
        GROUP BY scene_id HAVING count(DISTINCT user_id) >= %s
    ) AS chosen
    WHERE EXISTS (SELECT 1 FROM ({visible}) AS visible (id) WHERE visible.id = chosen.scene_id OFFSET 0)
        AND NOT EXISTS (SELECT 1 FROM search_feedbackexclusion WHERE scene_id = chosen.scene_id OFFSET 0)
),
seen AS (
    SELECT near.*, row_number() OVER (PARTITION BY user_id ORDER BY created_at DESC, event_id DESC) AS turn FROM near
    WHERE (user_id IN (SELECT user_id FROM people)) IS TRUE AND (scene_id IN (SELECT scene_id FROM scenes)) IS TRUE
)
"""
_VOTES: Final = f"""
WITH {_SEEN}, chosen AS MATERIALIZED (
    SELECT * FROM seen WHERE turn <= %s ORDER BY turn, created_at DESC, event_id DESC LIMIT %s
)
SELECT event.id, event.kind, event.created_at, chosen.scene_id, impression.tile_id, impression.rank, dwell.seconds,
    FALSE AS session, chosen.user_id
FROM chosen
JOIN search_query AS query ON query.id = chosen.query_id AND query.asked_under_id = %s
JOIN search_event AS event ON event.id = chosen.event_id
JOIN search_impression AS impression ON impression.id = event.impression_id
LEFT JOIN search_event AS dwell ON event.kind = 'click' AND dwell.impression_id = impression.id AND dwell.kind = 'dwell'
WHERE 1 - (query.asked <=> %s::halfvec) >= %s
ORDER BY event.created_at DESC, event.id DESC
"""


def votes_for(
    *, user: "Viewer", encoder: Encoder, asked: Vector, likeness: Likeness, fewest: int = FEWEST_VOTERS
) -> Votes:
    """Return what other people did under queries like the one that is ``asked`` (d,) (``search.feedback.likeness``).

    One row per person and scene, of scenes that this person may be shown now; without people whose account is disabled,
    who do not share what they do (``LearningChoice``) or are excluded, and without excluded scenes. The last word of
    likes and dislikes counts. Scenes that fewer than ``fewest`` people chose, which count for nobody, are left out. A
    row's vector is that of the part of the scene that most of the voters were shown. At most three statements, one if
    nobody did anything.
    """
    nobody = Votes.none(encoder.dimension)
    try:
        scenes = Scene.objects.visible_to(user).findable().order_by().values("pk")
        visible, permitted = scenes.query.sql_with_params()
    except EmptyResultSet:  # A visitor, or a disabled account.
        return nobody
    found = _read(
        _VOTES.format(visible=visible),
        [
            encoder.pk, user.pk, COUNTED_FOR, sketch_of(asked), bits_apart(likeness.similar), fewest, *permitted,
            MOST_OF_ONE, MOST_EVENTS, encoder.pk, f"[{','.join(map(repr, asked.tolist()))}]", likeness.similar,
        ],
    )  # fmt: skip
    kept = list(_one_a_person(found))
    if not kept:
        return nobody
    vectors = scene_vectors(_where_shown([deed for _voter, deed in kept]), encoder)
    kept = [(voter, deed) for voter, deed in kept if deed.scene_id in vectors]
    if not kept:
        return nobody
    voters, deeds = zip(*kept, strict=True)
    untold = replace(lessons_of(deeds, vectors, encoder.dimension), sources=("",) * len(deeds))
    return Votes(
        **vars(untold),
        voters=np.unique(np.array(voters), return_inverse=True)[1].astype(np.int64),
    )


def _read(statement: str, parameters: list[Any]) -> list[tuple[int, Deed]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        rows = cursor.fetchall()
    deeds = deeds_weighed([Deed(*row[:-1]) for row in rows]) if rows else []
    return [(row[-1], deed) for row, deed in zip(rows, deeds, strict=True)]


def _one_a_person(newest_first: list[tuple[int, Deed]]) -> Iterator[tuple[int, Deed]]:
    """One vote a person and scene; a scene that the person disliked last has none."""
    by_voter: dict[int, list[Deed]] = {}
    for voter, deed in newest_first:
        by_voter.setdefault(voter, []).append(deed)
    for voter, deeds in by_voter.items():
        for deed in one_a_scene(deeds):
            if deed.kind != Event.Kind.DISLIKE:
                yield voter, deed


def _where_shown(deeds: list[Deed]) -> list[Deed]:
    """One deed a scene, with the tile that most of them were done on; of as many, the one with the lowest number."""
    tiles: dict[Any, dict[int | None, list[Deed]]] = {}
    for deed in deeds:
        tiles.setdefault(deed.scene_id, {}).setdefault(deed.tile_id, []).append(deed)
    return [
        min(each.items(), key=lambda item: (item[0] is None, -len(item[1]), item[0] or 0))[1][0]
        for each in tiles.values()
    ]
