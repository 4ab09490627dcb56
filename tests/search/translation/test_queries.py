"""Real queries and the English they are searched for: a table of phrases people type, reviewed line by line."""

import json
from pathlib import Path

import pytest

from search.translation import translate_by_glossary
from search.translation.lexer import HAN

_TABLE = Path(__file__).with_name("queries.tsv")
_JUDGED = Path(__file__).resolve().parents[3] / "bench" / "queries.jsonl"
QUERIES = [tuple(line.split("\t")) for line in _TABLE.read_text(encoding="utf-8").splitlines()]


def test_the_table_is_long_and_names_no_query_twice():
    assert len(QUERIES) >= 150
    assert len({chinese for chinese, _english in QUERIES}) == len(QUERIES)


@pytest.mark.parametrize(("chinese", "english"), QUERIES, ids=[chinese for chinese, _english in QUERIES])
def test_a_query_is_translated(chinese, english):
    reading = translate_by_glossary(chinese)
    assert reading.english == english
    assert reading.untranslated == () and reading.coverage == 1.0


def test_every_judged_phrase_is_read_completely():
    phrases = [json.loads(line) for line in _JUDGED.read_text(encoding="utf-8").splitlines()]
    chinese = [phrase["text"] for phrase in phrases if phrase["language"] == "zh"]
    assert len(chinese) >= 330
    readings = {text: translate_by_glossary(text) for text in chinese}
    assert {text: reading.untranslated for text, reading in readings.items() if reading.untranslated} == {}
    assert [text for text, reading in readings.items() if HAN.search(reading.english) or not reading.english] == []
