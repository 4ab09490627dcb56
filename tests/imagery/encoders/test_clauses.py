"""Long texts are cut where they pause; nothing is lost, and every piece fits."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagery.encoders.clauses import combined, split

LIMIT = 8


def words(text: str) -> int:
    """As an encoder counts: two marks, one token a word, and one for each character beyond ASCII."""
    return 2 + len(text.split()) + sum(ord(char) > 127 for char in text)


def joined(text: str) -> str:
    return re.sub(r"\s+", "", text)


texts = st.text(alphabet=st.sampled_from("ab c.,;!?0 \n港口有船，。；、：!"), max_size=200)


@given(text=texts, limit=st.integers(min_value=4, max_value=40))
def test_pieces_fit_keep_their_order_and_lose_nothing(text: str, limit: int) -> None:
    pieces = split(text, limit=limit, count=words)
    assert joined("".join(pieces)) == joined(text)
    assert all(words(piece) <= limit for piece in pieces)
    assert all(piece == piece.strip() and piece for piece in pieces)
    assert pieces == split(text, limit=limit, count=words)


@given(text=texts)
def test_a_text_that_fits_stays_whole(text: str) -> None:
    pieces = split(text, limit=10_000, count=words)
    assert pieces == ([text.strip()] if text.strip() else [])


@given(st.lists(st.sampled_from(["a", "bc", "港口"]), min_size=1, max_size=40), st.integers(min_value=4, max_value=20))
def test_neighbouring_pieces_would_not_have_fitted_together(parts: list[str], limit: int) -> None:
    """Otherwise context would be thrown away."""
    pieces = split(" ".join(parts), limit=limit, count=words)
    for one, next_one in itertools.pairwise(pieces):
        assert words(f"{one} {next_one}") > limit


def test_sentences_before_clauses_before_words() -> None:
    assert split("One two three four. Five six seven.", limit=LIMIT, count=words) == [
        "One two three four.",
        "Five six seven.",
    ]
    assert split("one two three four, five six seven", limit=LIMIT, count=words) == [
        "one two three four,",
        "five six seven",
    ]
    assert split("a b c d e f g h", limit=LIMIT, count=words) == ["a b c d e f", "g h"]
    assert split("a b. c d. e f g h i. j", limit=LIMIT, count=words) == ["a b. c d.", "e f g h i. j"]


def test_chinese_is_cut_at_its_own_marks_and_within_a_run_of_characters() -> None:
    assert split("港口有船。河上有桥。", limit=LIMIT, count=words) == ["港口有船。", "河上有桥。"]
    assert split("港口有船，河上有桥", limit=LIMIT, count=words) == ["港口有船，", "河上有桥"]
    assert split("港口附近有许多白色的船", limit=LIMIT, count=words) == ["港口附近有", "许多白色的", "船"]


@pytest.mark.parametrize("whole", ["0.6 m", "1,200 m", "10:30 h"])
def test_numbers_are_not_torn_apart(whole: str) -> None:
    pieces = split(f"a b c d {whole} e f g h", limit=6, count=words)
    assert whole.split()[0] in " ".join(pieces).split()


def test_one_character_is_a_piece_whatever_it_counts() -> None:
    assert split("港口", limit=1, count=words) == ["港", "口"]
    with pytest.raises(ValueError, match="limit"):
        split("a", limit=0, count=words)


@given(st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=6))
def test_the_combined_vector_is_unit_and_nearest_to_its_longest_piece(lengths: list[int]) -> None:
    rows = np.eye(8, dtype=np.float32)[: len(lengths)]
    vector = combined(rows, lengths)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(rows @ vector, np.asarray(lengths) / np.linalg.norm(lengths), atol=1e-6)
    assert vector.dtype == np.float32
