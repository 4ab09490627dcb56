"""The embedding table, partitioned by encoder: Django's state knows the model, the SQL is ours."""

import django.db.models.deletion
import pgvector.django.halfvec
from django.db import migrations, models

_CREATE = """
CREATE TABLE imagery_embedding (
    encoder_id bigint NOT NULL REFERENCES imagery_encoder (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    tile_id bigint NOT NULL REFERENCES imagery_tile (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    vector halfvec NOT NULL,
    PRIMARY KEY (encoder_id, tile_id)
) PARTITION BY LIST (encoder_id);
ALTER TABLE imagery_embedding ALTER COLUMN vector SET STORAGE PLAIN;
CREATE INDEX imagery_embedding_tile ON imagery_embedding (tile_id);
"""


class Migration(migrations.Migration):
    dependencies = [("imagery", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(_CREATE, "DROP TABLE imagery_embedding")],
            state_operations=[
                migrations.CreateModel(
                    name="Embedding",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "encoder_id", "tile_id", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("vector", pgvector.django.halfvec.HalfVectorField()),
                        (
                            "encoder",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="imagery.encoder"
                            ),
                        ),
                        (
                            "tile",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="embeddings",
                                to="imagery.tile",
                            ),
                        ),
                    ],
                    options={"verbose_name": "embedding", "verbose_name_plural": "embeddings"},
                )
            ],
        )
    ]
