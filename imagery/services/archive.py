"""Upkeep of the counters of changes: few rows, and numbers of scenes that are right whatever was done to the tables."""

from django.db import connection

# Replaces rows by one of the same sum, in one statement: no reader ever sees another sum. Rows that somebody else is
# just replacing are left to them.
_FOLD = """
WITH many AS (
    SELECT collection_id, encoder_id FROM imagery_archivechange
    GROUP BY collection_id, encoder_id HAVING count(*) > 1
), taken AS (
    DELETE FROM imagery_archivechange WHERE id IN (
        SELECT id FROM imagery_archivechange JOIN many USING (collection_id, encoder_id)
        FOR UPDATE OF imagery_archivechange SKIP LOCKED)
    RETURNING collection_id, encoder_id, changes, scenes
)
INSERT INTO imagery_archivechange (collection_id, encoder_id, transaction, changes, scenes)
SELECT collection_id, encoder_id, pg_current_xact_id()::text::bigint, sum(changes), sum(scenes)
FROM taken GROUP BY collection_id, encoder_id
"""
# One statement has one snapshot, so that a scene which is being added now is on both sides or on neither.
_CORRECT = """
WITH there AS (
    SELECT collection_id, count(*) AS scenes FROM imagery_scene WHERE status = 'ready' GROUP BY collection_id
), noted AS (
    SELECT collection_id, sum(scenes) AS scenes FROM imagery_archivechange GROUP BY collection_id
)
INSERT INTO imagery_archivechange AS known (collection_id, encoder_id, transaction, changes, scenes)
SELECT collection_id, 0, pg_current_xact_id()::text::bigint, 1,
    coalesce(there.scenes, 0) - coalesce(noted.scenes, 0)
FROM there FULL JOIN noted USING (collection_id)
WHERE coalesce(there.scenes, 0) <> coalesce(noted.scenes, 0)
ON CONFLICT (collection_id, encoder_id, transaction)
DO UPDATE SET changes = known.changes + 1, scenes = known.scenes + excluded.scenes
"""


def archive_changes_fold() -> None:
    """Make one row of all that is noted about a collection (and encoder); what is kept under the sums stays valid."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLD)


def archive_counts_correct() -> int:
    """Count the READY scenes anew; return for how many collections the counters were wrong.

    They are right as long as the triggers were there: a restore that left them out, or fixtures loaded over them, is
    put right within the hour.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CORRECT)
        return int(cursor.rowcount)
