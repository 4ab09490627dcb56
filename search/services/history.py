"""Erasing what is kept about a person's searches."""

from collections.abc import Iterable
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from rsportal.accounts.models import User
from search.models import EventCount, Query, QueryImage, QueryVector, TranslatedText
from search.selectors_concepts import images_in_concepts
from search.services.concepts import concepts_erase

_PICTURES: Final = ("image", "sketch")  # Kinds of examples that are a picture of the person's own.


def history_erase(*, user: User, query_id: int | None = None, concepts: bool = False) -> int:
    """Erase one query of this person, or all, with its rankings, impressions and events; return how many queries.

    The cached vector, text and translation of a query go too, unless somebody else asked the same; so do pictures that
    were given as examples, unless another query of the person's, or a concept, holds them. With all queries go the
    counts of events of earlier days (today's keeps bounding how many a minute may have). Concepts are works of the
    person's and stay, but for all queries with ``concepts``; what they chose about learning stays in any case. Another
    person's ``query_id`` erases nothing.
    """
    rows = Query.objects.visible_to(user)
    if query_id is not None:
        rows = rows.filter(pk=query_id)
    with transaction.atomic():
        if concepts and query_id is None:
            concepts_erase(user=user)
        found = list(rows.values_list("pk", "vector_id", "translated_id", "examples"))
        Query.objects.filter(pk__in=[pk for pk, *_rest in found]).delete()
        vectors = {vector for _pk, vector, _translated, _examples in found if vector is not None}
        # Locked first: a search that is just being stored with one of them is then seen by the next statement.
        list(QueryVector.objects.select_for_update().filter(pk__in=vectors).order_by("pk").values_list("pk"))
        QueryVector.objects.filter(~Exists(Query.objects.filter(vector=OuterRef("pk"))), pk__in=vectors).delete()
        texts = {translated for _pk, _vector, translated, _examples in found if translated is not None}
        list(TranslatedText.objects.select_for_update().filter(pk__in=texts).order_by("pk").values_list("pk"))
        TranslatedText.objects.filter(~Exists(Query.objects.filter(translated=OuterRef("pk"))), pk__in=texts).delete()
        pictures = QueryImage.objects.visible_to(user).exclude(pk__in=images_in_concepts(user))
        if query_id is None:
            pictures.delete()
            EventCount.objects.filter(user=user, day__lt=timezone.now().date()).delete()
        else:
            given = _pictures(examples for *_rest, examples in found)
            kept = _pictures(Query.objects.visible_to(user).exclude(examples=[]).values_list("examples", flat=True))
            pictures.filter(pk__in=given - kept).delete()
    return len(found)


def _pictures(queries: Iterable[list[dict[str, Any]]]) -> set[str]:
    """The ids of the pictures among the examples of queries."""
    return {str(each["id"]) for examples in queries for each in examples if each.get("kind") in _PICTURES}
