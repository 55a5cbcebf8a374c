from __future__ import annotations

import math
import pickle
from collections import deque

import numpy as np
import pytest

import ctckit.kernels.likelihood
import ctckit.kernels.timesteps
from ctckit import Alphabet, DecodedBatch, InvalidValueError, MatrixBatch, SearchResult, rescore

pytestmark = pytest.mark.nojit

TEXTS = [[[1, 2], [1], []], [[]], [[2], [1, 2]]]
SCORES = [[-1.0, -2.0, -2.0], [0.0], [-0.5, -np.inf]]
OPINIONS = {"ab": -4.0, "a": -0.5, "": -0.5, "b": -0.25}


@pytest.fixture
def small():
    """Three matrices over "ab" and the blank, T = 3, 0, 2."""
    rng = np.random.default_rng(5)
    logits = [rng.normal(size=(frames, 3)) for frames in (3, 0, 2)]
    return MatrixBatch.from_logits(logits, Alphabet(["", "a", "b"], 0), ids=["x", "y", "z"])


@pytest.fixture
def decoded(small):
    """Its texts are ab, a and nothing; nothing; b and ab."""
    return DecodedBatch(small, SearchResult.from_lists(TEXTS, SCORES))


def opinion(texts):
    return [OPINIONS[text] for text in texts]


def by_hand(decoded, score, weight):
    """What rescore does, plainly: the texts, scores, log-probabilities and timesteps."""
    lines = []
    for line in decoded:
        values = [one.score + weight * score(one.text) for one in line]
        order = sorted(range(len(line)), key=lambda i: -values[i])
        lines.append(
            [(line[i].text, values[i], line[i].log_prob, line[i].timesteps) for i in order]
        )
    return lines


def columns_of(decoded):
    return [
        [(one.text, one.score, one.log_prob, one.timesteps) for one in line] for line in decoded
    ]


@pytest.mark.parametrize("materialized", [False, True])
@pytest.mark.parametrize("weight", [0, 0.5, 1, np.float32(3)])
def test_hypotheses_are_ranked_by_the_weighted_sum(decoded, materialized, weight):
    expected = by_hand(decoded, OPINIONS.get, float(weight))
    if materialized:
        decoded.materialize()
    rescored = rescore(decoded, opinion, weight=weight)
    assert columns_of(rescored) == expected
    assert list(rescored.ids) == ["x", "y", "z"]
    assert rescored.texts() == [line[0][0] for line in expected]
    assert rescored.all_texts() == [one[0] for line in expected for one in line]


def test_ties_keep_their_order(decoded):
    rescored = rescore(decoded, opinion)
    assert [one.text for one in rescored[0]] == ["a", "", "ab"]
    assert [one.score for one in rescored[0]] == [-2.5, -2.5, -5.0]
    reverse = {"ab": -1.0, "a": 0.0, "": 0.0}
    assert [
        one.text for one in rescore(decoded, lambda texts: [reverse.get(t, 0) for t in texts])[0]
    ] == ["ab", "a", ""]


@pytest.mark.parametrize("seed", range(5))
def test_many_hypotheses(seed):
    rng = np.random.default_rng(seed)
    alphabet = Alphabet(["a", "b", "c", "ab", ""], 4)
    lengths = rng.integers(0, 8, 12)
    batch = MatrixBatch.from_logits([rng.normal(size=(n, 5)) for n in lengths], alphabet)
    texts = [
        [list(one) for one in {tuple(rng.integers(0, 4, rng.integers(0, 4))) for _ in range(6)}]
        for _ in lengths
    ]
    scores = [sorted(-rng.integers(0, 4, len(line)) * 0.5, reverse=True) for line in texts]
    decoded = DecodedBatch(batch, SearchResult.from_lists(texts, scores))
    table = {text: -float(rng.integers(0, 4)) for text in sorted(set(decoded.all_texts()))}
    rescored = rescore(decoded, lambda some: np.array([table[text] for text in some]), weight=0.25)
    assert columns_of(rescored) == by_hand(decoded, table.get, 0.25)


def test_what_was_decoded_stays_as_it_is(decoded):
    before = columns_of(decoded)
    rescore(decoded, opinion, weight=10)
    assert columns_of(decoded) == before
    assert decoded.parts is None


def test_what_has_been_computed_is_not_computed_again(decoded, monkeypatch):
    expected = by_hand(decoded, OPINIONS.get, 1.0)
    for module, name in (("likelihood", "text_log_probs"), ("timesteps", "text_timesteps")):
        monkeypatch.setattr(getattr(ctckit.kernels, module), name, None)
    assert columns_of(rescore(decoded, opinion)) == expected


def test_nothing_is_computed_that_nobody_asks_for(decoded):
    rescored = rescore(decoded, opinion)
    assert (rescored._log_probs, rescored._timesteps) == (None, None)
    assert rescored._batch is decoded._batch


def test_without_scores_the_log_prob_stands_in(small):
    decoded = DecodedBatch(small, SearchResult.from_lists([[[1, 2]], [[]], [[2]]]))
    rescored = rescore(decoded, opinion)
    assert [line[0].score for line in rescored] == [
        line[0].log_prob + OPINIONS[line[0].text] for line in decoded
    ]


def test_parts_of_the_score(small, decoded):
    rescored = rescore(decoded, opinion, weight=0.5)
    assert rescored[0][0].parts == {"search": -2.0, "rescoring": -0.25}
    assert rescored[0][2].parts == {"search": -1.0, "rescoring": -2.0}
    parts = {"matrix": decoded.scores - 1, "lm": np.ones(6)}
    said = DecodedBatch(small, SearchResult.from_lists(TEXTS, SCORES))
    said.parts = parts
    once = rescore(said, opinion, weight=0.5)
    assert once[0][0].parts == {"matrix": -3.0, "lm": 1.0, "rescoring": -0.25}
    twice = rescore(once, opinion, weight=1.5)
    assert twice[0][0].parts == {"matrix": -3.0, "lm": 1.0, "rescoring": -1.0}
    for batch in (rescored, once, twice):
        assert np.array_equal(sum(batch.parts.values()), batch.scores)


def test_minus_infinity_is_allowed(decoded):
    rescored = rescore(decoded, lambda texts: [-math.inf if text == "ab" else -1 for text in texts])
    assert [one.text for one in rescored[0]] == ["a", "", "ab"]
    assert rescored[0][2].score == -math.inf
    assert rescored[2][1].score == -math.inf
    same = rescore(decoded, lambda texts: [-math.inf] * len(texts), weight=0)
    assert columns_of(same) == columns_of(decoded)


def test_each_text_is_scored_once_and_all_in_one_call(decoded):
    calls = []

    def note(texts):
        calls.append(texts)
        return opinion(texts)

    rescore(decoded, note)
    assert calls == [["ab", "a", "", "b"]]
    assert type(calls[0]) is list
    assert all(type(text) is str for text in calls[0])


@pytest.mark.parametrize(
    ("size", "expected"), [(3, [["ab", "a", ""], ["b"]]), (np.int64(4), [["ab", "a", "", "b"]])]
)
def test_batch_size_bounds_the_calls(decoded, size, expected):
    calls = []

    def note(texts):
        calls.append(list(texts))
        found = opinion(texts)
        texts.clear()  # its own list
        return found

    rescored = rescore(decoded, note, batch_size=size)
    assert calls == expected
    assert columns_of(rescored) == columns_of(rescore(decoded, opinion))


@pytest.mark.parametrize(
    "kind", [tuple, deque, np.array, lambda numbers: np.array(numbers, dtype=np.float32)]
)
def test_any_sequence_or_array_of_numbers(decoded, kind):
    rescored = rescore(decoded, lambda texts: kind(opinion(texts)))
    assert columns_of(rescored) == columns_of(rescore(decoded, opinion))


def test_integers_are_numbers(decoded):
    rescored = rescore(decoded, lambda texts: [-len(text) for text in texts])
    assert [one.score for one in rescored[0]] == [-2.0, -3.0, -3.0]


def test_no_matrices_make_no_call():
    decoded = DecodedBatch(
        MatrixBatch.from_log_probs([], Alphabet("a-", 1)), SearchResult.from_lists([], [])
    )
    assert len(rescore(decoded, lambda texts: pytest.fail("called"))) == 0


@pytest.mark.parametrize("materialized", [False, True])
def test_pickling(decoded, materialized):
    if materialized:
        decoded.materialize()
    rescored = rescore(decoded, opinion)
    restored = pickle.loads(pickle.dumps(rescored))
    assert columns_of(restored) == columns_of(rescored)
    assert restored[0][0].parts == rescored[0][0].parts
    one = pickle.loads(pickle.dumps(rescored[2][1]))
    assert (one, one.parts) == (rescored[2][1], rescored[2][1].parts)


NAME = r"score_texts tests?[\w.]*test_rescoring:\S+"


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (
            [-1.0] * 3,
            r"must return one number a text, got shape \(3,\) for 4 texts, from 'ab' to 'b';",
        ),
        (
            [],
            r"must return one number a text, got shape \(0,\) for 4 texts, from 'ab' to 'b';",
        ),
        (None, "must return one number a text, got NoneType for 4 texts, from 'ab' to 'b'; return"),
        (-1.0, "must return one number a text, got float for 4 texts"),
        ({1.0, 2.0, 3.0, 4.0}, "must return one number a text, got set for 4 texts"),
        (np.zeros((4, 1)), r"got shape \(4, 1\) for 4 texts"),
        ([1.0, 2.0, [3.0], 4.0], "got list, of which NumPy makes no array"),
        ([1.0, 2.0, 3.0, math.nan], "finite numbers or -inf, got nan for the text 'b'; check the"),
        ([1.0, math.inf, 3.0, 4.0], "finite numbers or -inf, got inf for the text 'a'; check the"),
        ([1.0, "2.0", 3.0, 4.0], "one number a text, got '2.0' for the text 'a'; return a float"),
        ([1.0, 2.0, None, 4.0], "one number a text, got None for the text ''; return a float"),
        ([True] * 4, "one number a text, got True for the text 'ab'; return a float"),
        ([1.0, 2.0, 3.0, 4j], "one number a text, got 4j for the text 'b'; return a float"),
        ([1, 2, 3, 10**400], "one number a text, got 1 for the text 'ab'; return a float"),
    ],
)
def test_what_the_function_must_return(decoded, returned, message):
    with pytest.raises(InvalidValueError, match=f"{NAME}.* {message}"):
        rescore(decoded, lambda texts: returned)


def test_long_texts_are_shown_in_part():
    batch = MatrixBatch.from_logits(np.zeros((1, 100, 2)), Alphabet("a-", 1))
    decoded = DecodedBatch(batch, SearchResult.from_best([[0] * 100], [0.0]))
    with pytest.raises(InvalidValueError, match=r"for the text 'a{57}\.\.\.'; check"):
        rescore(decoded, lambda texts: [math.nan])


def test_an_exception_passes_through_with_a_note(decoded):
    class Model:
        def __call__(self, texts):
            if "b" in texts:
                raise RuntimeError("out of memory")
            return opinion(texts)

    with pytest.raises(RuntimeError, match="out of memory") as caught:
        rescore(decoded, Model(), batch_size=3)
    (note,) = caught.value.__notes__
    assert note.startswith("while ")
    assert note.endswith("Model scored 1 of 4 texts, from 'b' to 'b'")


@pytest.mark.parametrize("weight", [-0.5, math.nan, math.inf, "1", None, True])
def test_weight(decoded, weight):
    with pytest.raises(
        InvalidValueError, match="weight must be a finite number of at least 0, got"
    ):
        rescore(decoded, opinion, weight=weight)


def test_a_weight_that_overflows(decoded):
    with pytest.raises(InvalidValueError, match="weight must keep the scores finite, got 1e\\+308"):
        rescore(decoded, lambda texts: [1e300] * len(texts), weight=1e308)


@pytest.mark.parametrize("size", [0, -1, 1.5, "2", True])
def test_batch_size(decoded, size):
    with pytest.raises(
        InvalidValueError, match="batch_size must be an integer of at least 1 or None, got"
    ):
        rescore(decoded, opinion, batch_size=size)


def test_wrong_arguments(decoded):
    with pytest.raises(
        InvalidValueError, match=r"decoded must be a ctckit\.DecodedBatch, got list"
    ):
        rescore([], opinion)
    with pytest.raises(
        InvalidValueError, match="score_texts must be a function of a list of texts"
    ):
        rescore(decoded, [1.0])
