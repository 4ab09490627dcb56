"""Erasing what is kept about a person's searches."""

from django.db import transaction
from django.db.models import Exists, OuterRef

from rsportal.accounts.models import User
from search.models import Query, QueryVector, TranslatedText


def history_erase(*, user: User, query_id: int | None = None) -> int:
    """Erase one query of this person, or all, with its rankings, impressions and events; return how many queries.

    The cached vector, text and translation of a query go too, unless somebody else asked the same. Another person's
    ``query_id`` erases nothing.
    """
    rows = Query.objects.visible_to(user)
    if query_id is not None:
        rows = rows.filter(pk=query_id)
    with transaction.atomic():
        found = list(rows.values_list("pk", "vector_id", "translated_id"))
        Query.objects.filter(pk__in=[pk for pk, _vector, _translated in found]).delete()
        vectors = {vector for _pk, vector, _translated in found if vector is not None}
        # Locked first: a search that is just being stored with one of them is then seen by the next statement.
        list(QueryVector.objects.select_for_update().filter(pk__in=vectors).order_by("pk").values_list("pk"))
        QueryVector.objects.filter(~Exists(Query.objects.filter(vector=OuterRef("pk"))), pk__in=vectors).delete()
        texts = {translated for _pk, _vector, translated in found if translated is not None}
        list(TranslatedText.objects.select_for_update().filter(pk__in=texts).order_by("pk").values_list("pk"))
        TranslatedText.objects.filter(~Exists(Query.objects.filter(translated=OuterRef("pk"))), pk__in=texts).delete()
    return len(found)
