"""Recording that hits were shown."""

from collections.abc import Collection, Mapping

from search.models import Impression, Ranking
from search.slices import Ranked


def impressions_record(*, ranking: Ranking, shown: Mapping[int, Ranked], tile_ids: Collection[int]) -> dict[int, int]:
    """Store that what stands at these ranks was shown, once however often its page is; return {rank: impression id}.

    One statement, safe when two requests show the same page at once. ``tile_ids`` are the tiles that still
    exist; an impression of another tile keeps the scene only.
    """
    if not shown:
        return {}
    rows = [
        Impression(
            ranking=ranking,
            scene_id=hit.scene_id,
            tile_id=hit.tile_id if hit.tile_id in tile_ids else None,
            rank=rank,
        )
        for rank, hit in shown.items()
    ]
    # An upsert, because ON CONFLICT DO NOTHING would not return the ids of the rows that were there.
    stored = Impression.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["ranking", "rank"], update_fields=["scene"]
    )
    return {row.rank: row.pk for row in stored}
