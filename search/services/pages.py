"""Pages of a stored ranking: what is shown, and the record that it was shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError
from django.db.models import F, Func, Value
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from imagery.models import Scene, Tile
from imagery.services.adapters import calibration_in_use
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.feedback.impressions import impressions_record
from search.feedback.told import reasons_told
from search.match_windows import Window, best_window
from search.models import Ranking
from search.ranking import Band, PageCut, bands_in_order, page_cut, weaker_from
from search.services.log_writes import log_atomic
from search.slices import ranked_at, ranks_hidden
from search.tokens import token_issue

PAGE_SIZE: Final = 24
MAX_PAGE_SIZE: Final = 1_000
_ATTEMPTS: Final = 3
_UNUSED: Final = ("footprint", "properties", "bands", "collection__description")  # Kilobytes that no page shows.


@dataclass(frozen=True)
class Hit:
    """A scene on a page. ``rank`` 1 is the best; ``score`` is what the ranker ordered by.

    ``similarity`` is the plain cosine (-1 to 1), ``reason`` what the stages said of it (``search.ranking.explain``,
    with the feedback's note as it may be told: ``search.feedback.told``).

    ``window`` is (x, y, width, height) in pixels of the scene, y downwards, or None when the whole scene matched;
    ``token`` signs what this person does with the hit.
    """

    rank: int
    scene: Scene
    score: float
    similarity: float
    reason: dict[str, Any]
    band: Band
    window: Window | None
    token: str


@dataclass(frozen=True)
class SearchPage:
    """A page of hits. ``page`` counts from 1; ``total`` is the number of hits over all pages.

    ``weaker_from`` is the index in ``hits`` above which the line "weaker matches below" belongs, or None when
    it does not fall on this page.
    """

    ranking: Ranking
    hits: list[Hit]
    page: int
    pages: int
    total: int
    weaker_from: int | None


def ranking_page(*, user: User, ranking: Ranking, page: int = 1, size: int = PAGE_SIZE) -> SearchPage:
    """Return a page of a ranking of this person's own and record that its hits were shown.

    Every hit is checked again: a scene that was deleted or hidden since is left out (``search.ranking.paging``
    says how pages stay stable). A page beyond the last one has no hits. Raises InvalidInput (field ``page`` or
    ``size``).
    """
    if page < 1:
        raise InvalidInput(_("Pages are numbered from 1."), field="page")
    if not 1 <= size <= MAX_PAGE_SIZE:
        raise InvalidInput(_("A page has 1 to %(most)d results.") % {"most": MAX_PAGE_SIZE}, field="size")
    for _attempt in range(_ATTEMPTS - 1):
        try:
            return _cut_and_record(user=user, ranking=ranking, page=page, size=size)
        except IntegrityError:
            # A scene or tile was deleted between reading it and recording it: look again.
            continue
    return _cut_and_record(user=user, ranking=ranking, page=page, size=size)


def _cut_and_record(*, user: User, ranking: Ranking, page: int, size: int) -> SearchPage:
    hidden = ranks_hidden(user, ranking)
    cut = page_cut(
        visible=[rank not in hidden for rank in range(1, len(ranking.scores) + 1)],
        dropped=frozenset(ranking.dropped_ranks),
        cut_to=ranking.cut_to,
        page=page,
        size=size,
    )
    ranked = ranked_at(ranking, cut.ranks)
    scenes = _scenes(user, [hit.scene_id for hit in ranked.values()])
    tiles = Tile.objects.in_bulk([hit.tile_id for hit in ranked.values()])
    shown = {rank: hit for rank, hit in ranked.items() if hit.scene_id in scenes}
    with log_atomic():
        impressions = impressions_record(ranking=ranking, shown=shown, tile_ids=frozenset(tiles))
        if cut.cut_to > ranking.cut_to:
            _settle(ranking, cut)
    ranking.cut_to, ranking.dropped_ranks = cut.cut_to, [*ranking.dropped_ranks, *cut.dropped]  # Once it is committed.
    # Rankings made before cosines were kept were ordered by the cosine itself.
    similarities = ranking.similarities or ranking.scores
    # The calibration speaks of words and pictures alone: where an example has a say, nothing is known of how far a hit
    # can be trusted.
    likened = any(each["weight"] > 0 for each in ranking.query.examples)
    calibration = calibration_in_use(ranking.encoder) if ranking.query.text and not likened else {}
    words = bands_in_order(similarities, calibration)
    line = weaker_from(words)
    told = reasons_told(user, {hit.scene_id: hit.reason for hit in shown.values()})
    hits = [
        Hit(
            rank=rank,
            scene=scenes[hit.scene_id],
            score=ranking.scores[rank - 1],
            similarity=similarities[rank - 1],
            reason=told[hit.scene_id],
            band=words[rank - 1],
            window=best_window(tiles.get(hit.tile_id), hit.reason),
            token=token_issue(impression_id=impressions[rank], user_id=user.pk),
        )
        for rank, hit in shown.items()
    ]
    return SearchPage(
        ranking=ranking,
        hits=hits,
        page=page,
        pages=cut.pages,
        total=cut.total,
        weaker_from=_line_on_page(hits, line, first_page=page == 1),
    )


def _scenes(user: User, scene_ids: Sequence[UUID]) -> dict[UUID, Scene]:
    rows = Scene.objects.visible_to(user).findable().select_related("collection").defer(*_UNUSED)
    return {scene.pk: scene for scene in rows.filter(pk__in=scene_ids)} if scene_ids else {}


def _settle(ranking: Ranking, cut: PageCut) -> None:
    """Remember which ranks have a place; two pages cut at once add up."""
    changes: dict[str, object] = {"cut_to": Greatest(F("cut_to"), Value(cut.cut_to))}
    if cut.dropped:
        dropped = Value(cut.dropped, output_field=Ranking._meta.get_field("dropped_ranks"))
        changes["dropped_ranks"] = Func(F("dropped_ranks"), dropped, function="array_cat")
    Ranking.objects.filter(pk=ranking.pk).update(**changes)


def _line_on_page(hits: Sequence[Hit], line: int | None, *, first_page: bool) -> int | None:
    """``line`` is the index in the ranking of its first weak hit."""
    if line is None or not hits or hits[-1].rank <= line:
        return None
    index = next(index for index, hit in enumerate(hits) if hit.rank > line)
    began_before = index == 0 and not first_page and hits[0].rank > line + 1
    return None if began_before else index
