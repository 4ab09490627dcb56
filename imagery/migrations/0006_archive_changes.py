"""The counters of changes, and the triggers that no writer can forget: bulk loads and SQL by hand pass them, too."""

from django.db import migrations, models

_ADD = """
INSERT INTO imagery_archivechange AS known (collection_id, encoder_id, transaction, changes, scenes)
SELECT touched.collection_id, touched.encoder_id, pg_current_xact_id()::text::bigint, 1, sum(touched.scenes)
FROM ({touched}) AS touched
GROUP BY touched.collection_id, touched.encoder_id ORDER BY 1, 2
ON CONFLICT (collection_id, encoder_id, transaction)
DO UPDATE SET changes = known.changes + 1, scenes = known.scenes + excluded.scenes;
"""
_NEW_SCENES = "SELECT collection_id, 0 AS encoder_id, 1 AS scenes FROM new_rows WHERE status = 'ready'"
_OLD_SCENES = "SELECT collection_id, 0 AS encoder_id, -1 AS scenes FROM old_rows WHERE status = 'ready'"
_VECTORS = """
SELECT DISTINCT scene.collection_id, moved.encoder_id, 0 AS scenes
FROM {rows} AS moved
JOIN imagery_tile AS tile ON tile.id = moved.tile_id
JOIN imagery_scene AS scene ON scene.id = tile.scene_id
"""
_TILES = """
SELECT DISTINCT scene.collection_id, 0 AS encoder_id, 0 AS scenes
FROM old_rows AS moved JOIN imagery_scene AS scene ON scene.id = moved.scene_id
"""
_COLLECTION = "SELECT {id} AS collection_id, 0 AS encoder_id, 0 AS scenes UNION ALL SELECT 0, 0, 0"

# A vector that is deleted together with its tile finds no scene any more: the tile's own trigger tells of it. A new
# tile tells nothing before it has a vector, and a scene nothing before it is READY.
_FUNCTIONS = f"""
CREATE FUNCTION imagery_archive_scenes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN {_ADD.format(touched=_NEW_SCENES)}
    ELSIF TG_OP = 'DELETE' THEN {_ADD.format(touched=_OLD_SCENES)}
    ELSIF TG_OP = 'UPDATE' THEN {_ADD.format(touched=f"{_NEW_SCENES} UNION ALL {_OLD_SCENES}")}
    ELSE UPDATE imagery_archivechange SET changes = changes + 1, scenes = 0;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION imagery_archive_tiles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_ADD.format(touched=_TILES)}
    RETURN NULL;
END $$;

CREATE FUNCTION imagery_archive_vectors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN {_ADD.format(touched=_VECTORS.format(rows="old_rows"))}
    ELSE {_ADD.format(touched=_VECTORS.format(rows="new_rows"))}
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION imagery_archive_collection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_ADD.format(touched=_COLLECTION.format(id="NEW.id"))}
    RETURN NULL;
END $$;

CREATE FUNCTION imagery_archive_member() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_ADD.format(touched=_COLLECTION.format(id="coalesce(NEW.collection_id, OLD.collection_id)"))}
    RETURN NULL;
END $$;

CREATE FUNCTION imagery_archive_watch(vectors regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER archive_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows '
        'FOR EACH STATEMENT EXECUTE FUNCTION imagery_archive_vectors()', vectors);
    EXECUTE format('CREATE TRIGGER archive_update AFTER UPDATE ON %s REFERENCING NEW TABLE AS new_rows '
        'FOR EACH STATEMENT EXECUTE FUNCTION imagery_archive_vectors()', vectors);
    EXECUTE format('CREATE TRIGGER archive_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows '
        'FOR EACH STATEMENT EXECUTE FUNCTION imagery_archive_vectors()', vectors);
END $$;
"""
_TRIGGERS = """
CREATE TRIGGER archive_insert AFTER INSERT ON imagery_scene REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION imagery_archive_scenes();
CREATE TRIGGER archive_update AFTER UPDATE ON imagery_scene REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION imagery_archive_scenes();
CREATE TRIGGER archive_delete AFTER DELETE ON imagery_scene REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION imagery_archive_scenes();
CREATE TRIGGER archive_truncate AFTER TRUNCATE ON imagery_scene
    FOR EACH STATEMENT EXECUTE FUNCTION imagery_archive_scenes();

CREATE TRIGGER archive_update AFTER UPDATE ON imagery_tile REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION imagery_archive_tiles();
CREATE TRIGGER archive_delete AFTER DELETE ON imagery_tile REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION imagery_archive_tiles();

-- Rows written to a partition by its own name pass the triggers of that partition, all others those of the whole.
SELECT imagery_archive_watch('imagery_embedding');
SELECT imagery_archive_watch(inhrelid) FROM pg_inherits WHERE inhparent = 'imagery_embedding'::regclass;

CREATE TRIGGER archive_update AFTER UPDATE ON imagery_collection FOR EACH ROW
    WHEN ((OLD.slug, OLD.license, OLD.visibility, OLD.owner_id)
        IS DISTINCT FROM (NEW.slug, NEW.license, NEW.visibility, NEW.owner_id))
    EXECUTE FUNCTION imagery_archive_collection();
CREATE TRIGGER archive_member AFTER INSERT OR UPDATE OR DELETE ON imagery_collectionmember
    FOR EACH ROW EXECUTE FUNCTION imagery_archive_member();

INSERT INTO imagery_archivechange (collection_id, encoder_id, transaction, changes, scenes)
SELECT collection_id, 0, 0, 1, count(*) FROM imagery_scene WHERE status = 'ready' GROUP BY collection_id;
"""
# Boxes as PostgreSQL knows them; those across the antimeridian (west > east) are few and found by themselves.
_BOXES = """
CREATE INDEX scene_box ON imagery_scene USING gist (box(point(west, south), point(east, north)));
CREATE INDEX scene_crossing ON imagery_scene (id) WHERE west > east;
"""
_UNDO = """
DROP FUNCTION imagery_archive_scenes, imagery_archive_tiles, imagery_archive_vectors, imagery_archive_collection,
    imagery_archive_member, imagery_archive_watch CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("imagery", "0005_encoder_ranking")]

    operations = [
        migrations.CreateModel(
            name="ArchiveChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("collection_id", models.BigIntegerField()),
                ("encoder_id", models.BigIntegerField(default=0)),
                ("transaction", models.BigIntegerField()),
                ("changes", models.BigIntegerField(default=1)),
                ("scenes", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["collection_id", "encoder_id", "transaction"], name="archive_change_of_transaction"
                    )
                ]
            },
        ),
        migrations.RunSQL([_FUNCTIONS, _TRIGGERS], [_UNDO]),
        migrations.RunSQL([_BOXES], ["DROP INDEX scene_box, scene_crossing"]),
    ]
