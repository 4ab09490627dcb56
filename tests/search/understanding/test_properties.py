"""Whatever is typed: never an error, always the same plan, no word lost, and chips that can be written down again."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from search.encode_query import query_text_normalise
from search.understanding import MAX_CLAUSES, chips_of, plan_text, query_plan

_ENGLISH = """a the many red large ships harbour trees river without no not or and with , . " -ships "lot"^2 near
between left of surrounded by around is are there it only but also far from ^2 - --"""
_CHINESE = "没有 无人机 的 港口 船 左侧 之间 和 在 被 包围 不 是 绿色 、 ， 。 “ ” 不仅 除了 有 附近 三架 图片 无云"
_WORDS = [*_ENGLISH.split(), "parking lot", *_CHINESE.split()]
_queries = st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join) | st.lists(
    st.sampled_from([word for word in _WORDS if not word.isascii()]), max_size=12
).map("".join)
_texts = _queries | st.text(max_size=60)


@settings(max_examples=150, deadline=None)
@given(_texts)
@example("without")
@example('""')
@example("- -")
@example("ﬁeld without ①②, no ½")
def test_no_text_breaks_it_and_the_same_text_gives_the_same_plan(text):
    plan = query_plan(text)
    assert plan == query_plan(text)
    assert plan == query_plan(query_text_normalise(text))


@settings(max_examples=150, deadline=None)
@given(_texts)
def test_every_word_is_in_exactly_one_clause_or_is_structure(text):
    plan = query_plan(text)
    places = [at for part in (*plan.clauses, *plan.negatives) for at in part.words]
    places += [at for part in plan.attributes for at in part.words]
    assert sorted([*places, *plan.structure]) == list(range(len(plan.words)))


@settings(max_examples=150, deadline=None)
@given(_texts)
def test_a_plan_is_sound(text):
    plan = query_plan(text)
    marked = sum(each.explicit for each in (*plan.clauses, *plan.negatives))
    assert len(plan.clauses) + len(plan.negatives) <= max(MAX_CLAUSES, marked + 2)
    assert all(each.weight > 0 and each.text.strip() for each in plan.clauses)
    assert all(each.weight < 0 and each.text.strip() for each in plan.negatives)
    assert bool(plan.whole) == bool(plan.clauses)
    known = {each.text for each in (*plan.clauses, *plan.negatives)} | {each.phrase for each in plan.attributes}
    assert all({each.subject, *each.objects} <= known and each.subject not in each.objects for each in plan.relations)


@settings(max_examples=150, deadline=None)
@given(_queries)
def test_chips_become_a_text_that_gives_the_same_chips(text):
    plan = query_plan(text)
    again = query_plan(plan_text(plan))
    assert sorted(map(repr, chips_of(again))) == sorted(map(repr, chips_of(plan)))


@given(st.sampled_from(_WORDS), st.sampled_from(_WORDS), st.sampled_from(["", " "]))
@settings(max_examples=60, deadline=None)
@example("桥", "旁", "")
@example("无", "云", "")
@example("near", "a", " ")
def test_a_text_of_the_same_words_over_and_over_is_read_too(one, two, blank):
    repeated = f"{one}{blank}{two}{blank}"
    plan = query_plan(repeated * (1_000 // len(repeated)))
    assert len(plan.clauses) + len(plan.negatives) <= len(plan.words)
    assert plan == query_plan(plan.text)
