"""What may be told of the lessons that moved a hit: those that are still there, of scenes that may be shown now.

A ranking is stored with the numbers of the events that it learnt from. What was taken back or erased since, or done
with a scene that is hidden by now, is looked up in vain when the page is made, and so told nowhere.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from imagery.models import Scene
from search.models import Event

if TYPE_CHECKING:
    from imagery.querysets import Viewer

NOTE: Final = "feedback"
_OWN: Final = ("session", "own")


def reasons_told(user: "Viewer", hits: Mapping[UUID, Mapping[str, Any]]) -> dict[UUID, dict[str, Any]]:
    """Return reasons of hits (``search.ranking.explain``, by scene) with feedback's note as it may be read.

    That is ``{"share", "level", "like": [{"scene", "deed", "query"}, ...]}``: how much of the score is feedback, of
    this ``session``, the person's ``own`` past or ``everybody``, and up to three of their own lessons that the hit
    resembles most; of what others did neither scenes nor words. One statement, none without such notes.
    """
    numbers = {number for reason in hits.values() for number, _deed in _lessons(reason.get(NOTE))}
    known = _events(user, numbers) if numbers else {}
    return {
        scene: {**reason, NOTE: _told(reason[NOTE], known)} if NOTE in reason else dict(reason)
        for scene, reason in hits.items()
    }


def _events(user: "Viewer", numbers: Iterable[int]) -> dict[int, tuple[str, str]]:
    """The scene and the words of the query of these events of this person, by number."""
    rows = Event.objects.visible_to(user).filter(
        pk__in=numbers, impression__scene__in=Scene.objects.visible_to(user).findable()
    )
    values = rows.order_by().values_list("pk", "impression__scene_id", "impression__ranking__query__text")
    return {number: (str(scene), words) for number, scene, words in values}


def _told(note: Any, known: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    if not isinstance(note, Mapping):
        return {}
    lessons = [(known[number], deed) for number, deed in _lessons(note) if number in known]
    return {
        "share": note.get("share"),
        "level": note.get("level"),
        "like": [{"scene": scene, "deed": deed, "query": words} for (scene, words), deed in lessons],
    }


def _lessons(note: Any) -> list[tuple[int, str]]:
    """``[[scene, number of the event, deed], ...]`` of a note as (number, deed)."""
    if not isinstance(note, Mapping) or note.get("level") not in _OWN:
        return []
    return [(int(entry[1]), str(entry[2])) for entry in note.get("like", ()) if str(entry[1]).isdecimal()]
