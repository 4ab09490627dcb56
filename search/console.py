"""A page of results as lines of a terminal."""

from collections.abc import Iterator

from search.services import Hit, SearchPage


def page_lines(page: SearchPage) -> Iterator[str]:
    """Yield what was searched for if that was translated, a line on the search itself, then one for each hit: rank,
    score, band, title, window, day."""
    ranking = page.ranking
    took = ranking.took_ms
    if ranking.query.translation:
        yield f"Searched for: {ranking.query.translation}"
    if ranking.query.untranslated:
        yield f"Not understood: {', '.join(ranking.query.untranslated)}"
    if pieces := ranking.query.pieces:
        yield f"Longer than the encoder reads at once, so it was read in {len(pieces)} pieces: {' | '.join(pieces)}"
    yield (
        f"{len(page.hits)} best of {ranking.searched:,} scenes searched with {ranking.encoder.name} in "
        f"{took['total']:.0f} ms (encode {took['encode']:.0f}, retrieve {took['retrieve']:.0f}, "
        f"rank {took['rank']:.0f})"
    )
    for index, hit in enumerate(page.hits):
        if index == page.weaker_from:
            yield "--- weaker matches below ---"
        window = " x{} y{} {}x{} px".format(*hit.window) if hit.window else ""
        yield (
            f"{hit.rank:>4}  {hit.score:6.3f}  {hit.band.value:<8}  {hit.scene.title}{window}  "
            f"[{hit.scene.collection.slug}]  {_day(hit)}"
        )


def _day(hit: Hit) -> str:
    moment = hit.scene.datetime or hit.scene.start_datetime
    return moment.date().isoformat() if moment else "undated"
