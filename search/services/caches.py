"""Bounds of what is kept of queries in the database: vectors of texts and examples, and translations by the model."""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from search.models import ExampleVector, Query, QueryVector, TranslatedText

_OF_NOBODY_DAYS: Final = 7
"""So long is kept what no search of anybody's history needs: texts of comparisons and evaluations."""
_BATCH: Final = 1_000  # rows locked at a time


def texts_prune() -> int:
    """Erase what was not used for longest beyond ``RSPORTAL_SEARCH_KEPT_TEXTS`` rows, and what belongs to nobody's
    history and was not used for a week; return how many rows went.

    The history keeps its questions; asked again, they are encoded again. Rows that a search is just being stored with
    are left for the next time.
    """
    return _prune(QueryVector, "vector") + _prune(TranslatedText, "translated") + _vectors_prune()


def _vectors_prune() -> int:
    """Erase the vectors of example pictures and boxes beyond the same bound; asked again, they are encoded again."""
    newest = ExampleVector.objects.order_by("-used_at", "-pk")[: settings.SEARCH_KEPT_TEXTS]
    surplus = ExampleVector.objects.exclude(pk__in=newest.values_list("pk", flat=True))
    erased, _models = surplus.delete()
    return erased


def _prune(model: type[QueryVector] | type[TranslatedText], link: str) -> int:
    erased = 0
    before = timezone.now() - timedelta(days=_OF_NOBODY_DAYS)
    asked = Query.objects.filter(**{link: OuterRef("pk")})
    while True:
        with transaction.atomic():
            rows = model.objects.select_for_update(skip_locked=True)
            newest = model.objects.order_by("-used_at", "-pk")[: settings.SEARCH_KEPT_TEXTS]
            surplus = rows.exclude(pk__in=newest.values_list("pk", flat=True)).order_by("used_at")
            ids = list(surplus.values_list("pk", flat=True)[:_BATCH])
            if len(ids) < _BATCH:
                nobodys = rows.filter(~Exists(asked), used_at__lt=before).exclude(pk__in=ids)
                ids += nobodys.values_list("pk", flat=True)[: _BATCH - len(ids)]
            if not ids:
                return erased
            Query.objects.filter(**{f"{link}__in": ids}).update(**{link: None})
            model.objects.filter(pk__in=ids).delete()
        erased += len(ids)
