"""Real queries in both languages and what they mean, from a table checked by hand."""

from pathlib import Path

import pytest

from search.understanding import AttributeKind, query_language, query_plan

_TABLE = [
    line.split("\t")
    for line in (Path(__file__).with_name("plans.tsv")).read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize(("text", "whole", "clauses", "denied", "relations"), _TABLE, ids=[row[0] for row in _TABLE])
def test_a_query_is_understood(text, whole, clauses, denied, relations):
    plan = query_plan(text)
    weighted = [each.text + ("" if each.weight == 1 else f"^{each.weight:g}") for each in plan.clauses]
    related = [f"{each.kind.value}: {each.subject} > {' + '.join(each.objects)}" for each in plan.relations]
    assert plan.whole == whole
    assert " | ".join(weighted) == clauses
    assert " | ".join(each.text for each in plan.negatives) == denied
    assert " | ".join(related) == relations
    assert all(each.weight < 0 for each in plan.negatives)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("many dark green trees", [(AttributeKind.COLOUR, "dark green", "dark green trees")]),
        ("a large stadium", [(AttributeKind.SIZE, "large", "large stadium")]),
        ("rough texture", [(AttributeKind.TEXTURE, "rough", "rough texture")]),
        ("red and white roofs", [(AttributeKind.COLOUR, "red and white", "red and white roofs")]),
        ("绿色的大型体育场", [
            (AttributeKind.COLOUR, "绿色", "绿色的大型体育场"), (AttributeKind.SIZE, "大型", "大型体育场"),
        ]),
        ("密集的居民区", [(AttributeKind.TEXTURE, "密集", "密集的居民区")]),
        ("airport", []),
    ],
)  # fmt: skip
def test_attributes_are_found_with_their_thing(text, found):
    assert [(each.kind, each.word, each.phrase) for each in query_plan(text).attributes] == found


@pytest.mark.parametrize(
    ("text", "language"),
    [("harbour", "en"), ("港口", "zh"), ("B52 轰炸机", "zh"), ("un port sans bateaux", "en"), ("", "en")],
)
def test_the_language_is_that_of_most_words(text, language):
    assert query_language(text) == language


def test_a_text_of_many_clauses_keeps_eight_with_the_last_ones_joined():
    things = ["a river", "a road", "a bridge", "a field", "a church", "a school"]
    things += ["a lake", "a wood", "a port", "a mill"]
    plan = query_plan(", ".join(things))
    assert len(plan.clauses) == 8
    assert plan.clauses[-1].text == "a lake a wood a port a mill"[-len(plan.clauses[-1].text) :]
    assert plan.whole == ", ".join(things)


def test_a_minus_sign_counts_only_before_a_word():
    assert [each.text for each in query_plan("red-roofed house - harbour 2-3 -ships").negatives] == ["ships"]
