"""Examples as they are written: in an address, in the API, and back."""

import math
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rsportal.errors import InvalidInput
from search.examples_given import (
    MAX_EXAMPLES,
    MAX_WEIGHT,
    MIN_WEIGHT,
    ExampleGiven,
    ExampleKind,
    example_of,
    examples_parse,
)

SCENE = uuid.UUID("5f0c3a4e-0000-4000-8000-000000000001")
_pixels = st.integers(min_value=0, max_value=100_000)
_sides = st.integers(min_value=1, max_value=100_000)
_amounts = st.floats(min_value=MIN_WEIGHT, max_value=MAX_WEIGHT).map(lambda value: float(f"{value:g}"))
_weights = st.one_of(_amounts, _amounts.map(lambda value: -value))


@st.composite
def _examples(draw: st.DrawFn) -> ExampleGiven:
    kind = draw(st.sampled_from([kind.value for kind in ExampleKind]))
    window = (draw(_pixels), draw(_pixels), draw(_sides), draw(_sides)) if kind == "box" else None
    return ExampleGiven(kind, draw(st.uuids()), window, draw(_weights))


@given(st.lists(_examples(), max_size=MAX_EXAMPLES, unique_by=lambda each: each.thing))
def test_what_is_written_in_an_address_is_read_back(examples: list[ExampleGiven]) -> None:
    assert examples_parse(str(each) for each in examples) == tuple(examples)


@given(st.lists(_examples(), max_size=MAX_EXAMPLES, unique_by=lambda each: each.thing))
def test_what_is_kept_with_a_query_is_read_back(examples: list[ExampleGiven]) -> None:
    kept = [each.as_json() for each in examples]
    assert [example_of(each) for each in kept] == examples
    assert examples_parse(kept) == tuple(examples)


@example(f"box:{SCENE}:0 0,1,2,3")
@example(f"box:{SCENE}:{'9' * 5000},0,2,3")
@given(st.text(max_size=80) | st.from_regex(r"(scene|box|image):[0-9a-f-]{36}(:[-0-9, ]{0,20})?(\*.{0,8})?"))
def test_any_text_is_read_or_refused_with_its_field(text: str) -> None:
    found: tuple[ExampleGiven, ...] = ()
    refused = None
    try:
        found = examples_parse([text])
    except InvalidInput as error:
        refused = error
    assert refused is None or (refused.field == "examples" and "1" in refused.message)
    assert all(MIN_WEIGHT <= abs(each.weight) <= MAX_WEIGHT for each in found)
    assert examples_parse(map(str, found)) == found


def test_the_forms_of_an_address() -> None:
    written = [
        f"scene:{SCENE}",
        f"scene:{uuid.UUID(int=1)}*-0.5",
        f"box:{SCENE}:0,10,20,30*2",
        f"image:{SCENE}",
        f"sketch:{SCENE}*3",
        f"concept:{SCENE}*-5",
    ]
    found = examples_parse(written)
    assert [(each.kind, each.weight) for each in found] == [
        ("scene", 1), ("scene", -0.5), ("box", 2), ("image", 1), ("sketch", 3), ("concept", -5),
    ]  # fmt: skip
    assert found[2].window == (0, 10, 20, 30)
    assert [str(each) for each in found] == written


def test_the_same_thing_twice_counts_once_with_the_last_weight() -> None:
    found = examples_parse([f"scene:{SCENE}", f"image:{SCENE}", f"scene:{SCENE}*2"])
    assert [str(each) for each in found] == [f"scene:{SCENE}*2", f"image:{SCENE}"]


def test_weight_zero_leaves_an_example_out() -> None:
    assert examples_parse([f"scene:{SCENE}*0"]) == ()


@pytest.mark.parametrize(
    "value",
    [
        "", "scene", "scene:", "scene:7", f"scene:{SCENE}:1,2,3,4", f"box:{SCENE}", f"box:{SCENE}:1,2,3",
        f"box:{SCENE}:1,2,3,0", f"box:{SCENE}:1,2,,4", f"box:{SCENE}:1,2,3,99999999999", f"tile:{SCENE}",
        f"scene:{SCENE}*6", f"scene:{SCENE}*0.01", f"scene:{SCENE}*nan", f"scene:{SCENE}*inf", f"scene:{SCENE}*two",
        f"scene:{SCENE}*1*2",
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        examples_parse([f"scene:{uuid.UUID(int=2)}", value])
    assert caught.value.field == "examples"
    assert "2" in caught.value.message


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "box", "id": str(SCENE), "window": [1, 2, 3.5, 4]},
        {"kind": "box", "id": str(SCENE), "window": [1, 2, True, 4]},
        {"kind": "box", "id": str(SCENE), "window": [-1, 2, 3, 4]},
        {"kind": "scene", "id": str(SCENE), "weight": math.nan},
        {"kind": "scene", "id": str(SCENE), "weight": True},
        {"kind": "scene", "id": str(SCENE), "weight": None},
        {"kind": "scene"},
        {},
    ],
)
def test_what_a_program_tells_wrong_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as caught:
        examples_parse([told])
    assert caught.value.field == "examples"


def test_more_than_the_most_are_refused() -> None:
    with pytest.raises(InvalidInput, match="13 examples; 12 is the most"):
        examples_parse(f"scene:{uuid.UUID(int=number)}" for number in range(13))
