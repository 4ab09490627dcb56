"""The outline of a scene as a native polygon, computed by the database: no writer can forget it."""

import django.contrib.postgres.indexes
from django.db import migrations, models

import imagery.outlines

# Each function stands alone and names only what pg_catalog has: a restore computes the column with an empty path.
_OUTLINE = """
CREATE FUNCTION imagery_outline(footprint jsonb) RETURNS polygon LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN footprint->>'type' = 'Polygon' THEN (
        SELECT ('(' || string_agg('(' || (point->>0) || ',' || (point->>1) || ')', ',' ORDER BY place) || ')')::polygon
        FROM jsonb_array_elements(footprint->'coordinates'->0) WITH ORDINALITY AS ring(point, place)
    ) END
$$
"""
_PARTS = """
CREATE FUNCTION imagery_parts_{verb}(footprint jsonb, area polygon) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT footprint->>'type' = 'MultiPolygon' AND coalesce({fold}((
        SELECT ('(' || string_agg('(' || (point->>0) || ',' || (point->>1) || ')', ',' ORDER BY place) || ')')::polygon
        FROM jsonb_array_elements(part->0) WITH ORDINALITY AS ring(point, place)
    ) {operator} area), false)
    FROM jsonb_array_elements(footprint->'coordinates') AS parts(part)
$$
"""
_OVERLAPS = _PARTS.format(verb="overlaps", fold="bool_or", operator="&&")
_INSIDE = _PARTS.format(verb="inside_of", fold="bool_and", operator="<@")


class Migration(migrations.Migration):
    dependencies = [
        ("imagery", "0009_archives"),
    ]

    operations = [
        migrations.RunSQL([_OUTLINE], ["DROP FUNCTION imagery_outline(jsonb)"]),
        migrations.RunSQL([_OVERLAPS], ["DROP FUNCTION imagery_parts_overlaps(jsonb, polygon)"]),
        migrations.RunSQL([_INSIDE], ["DROP FUNCTION imagery_parts_inside_of(jsonb, polygon)"]),
        migrations.AddField(
            model_name="scene",
            name="outline",
            field=models.GeneratedField(
                db_persist=True,
                expression=models.Func(
                    "footprint", function="imagery_outline", output_field=imagery.outlines.PolygonField()
                ),
                output_field=imagery.outlines.PolygonField(),
                verbose_name="outline",
            ),
        ),
        migrations.AddIndex(
            model_name="scene",
            index=django.contrib.postgres.indexes.GistIndex(fields=["outline"], name="scene_outline"),
        ),
        migrations.AddIndex(
            model_name="scene",
            index=models.Index(
                condition=models.Q(("footprint__isnull", False), ("outline__isnull", True)),
                fields=["id"],
                name="scene_in_parts",
            ),
        ),
    ]
