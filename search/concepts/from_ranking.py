"""What a search leaves behind as a concept: its words, its examples, and the hits that were liked and disliked."""

from dataclasses import dataclass, replace
from typing import Final

from imagery.models import Scene
from rsportal.accounts.models import User
from rsportal.errors import InvalidInput
from search.concepts.expand import concept_expand
from search.examples_given import MAX_WEIGHT, MIN_WEIGHT, ExampleGiven, ExampleKind, example_of
from search.judgements import question_judgements
from search.models import Event, Impression, Query, QueryImage, Ranking

_SHORTEST_NAME: Final = 40  # characters of the text that is proposed as a name


@dataclass(frozen=True)
class ConceptDraft:
    """What would be saved. ``pictures_of_others`` says how many pictures of somebody else's concept are left out."""

    text: str
    examples: tuple[ExampleGiven, ...]
    liked: int
    disliked: int
    pictures_of_others: int = 0

    @property
    def name(self) -> str:
        """A name to begin with."""
        words = self.text if len(self.text) <= _SHORTEST_NAME else self.text[:_SHORTEST_NAME].rsplit(" ", 1)[0]
        return words.strip(" ,;:.，；：。")


def draft_of_ranking(*, user: User, ranking: Ranking) -> ConceptDraft:
    """Return what a ranking of this person's own would be saved as; scenes they may no longer see are not in it.

    Examples of the query come first, with their weights; then the hits of this question that the person liked
    (weight 1) or disliked (-1), whole or the part that was shown. A concept in the query is taken apart:
    its examples get its weight, and its words are added where it counts for and not against.
    """
    query = ranking.query
    texts = [query.text] if query.text else []
    found: list[ExampleGiven] = []
    for example in (example_of(each) for each in query.examples):
        if example.kind != ExampleKind.CONCEPT:
            found.append(example)
            continue
        try:
            inside = concept_expand(concept_id=example.id, user=user)
        except InvalidInput:  # Deleted or hidden since: the search as it would run now.
            continue
        if inside.text and example.weight > 0 and inside.text not in texts:
            texts.append(inside.text)
        found += [replace(each, weight=_weight(each.weight * example.weight)) for each in inside.examples]
    judged = _judged(user, query)
    things = {each.thing: each for each in found}
    for each in judged:
        things.setdefault(each.thing, each)
    kept = _seen(user, list(things.values()))
    foreign = sum(each.kind in (ExampleKind.IMAGE, ExampleKind.SKETCH) for each in things.values() if each not in kept)
    seen = {each.thing for each in kept}
    return ConceptDraft(
        text=", ".join(texts),
        examples=tuple(kept),
        liked=sum(each.weight > 0 for each in judged if each.thing in seen),
        disliked=sum(each.weight < 0 for each in judged if each.thing in seen),
        pictures_of_others=foreign,
    )


def _judged(user: User, query: Query) -> list[ExampleGiven]:
    """Return what the page shows as liked and disliked of this question, in the order it was, whole or the part."""
    judged = list(question_judgements(user=user, query=query).values())[::-1]
    shown = Impression.objects.filter(pk__in=[each.impression_id for each in judged]).select_related("tile")
    tiles = {row.pk: row.tile for row in shown}
    found = []
    for each in judged:
        tile = tiles.get(each.impression_id)
        weight = 1.0 if each.kind == Event.Kind.LIKE else -1.0
        if tile is not None and tile.level > 0:
            found.append(ExampleGiven(ExampleKind.BOX, each.scene_id, tile.window, weight))
        else:
            found.append(ExampleGiven(ExampleKind.SCENE, each.scene_id, None, weight))
    return found


def _seen(user: User, examples: list[ExampleGiven]) -> list[ExampleGiven]:
    """Return the examples on scenes the person may see, and their own pictures."""
    ids = {each.id for each in examples}
    scenes = set(Scene.objects.visible_to(user).ready().filter(pk__in=ids).order_by().values_list("pk", flat=True))
    images = set(QueryImage.objects.visible_to(user).filter(pk__in=ids).order_by().values_list("pk", flat=True))
    return [each for each in examples if each.id in scenes or each.id in images]


def _weight(value: float) -> float:
    size = min(max(abs(value), MIN_WEIGHT), MAX_WEIGHT)
    return size if value > 0 else -size
