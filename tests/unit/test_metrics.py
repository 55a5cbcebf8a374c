"""Error rates as pooled counts."""

import math

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctckit.metrics import ErrorCounts, count_errors

LINES = st.lists(
    st.tuples(st.text("ab é\u0301", max_size=9), st.text("ab é\u0301", max_size=9)), max_size=5
)


def test_counts_are_pooled_and_not_averaged():
    counts = count_errors(["abcd efgh", "x"], ["abcd efgx", "y"])
    assert counts == ErrorCounts(
        edits=2, characters=10, word_edits=2, words=3, exact_lines=0, lines=2
    )
    assert counts.cer == 0.2  # the mean of the lines' rates is 0.56
    assert counts.wer == 2 / 3


def test_insertions_deletions_and_replacements_cost_one_each():
    assert count_errors(["abc"], ["abxc"]).edits == 1
    assert count_errors(["abc"], ["ac"]).edits == 1
    assert count_errors(["abc"], ["axc"]).edits == 1


def test_both_sides_are_normalised():
    counts = count_errors(["caf\u00e9"], ["cafe\u0301"])
    assert (counts.edits, counts.characters, counts.exact_lines) == (0, 4, 1)


def test_words_are_what_whitespace_separates():
    counts = count_errors([" to  be ,"], ["to be ,"])
    assert (counts.word_edits, counts.words) == (0, 3)
    assert (counts.edits, counts.exact_lines) == (2, 0)


def test_empty_reference_counts_insertions_as_edits():
    counts = count_errors(["", "ab"], ["x y", "ab"])
    assert counts == ErrorCounts(
        edits=3, characters=2, word_edits=2, words=1, exact_lines=1, lines=2
    )
    assert counts.cer == 1.5


def test_rates_without_characters():
    assert count_errors([""], [""]).cer == 0.0
    assert count_errors([""], [""]).wer == 0.0
    assert count_errors([""], ["a"]).cer == math.inf
    assert count_errors([""], ["a"]).wer == math.inf
    assert count_errors([" "], ["a"]).cer == 1.0
    assert ErrorCounts().exact == 1.0


def test_lists_that_differ_in_length_are_refused():
    with pytest.raises(ValueError, match=r"zip\(\) argument 2 is shorter"):
        count_errors(["a", "b"], ["a"])


@given(LINES, LINES)
def test_counts_add_up(first, second):
    def count(lines):
        return count_errors([line[0] for line in lines], [line[1] for line in lines])

    assert count(first) + count(second) == count(first + second)


def test_rates_equal_jiwers():
    references = ["the fake friend", "of the family", "like the"]
    texts = ["the fak friend", "of the fomly", "tike the end"]
    counts = count_errors(references, texts)
    assert counts.cer == pytest.approx(jiwer.cer(references, texts), abs=1e-12)
    assert counts.wer == pytest.approx(jiwer.wer(references, texts), abs=1e-12)
