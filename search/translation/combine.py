"""Putting phrases and attributes together, where more than one side has a say."""

from dataclasses import replace

from search.translation.english import joined
from search.translation.lexer import Token
from search.translation.phrases import Adjective, Attribute, Listed, Noun, Phrase, Post


def items_of(phrase: Phrase) -> tuple[Phrase, ...]:
    """Return the phrases of a list; a single one is a list of itself."""
    return phrase.items if isinstance(phrase, Listed) else (phrase,)


def verb_attribute(token: Token) -> Attribute:
    """Return a verb as an attribute: one word stands before the noun, several behind it."""
    text = token.term.english
    return Post("", None, text) if " " in text else Adjective(text, -1)


def owned(head: Phrase, owner: Phrase) -> Phrase:
    """A的B: B with A for parts and materials' looks, else B of A."""
    part = all(isinstance(item, Noun) and item.is_part for item in items_of(owner))
    spot = owner.spot if isinstance(owner, Noun) else ""
    return head.plus(Post("with" if part else spot or "of", owner))


def with_object(link: Token, thing: Phrase) -> Post:
    """停着卡车: with parked trucks."""
    preposition, _, posture = link.term.english.partition(" ")
    if preposition != "with" or not posture:
        return Post(link.term.english, thing)
    vessel = posture == "parked" and isinstance(thing, Noun) and thing.is_vessel
    return Post("with", thing.plus(Adjective("moored" if vessel else posture, -1)))


def attributes_joined(left: tuple[Attribute, ...], right: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
    """Return two attributes with "and" between them."""
    last, first = left[-1], right[0]
    plain = isinstance(last, Post) and isinstance(first, Post) and last.object is None and first.object is None
    if isinstance(last, Adjective) and isinstance(first, Adjective):
        return (*left[:-1], Adjective(f"{last.text} and {first.text}", last.rank), *right[1:])
    if isinstance(last, Adjective) and isinstance(first, Post) and first.object is None:
        return (*left[:-1], replace(first, verb=joined(last.text, "and", first.verb)))
    if isinstance(last, Post) and isinstance(first, Adjective) and last.object is None:
        return (*left[:-1], replace(last, after=joined(last.after, "and", first.text)), *right[1:])
    if plain and isinstance(last, Post) and isinstance(first, Post):
        return (*left[:-1], replace(last, after=joined(last.after, "and", first.verb)), *right[1:])
    return (*left, *right)


def attributes_alone(attributes: tuple[Attribute, ...]) -> str:
    """Attributes of nothing: their own words."""
    texts = [a.text for a in attributes if isinstance(a, Adjective)]
    return joined(*texts, *(post.written() for post in attributes if isinstance(post, Post)))
