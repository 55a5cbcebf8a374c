"""What `SearchResult.from_best` and `from_lists` make of what plugins give them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ctckit import InvalidValueError, SearchResult

pytestmark = pytest.mark.nojit


def test_arrays_lists_and_tuples_are_taken():
    made = SearchResult.from_lists(
        [[np.array([1, 2], dtype=np.uint8), []], [(3,)]], [np.array([-1, -2]), [-3]]
    )
    assert made.token_ids.tolist() == [1, 2, 3]
    assert made.token_ids.dtype == np.int32
    assert made.token_offsets.tolist() == [0, 2, 2, 3]
    assert made.hypothesis_offsets.tolist() == [0, 2, 3]
    assert made.scores.tolist() == [-1.0, -2.0, -3.0]


def test_one_a_matrix_may_come_from_a_generator():
    made = SearchResult.from_best((range(n) for n in (2, 0, 1)), np.zeros(3))
    assert made.token_ids.tolist() == [0, 1, 0]
    assert made.hypothesis_offsets.tolist() == [0, 1, 2, 3]


def test_signed_and_unsigned_together():
    made = SearchResult.from_best([np.array([1], np.uint64), np.array([2], np.int64)])
    assert made.token_ids.tolist() == [1, 2]


RULE = "token_ids must be a sequence of integers for each hypothesis, got "


@pytest.mark.parametrize(
    ("token_ids", "message"),
    [
        ([[1], ["a"]], RULE + "['a'] in line 1; leave the blanks out"),
        (["ab"], RULE + "'ab' in line 0; Alphabet.encode makes them of a text"),
        ([[1.0, 2.0]], RULE + "[1.0, 2.0] in line 0; "),
        ([[True]], RULE + "[True] in line 0; "),
        ([1, 2], RULE + "1 in line 0; "),
        ([[1], None], RULE + "None in line 1; "),
        ([[[1], [2]]], RULE + "[[1], [2]] in line 0; "),
        ([[[1], [2, 3]]], RULE + "[[1], [2, 3]] in line 0; "),
        ([[1, None]], RULE + "[1, None] in line 0; "),
        ([[2**70]], RULE + "[1180591620717411303424] in line 0; "),
        ([[2**33]], "token_ids must be classes of the alphabet, got 8589934592; check the search"),
        ([np.array([2**32 + 1])], "token_ids must be classes of the alphabet, got 4294967297; "),
        (None, "token_ids must be nested lists, got None where a list should be; give one entry "),
    ],
)
def test_bad_token_ids(token_ids, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        SearchResult.from_best(token_ids)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([[0.0], [0.0]], "scores must be one a hypothesis, got 1 for 2 in line 1; give as many"),
        ([[0.0, 1.0], [0.0]], "scores must be one a hypothesis, got 2 for 1 in line 0; "),
        ([[0.0]], "scores must be one a hypothesis, got 1 lines of them for 2; "),
        ([0.0, 0.0], "scores must be nested lists, got 0.0 where a list should be; "),
        (5, "scores must be nested lists, got 5 where"),
        ([[0.0], ["a", "b"]], "scores must be numbers, got [[0.0], ['a', 'b']]; give one a hyp"),
        ([[0.0], [[], [1]]], "scores must be numbers, got [[0.0], [[], [1]]]; "),
    ],
)
def test_bad_scores(scores, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        SearchResult.from_lists([[[1]], [[1], [2]]], scores)


def test_lines_without_hypotheses_are_left_to_the_decoders_check():
    with pytest.raises(InvalidValueError, match="token_ids must be nested lists, got 1 where a"):
        SearchResult.from_lists([[[1]], 1])
    assert SearchResult.from_lists([[], []], [[], []]).scores.tolist() == []
