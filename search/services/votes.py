"""Votes: what a person did, kept where the rankings of others find it (``search.feedback.everybody``)."""

from datetime import timedelta
from typing import Final

import numpy as np
from django.utils import timezone

from search.feedback.everybody import COUNTED_FOR
from search.feedback.sketches import sketch_of
from search.models import Event, EventCount, Impression, Query, Vote

_VOTES: Final = {Event.Kind.LIKE, Event.Kind.DISLIKE, Event.Kind.DOWNLOAD, Event.Kind.CLICK}


COUNTS_KEPT: Final = timedelta(days=90)


def vote_keep(*, event: Event, impression: Impression) -> Vote | None:
    """Keep the vote that a new event on an impression is; None if it says nothing about similar queries.

    That is so of a look that only adds to a click, and of searches that were kept before what was asked was kept.
    """
    if event.kind not in _VOTES:
        return None
    asked = Query.objects.filter(rankings=impression.ranking_id, asked__isnull=False, asked_under__isnull=False)
    row = asked.values_list("pk", "asked", "asked_under_id").first()
    if row is None:
        return None
    query_id, vector, encoder_id = row
    return Vote.objects.create(
        event=event,
        user_id=event.user_id,
        scene_id=impression.scene_id,
        query_id=query_id,
        encoder_id=encoder_id,
        sketch=sketch_of(np.asarray(vector, dtype=np.float32)),
        created_at=event.created_at,
    )


def votes_prune() -> int:
    """Forget votes that are too old to count (their events stay), and counts of events of days long gone.

    Returns how many rows went.
    """
    now = timezone.now()
    votes, _each = Vote.objects.filter(created_at__lt=now - COUNTED_FOR).delete()
    counts, _each = EventCount.objects.filter(day__lt=(now - COUNTS_KEPT).date()).delete()
    return votes + counts
