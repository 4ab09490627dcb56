"""Vectors that need not be computed: an encoder whose pictures are read by another one takes over that one's."""

from django.db import connection, transaction

from imagery.encoders.base import EncoderKind
from imagery.encoders.builtin.files import lender
from imagery.encoders.errors import EncoderMismatch, EncoderUnavailable
from imagery.models import Embedding, Encoder, Tile
from imagery.services.encoder_files import encoder_spec
from imagery.services.partitions import partition_create


def encoder_lenders(*, encoder: Encoder) -> list[Encoder]:
    """Return the registered encoders whose files read the pictures for this one; mostly none.

    Only a text tower that was taught alone (``manage.py distill --text-only``) has any. Vectors of another form (8-bit)
    are not those the tower would give. Of an encoder whose files are missing it cannot be told: whoever loads it next
    says so.
    """
    if encoder.kind != Encoder.Kind.BUILTIN:
        return []
    try:
        lending = lender(encoder_spec(encoder))
    except (EncoderUnavailable, EncoderMismatch):
        return []
    if lending is None:
        return []
    same = Encoder.objects.filter(
        kind=EncoderKind(lending.spec.kind).value, checksum=lending.checksum, dimension=encoder.dimension
    )
    return [row for row in same.exclude(pk=encoder.pk).order_by("pk") if _form(row) == _form(encoder)]


def vectors_adopt(*, encoder: Encoder) -> int:
    """Copy the vectors of those who read this encoder's pictures, where it has none; return how many were copied.

    One statement an encoder, about a minute for a million tiles; harmless to repeat.
    """
    copied = 0
    for row in encoder_lenders(encoder=encoder):
        with transaction.atomic(), connection.cursor() as cursor:
            partition_create(encoder)
            # The lock makes a scene that is being deleted wait, or its tiles are passed over.
            cursor.execute(
                f"""
                INSERT INTO {Embedding._meta.db_table} (encoder_id, tile_id, vector)
                SELECT %s, lent.tile_id, lent.vector
                FROM {Embedding._meta.db_table} lent JOIN {Tile._meta.db_table} tile ON tile.id = lent.tile_id
                WHERE lent.encoder_id = %s
                FOR KEY SHARE OF tile
                ON CONFLICT DO NOTHING
                """,
                [encoder.pk, row.pk],
            )
            copied += cursor.rowcount
    return copied


def _form(encoder: Encoder) -> str:
    return str(encoder.runtime.get("form", "full"))
