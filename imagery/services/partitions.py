"""The partition of the embedding table that holds one encoder's vectors."""

from django.db import connection, transaction
from psycopg import sql

from imagery.models import Embedding, Encoder


def partition_name(encoder_id: int) -> str:
    """Return the name of the table that holds this encoder's vectors."""
    return f"{Embedding._meta.db_table}_{encoder_id}"


def partition_create(encoder: Encoder) -> str:
    """Make the encoder's partition unless it exists; return its name.

    The column keeps STORAGE PLAIN (vectors in the row, not in TOAST), and a CHECK refuses a vector whose
    dimension is not the encoder's, whoever writes it. The table is made apart and then attached, which does
    not block searches that run meanwhile (CREATE ... PARTITION OF would).
    """
    name = partition_name(encoder.pk)
    parent = Embedding._meta.db_table
    names = {
        "part": sql.Identifier(name),
        "parent": sql.Identifier(parent),
        "encoder": sql.Literal(encoder.pk),
        "dimension": sql.Literal(encoder.dimension),
        "of_encoder": sql.Identifier(f"{name}_encoder"),
        "of_dimension": sql.Identifier(f"{name}_dimension"),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        if cursor.fetchone()[0]:
            return name
        for statement in _CREATE:
            cursor.execute(sql.SQL(statement).format(**names).as_string(cursor.connection))
    return name


# The CHECK on encoder_id lets PostgreSQL attach without scanning.
_CREATE = (
    "CREATE TABLE {part} (LIKE {parent} INCLUDING DEFAULTS INCLUDING STORAGE)",
    "ALTER TABLE {part} ALTER COLUMN vector SET STORAGE PLAIN",
    "ALTER TABLE {part} ADD CONSTRAINT {of_encoder} CHECK (encoder_id = {encoder})",
    "ALTER TABLE {part} ADD CONSTRAINT {of_dimension} CHECK (vector_dims(vector) = {dimension})",
    "ALTER TABLE {parent} ATTACH PARTITION {part} FOR VALUES IN ({encoder})",
)
