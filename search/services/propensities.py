"""Keeping the estimate of position propensities."""

from typing import Final

from django.db import connection, transaction

from search.exploration.estimate import Estimate, propensities_fit
from search.exploration.pairs import pair_counts
from search.models import PositionPropensity

MIN_SHOWS: Final = 30
"""Showings of an exchanged pair below which the estimate does not reach its lower rank."""


def propensities_estimate(*, min_shows: int = MIN_SHOWS) -> Estimate:
    """Estimate how likely hits are looked at by rank, from the whole log, and keep it in place of what was kept.

    Kept is all of it or nothing. With too little to estimate from (``Estimate.enough``), what was kept stays.
    """
    found = propensities_fit(pair_counts(), min_shows=min_shows)
    if found.enough:
        _keep(found)
    return found


def _keep(found: Estimate) -> None:
    columns = (found.ranks, found.propensity, found.low, found.high, found.shows)
    rows = [
        PositionPropensity(rank=rank, propensity=propensity, low=low, high=high, shows=shows)
        for rank, propensity, low, high, shows in zip(*(each.tolist() for each in columns), strict=True)
    ]
    with transaction.atomic():
        with connection.cursor() as cursor:  # Readers see the old estimate or the new one; writers wait.
            cursor.execute(f"LOCK TABLE {PositionPropensity._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
        PositionPropensity.objects.all().delete()
        PositionPropensity.objects.bulk_create(rows)
