"""How Chinese is read: words, numbers, order, and what is promised of any text."""

import itertools
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from search.translation import translate_by_glossary
from search.translation.english import number, plural, with_article
from search.translation.glossary import Count, Kind, glossary
from search.translation.lexer import HAN, segments, tokens
from search.translation.numerals import numeral_value
from search.translation.traditional import simplified

WORDS = sorted(glossary().words)
NOUNS = [word for word in WORDS if glossary().words[word].kind is Kind.NOUN]
ADJECTIVES = [word for word in WORDS if glossary().words[word].kind is Kind.ADJECTIVE]
UNKNOWN = "鑫淼犇彧"  # Characters that stand in no word of the glossary.
phrases = st.lists(st.sampled_from([*WORDS, *glossary().measures, "，", " "]), max_size=14).map("".join)


def test_the_glossary_is_large():
    english = {term.english for term in glossary().words.values() if term.kind in (Kind.NOUN, Kind.ADJECTIVE)}
    assert len(english) >= 500
    assert len(WORDS) >= 1_500


def test_the_glossarys_english_is_english():
    for word, term in glossary().words.items():
        assert not HAN.search(term.english + term.other), word
        assert term.english or term.kind in (Kind.SKIP, Kind.ADVERB, Kind.DE), word


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=60), phrases))
def test_any_text_is_read_without_a_crash_and_always_the_same_way(text):
    first = translate_by_glossary(text)
    assert translate_by_glossary(text) == first
    assert 0.0 <= first.coverage <= 1.0
    assert bool(first.untranslated) == (first.coverage < 1.0)
    if HAN.search(text):
        assert not HAN.search(first.english)


@settings(max_examples=150, deadline=None)
@given(phrases)
def test_known_words_leave_nothing_untranslated(text):
    reading = translate_by_glossary(text)
    assert reading.untranslated == ()


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=sorted({char for word in WORDS for char in word} | set(UNKNOWN)), max_size=20))
def test_the_longest_words_are_taken(run):
    """No two neighbours could be one word; a word by itself is never cut; nothing is lost."""
    words = glossary()
    cut = segments(run, words)
    assert "".join(cut) == run
    for left, right in itertools.pairwise(cut):
        known = left in words and right in words
        assert not (known and left + right in words), (left, right)


@pytest.mark.parametrize("word", NOUNS[::17])
def test_a_word_by_itself_is_never_cut(word):
    assert [token.text for token in tokens(word)] == [word]


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ADJECTIVES), st.sampled_from(NOUNS))
def test_an_attribute_stands_before_its_noun(adjective, noun):
    attribute, thing = glossary().words[adjective], glossary().words[noun]
    assume(adjective + noun not in glossary())
    assume((adjective, noun) != ("体育", "跑道"))  # Beside sports it is a running track, else a runway.
    # What the noun says already is not said twice: 主要的主干道 is a main road.
    assume(
        not set(re.findall(r"\w+", attribute.english)) & set(re.findall(r"\w+", f"{thing.english} {thing.other or ''}"))
    )
    several = thing.count is Count.SEVERAL
    head = (thing.other or plural(thing.english)) if several else thing.english
    english = translate_by_glossary(f"{adjective}的{noun}").english
    assert english == (f"{head} {attribute.english}" if attribute.is_after else f"{attribute.english} {head}")


@pytest.mark.parametrize(
    ("chinese", "english", "unknown"),
    [
        ("磨坊", "", ("磨坊",)),
        ("磨坊旁边的河", "river", ("磨坊",)),
        ("河边的磨坊和教堂", "church", ("磨坊",)),
        ("鑫淼附近的港口", "port", ("鑫淼",)),
    ],
)
def test_unknown_words_are_left_out_and_named(chinese, english, unknown):
    reading = translate_by_glossary(chinese)
    assert (reading.untranslated, HAN.search(reading.english)) == (unknown, None)
    assert reading.english.endswith(english)
    assert reading.coverage < 1.0


@pytest.mark.parametrize(
    ("chinese", "english"), [("有湖的公园的图片", "park with a lake"), ("机场的卫星图", "airport"),
                             ("模糊的图片", "blurred image")],
)  # fmt: skip
def test_that_it_is_a_picture_is_not_searched_for(chinese, english):
    assert translate_by_glossary(chinese).english == english


def test_the_same_word_in_both_languages_is_said_once():
    assert translate_by_glossary("机场 airport").english == "airport"


def test_what_is_learned_stands_in_its_place():
    reading = translate_by_glossary("河流旁边的古老磨坊", known={"磨坊": "mill"})
    assert reading.english == "ancient mill beside a river"
    assert reading.untranslated == ()


def test_a_text_without_chinese_stays_as_it_is():
    assert translate_by_glossary("  Ships,  near a quay. ").english == "Ships, near a quay."


def test_traditional_characters_are_read_like_simplified_ones():
    for traditional, plain in (
        ("機場", "机场"),
        ("圓形廣場", "圆形广场"),
        ("鐵路橋", "铁路桥"),
        ("著名的雲", "着名的云"),
    ):
        assert simplified(traditional) == plain
        assert translate_by_glossary(traditional) == translate_by_glossary(plain)


@pytest.mark.parametrize(
    ("text", "value"),
    [("三", 3), ("十", 10), ("二十五", 25), ("一百零二", 102), ("两千", 2_000), ("三万五千", 35_000),
     ("二〇二四", 2_024), ("十五", 15), ("山", None), ("", None)],
)  # fmt: skip
def test_numerals(text, value):
    assert numeral_value(text) == value


def test_english_forms():
    assert [plural(word) for word in ("city", "church", "bus", "bay", "row of trees")] == [
        "cities", "churches", "buses", "bays", "rows of trees",
    ]  # fmt: skip
    assert [with_article(word) for word in ("airport", "university", "hour", "L-shaped roof", "port")] == [
        "an airport", "a university", "an hour", "an L-shaped roof", "a port",
    ]  # fmt: skip
    assert [number(value) for value in (3, 12, 13, 2.5)] == ["three", "twelve", "13", "2.5"]


def test_a_long_text_is_read_in_bounded_time():
    reading = translate_by_glossary("绿色的森林和蓝色的湖泊旁边的道路" * 60)
    assert reading.english.count("forest") == 60
