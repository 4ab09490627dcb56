"""Recording that hits were shown."""

from collections.abc import Collection, Sequence

from search.models import Impression, Ranking


def impressions_record(*, ranking: Ranking, ranks: Sequence[int], tile_ids: Collection[int]) -> dict[int, int]:
    """Store that these ranks were shown, once however often their page is; return {rank: impression id}.

    One statement, safe when two requests show the same page at once. ``tile_ids`` are the tiles that still
    exist; an impression of another tile keeps the scene only.
    """
    if not ranks:
        return {}
    rows = [
        Impression(
            ranking=ranking,
            scene_id=ranking.scene_ids[rank - 1],
            tile_id=tile if (tile := ranking.tile_ids[rank - 1]) in tile_ids else None,
            rank=rank,
        )
        for rank in ranks
    ]
    # An upsert, because ON CONFLICT DO NOTHING would not return the ids of the rows that were there.
    stored = Impression.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["ranking", "rank"], update_fields=["scene"]
    )
    return {row.rank: row.pk for row in stored}
