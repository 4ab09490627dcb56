"""What judging did to an answer, as its page shows it: which hits moved, and a bar that says why and undoes it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from rsportal.accounts.models import User
from search.examples_given import ExampleGiven, ExampleKind
from search.judgements import Judgement, judged_counts
from search.models import Query, Ranking
from search.reasons import places_moved
from search.selectors import ranking_get
from search.services import SearchPage
from search.services.pages import Hit
from search.slices import ranks_of


@dataclass(frozen=True)
class ShownRow:
    """A hit and what this person said about it.

    ``token`` is the one to judge it by. ``places`` is how many places it gained since the ranking that was on the
    screen before (lost: negative), ``new`` that it was not in that one; None and False when there is none to compare.
    """

    hit: Hit
    judged: str
    token: str
    places: int | None = None
    new: bool = False

    @property
    def like(self) -> str:
        """The hit as an example in an address: the part that matched, or the whole scene."""
        if self.hit.window is None:
            return str(ExampleGiven(ExampleKind.SCENE, self.hit.scene.pk))
        return str(ExampleGiven(ExampleKind.BOX, self.hit.scene.pk, self.hit.window))

    @property
    def up(self) -> int:
        """Places gained, 0 if none."""
        return max(self.places or 0, 0)

    @property
    def down(self) -> int:
        """Places lost, 0 if none."""
        return max(-(self.places or 0), 0)

    @property
    def moved(self) -> str:
        """How it moved, in words; "" if it did not."""
        if self.places:
            return places_moved(self.places)
        return ""


@dataclass(frozen=True)
class Taught:
    """The bar above the hits. ``says`` are its sentences; ``last`` is the judgement that undo takes back.

    ``learnt`` says that feedback had a say in this order, ``off`` that the person wants to see it without.
    """

    says: Sequence[str]
    last: Judgement | None
    last_token: str
    learnt: bool
    off: bool
    outdated: bool


def ranking_before(user: User, ranking: Ranking, id: str) -> Ranking | None:
    """Return the ranking that was on the screen, if it is this person's and answered the same question."""
    if not id:
        return None
    try:
        before = ranking_get(user, id)
    except Ranking.DoesNotExist:
        return None
    return before if _question(before.query) == _question(ranking.query) else None


def rows_shown(
    *, user: User, hits: Sequence[Hit], judgements: Mapping[UUID, Judgement], before: Ranking | None
) -> list[ShownRow]:
    """Return the hits of a page with what was said of them, and how they moved since ``before``."""
    ranks = ranks_of(before, [hit.scene.pk for hit in hits]) if before is not None else {}
    rows = []
    for hit in hits:
        judged, was = judgements.get(hit.scene.pk), ranks.get(hit.scene.pk)
        rows.append(
            ShownRow(
                hit=hit,
                judged=judged.kind if judged else "",
                token=judged.token(user) if judged else hit.token,
                places=None if was is None else was - hit.rank,
                new=before is not None and was is None,
            )
        )
    return rows


def taught_shown(
    *,
    user: User,
    shown: SearchPage,
    rows: Sequence[ShownRow],
    judgements: Mapping[UUID, Judgement],
    compared: bool,
    kept: bool,
) -> Taught | None:
    """Return the bar of an answer; None when neither this person nor feedback had anything to say in it.

    ``compared`` says that the rows tell what moved, ``kept`` that the answer is one given earlier.
    """
    off = shown.ranking.query.without_history
    learnt = any("feedback" in hit.reason for hit in shown.hits)
    if not (judgements or learnt or off):
        return None
    last = next(iter(judgements.values()), None)
    outdated = kept and last is not None and last.at > shown.ranking.created_at
    return Taught(
        says=[each for each in _sentences(rows, judgements, shown.hits, off, learnt, compared, outdated) if each],
        last=last,
        last_token=last.token(user) if last else "",
        learnt=learnt,
        off=off,
        outdated=outdated,
    )


def _sentences(
    rows: Sequence[ShownRow],
    judgements: Mapping[UUID, Judgement],
    hits: Iterable[Hit],
    off: bool,
    learnt: bool,
    compared: bool,
    outdated: bool,
) -> Iterable[str]:
    judged = _judged_words(*judged_counts(judgements))
    if off:
        yield _("Ranked without your history.")
        yield _("Not counted here: %(judged)s.") % {"judged": judged} if judged else ""
    elif outdated:
        yield _("You judged after this order was made: %(judged)s.") % {"judged": judged}
    elif judged and learnt:
        yield (_("Re-ranked by %(judged)s.") if compared else _("Ranked with %(judged)s.")) % {"judged": judged}
    elif judged:
        yield _("Kept: %(judged)s. This order stays as it is.") % {"judged": judged}
    elif learnt and _levels(hits) == {"everybody"}:
        yield _("What others found had a say in this order.")
    elif learnt:
        yield _("What you did in searches like this one had a say in this order.")
    if compared:
        moved = sum(bool(row.places) or row.new for row in rows)
        if moved:
            yield ngettext("%(count)d hit moved.", "%(count)d hits moved.", moved) % {"count": moved}
        elif learnt or not judged:
            yield _("No hit moved.")


def _levels(hits: Iterable[Hit]) -> set[str]:
    noted: list[Any] = [hit.reason.get("feedback") for hit in hits]
    return {str(each["level"]) for each in noted if isinstance(each, Mapping) and "level" in each}


def _judged_words(likes: int, dislikes: int) -> str:
    """Return "2 likes and 1 dislike", "1 like", or ""."""
    parts = []
    if likes:
        parts.append(ngettext("%(count)d like", "%(count)d likes", likes) % {"count": likes})
    if dislikes:
        parts.append(ngettext("%(count)d dislike", "%(count)d dislikes", dislikes) % {"count": dislikes})
    return (
        _("%(likes)s and %(dislikes)s") % {"likes": parts[0], "dislikes": parts[1]}
        if len(parts) > 1
        else "".join(parts)
    )


def _question(query: Query) -> tuple[Any, ...]:
    return query.text, query.translation, query.examples, query.filters
