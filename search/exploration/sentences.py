"""What the results of a trial mean, in a plain sentence."""

from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from search.exploration.results import TrialResults
from search.exploration.verdict import Verdict

FEW_DECIDED: Final = 20
"""Below, even a one-sided result says little."""


def verdict_sentence(results: TrialResults) -> str:
    """Return what the trial says so far: who is preferred, by how much, and how sure that is."""
    found = results.searches
    if not found.decided:
        return _("Nobody has chosen between the two yet.")
    told = _figures(found)
    if found.decided < FEW_DECIDED:
        return _("Too early to say: %(told)s") % {"told": told}
    if not found.clear:
        return _("No difference can be told: %(told)s Chance alone gives results like this one.") % {"told": told}
    better = "B" if found.share > 0.5 else "A"
    return _("People prefer %(better)s: %(told)s Chance alone would give so uneven a result in %(odds)s.") % {
        "better": better,
        "told": told,
        "odds": _odds(found.p),
    }


def people_sentence(results: TrialResults) -> str:
    """Return whether the people, each with one vote, say the same; "" without a vote."""
    found, searches = results.people, results.searches
    if not found.decided:
        return ""
    told = _("By person, each with one vote, %(a)d prefer A and %(b)d prefer B (p = %(p)s).") % {
        "a": found.wins_a,
        "b": found.wins_b,
        "p": f"{found.p:.2g}",
    }
    if searches.clear and (found.share - 0.5) * (searches.share - 0.5) <= 0:
        return f"{told} " + _("A few who search much decide the result above: be careful with it.")
    return told


def _figures(found: Verdict) -> str:
    return ngettext(
        "B won %(share)s of the %(count)d search in which somebody chose (95 %%: %(low)s to %(high)s).",
        "B won %(share)s of the %(count)d searches in which somebody chose (95 %%: %(low)s to %(high)s).",
        found.decided,
    ) % {
        "share": _percent(found.share),
        "count": found.decided,
        "low": _percent(found.low),
        "high": _percent(found.high),
    }


def _odds(p: float) -> str:
    if p < 0.0001:
        return _("less than 1 of 10,000 trials")
    return _("1 of %(number)s trials") % {"number": f"{round(1 / p):,}"}


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
