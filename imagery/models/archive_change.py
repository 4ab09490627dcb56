"""Changes of the archive: what tells that something computed from scenes and vectors is out of date."""

from django.db import models


class ArchiveChange(models.Model):
    """One transaction's changes of a collection, written by triggers of the database (migration 0006).

    Whoever computes something from a collection adds up ``changes`` before, and keeps the sum with it: as long as the
    sum is the same, nothing has changed. Rows are only added (each transaction has its own, so that writers never wait
    for each other) or replaced by one of the same sum (``imagery.services.archive``). ``encoder_id`` is the
    encoder whose vectors changed, 0 for the scenes themselves; ``collection_id`` 0 stands for changes of who may see
    what. ``scenes`` adds up to the number of READY scenes. There is no foreign key: it would make writers wait.
    """

    collection_id = models.BigIntegerField()
    encoder_id = models.BigIntegerField(default=0)
    transaction = models.BigIntegerField()
    changes = models.BigIntegerField(default=1)
    scenes = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["collection_id", "encoder_id", "transaction"], name="archive_change_of_transaction"
            )
        ]

    def __str__(self) -> str:
        return f"{self.collection_id}/{self.encoder_id}: {self.changes}"
