"""Which ranks of a stored ranking make a page, when scenes vanish between two pages."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PageCut:
    """``ranks`` to show (1 is the best), ``dropped`` ranks to leave out for good, ``cut_to`` the last rank whose
    place is settled, ``total`` hits over all pages, and the number of ``pages``."""

    ranks: list[int]
    dropped: list[int]
    cut_to: int
    total: int
    pages: int


def page_cut(*, visible: Sequence[bool], dropped: Collection[int], cut_to: int, page: int, size: int) -> PageCut:
    """Cut page ``page`` (1 is the first) of ``size`` hits; ``visible[i]`` is whether rank i + 1 may be shown now.

    Ranks up to ``cut_to`` were settled when a page was shown: those in ``dropped`` are skipped, the others keep
    their place even if they have vanished since (their page gets shorter). Later ranks have a place only while
    visible. So pages are full, a hit never moves to another page once its page was shown, and following the
    pages neither repeats nor skips a hit.
    """
    settled = [rank for rank in range(1, cut_to + 1) if rank not in dropped]
    open_ranks = [rank for rank in range(cut_to + 1, len(visible) + 1) if visible[rank - 1]]
    places = settled + open_ranks
    shown = places[(page - 1) * size : page * size]
    reached = max([cut_to, *shown])
    gone = [rank for rank in range(cut_to + 1, reached + 1) if not visible[rank - 1]]
    return PageCut(
        ranks=[rank for rank in shown if visible[rank - 1]],
        dropped=gone,
        cut_to=reached,
        total=len(places),
        pages=max(1, -(-len(places) // size)),
    )
