"""Whose searches may teach the portal about everybody's rankings, as conditions of SQL over ``search_query``."""

from typing import Final

LEARNABLE: Final = """
NOT EXISTS (SELECT 1 FROM search_learningchoice choice WHERE choice.user_id = {user} AND NOT choice.for_all)
AND NOT EXISTS (SELECT 1 FROM search_feedbackexclusion excluded WHERE excluded.user_id = {user})
"""
"""``{user}`` is the column with the person's id: they let it, and no administrator excluded them."""
DEEDS: Final = ("click", "like", "download")
"""Events that say a hit was looked at and found good; together they count once for a hit."""
