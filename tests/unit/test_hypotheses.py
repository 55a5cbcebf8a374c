from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ctckit.kernels.likelihood
import ctckit.kernels.timesteps
from ctckit import (
    Alphabet,
    CtckitError,
    DecodedBatch,
    Decoder,
    Hypothesis,
    MatrixBatch,
    SearchResult,
    load_decoder,
)
from ctckit.testing.oracles import alignments, text_probs

pytestmark = pytest.mark.nojit


def decoded_of(batch, hypotheses, scores=None):
    return DecodedBatch(batch, SearchResult.from_lists(hypotheses, scores))


@pytest.fixture
def small():
    """Three matrices over "ab" and the blank, T = 3, 0, 2."""
    alphabet = Alphabet(["", "a", "b"], 0)
    rng = np.random.default_rng(5)
    return MatrixBatch.from_logits(
        [rng.normal(size=(frames, 3)) for frames in (3, 0, 2)], alphabet, ids=["x", "y", "z"]
    )


TEXTS = [[[1, 2], [1], []], [[]], [[2], [1, 2]]]
SCORES = [[-1.0, -2.0, -2.0], [0.0], [-0.5, -np.inf]]


@pytest.fixture
def decoded(small):
    return decoded_of(small, TEXTS, SCORES)


def test_texts(decoded):
    assert decoded.texts() == ["ab", "", "b"]
    assert decoded.all_texts() == ["ab", "a", "", "", "b", "ab"]
    assert len(decoded) == 3
    assert [[one.text for one in line] for line in decoded] == [["ab", "a", ""], [""], ["b", "ab"]]


def test_texts_of_one_hypothesis_a_matrix(small):
    assert decoded_of(small, [[[1, 2]], [[]], [[2]]]).texts() == ["ab", "", "b"]


def test_columns(decoded):
    assert decoded.token_ids.tolist() == [1, 2, 1, 2, 1, 2]
    assert decoded.token_offsets.tolist() == [0, 2, 3, 3, 3, 4, 6]
    assert decoded.hypothesis_offsets.tolist() == [0, 3, 4, 6]
    assert decoded.scores.tolist() == [one for line in SCORES for one in line]
    assert list(decoded.ids) == ["x", "y", "z"]


def test_hypotheses_hold_plain_python_values(decoded):
    best = decoded[0][0]
    assert isinstance(best, Hypothesis)
    assert (best.text, best.token_ids, best.score) == ("ab", (1, 2), -1.0)
    assert all(type(one) is int for one in (*best.token_ids, *best.timesteps))
    assert type(best.score) is float
    assert type(best.log_prob) is float
    assert type(best.text) is str


def test_log_prob_and_timesteps_are_exact(decoded, small):
    for line, matrix in zip(decoded, small, strict=True):
        probs = text_probs(matrix, 0)
        for one in line:
            assert np.exp(one.log_prob) == pytest.approx(probs.get(one.token_ids, 0.0), rel=1e-9)
            found = alignments(matrix, one.token_ids, 0)
            assert found[one.timesteps] == max(found.values())


def test_a_text_that_no_alignment_spells():
    alphabet = Alphabet(["a", "b", ""], 2)
    batch = MatrixBatch.from_probs([np.array([[1.0, 0.0, 0.0]])], alphabet)
    line = decoded_of(batch, [[[0], [1], [0, 0], []]], [[-1.0, -2.0, -3.0, -4.0]])[0]
    assert [one.log_prob for one in line] == [0.0, -np.inf, -np.inf, -np.inf]
    assert [one.timesteps for one in line] == [(0,), None, None, None]


def test_the_empty_text_has_no_timesteps(small):
    empty = decoded_of(small, [[[]], [[]], [[]]])
    assert [line[0].timesteps for line in empty] == [(), (), ()]
    assert empty[1][0].log_prob == 0.0


def test_without_scores_the_log_prob_stands_in(small):
    decoded = decoded_of(small, [[[1, 2]], [[]], [[2]]])
    assert [line[0].score for line in decoded] == [line[0].log_prob for line in decoded]


def test_indexing(decoded):
    assert decoded[-1][0].text == "b"
    assert [line[0].text for line in decoded[1:]] == ["", "b"]
    assert decoded[np.int64(2)][1].text == "ab"
    with pytest.raises(IndexError, match="line must be 0 to 2, got 3"):
        decoded[3]
    with pytest.raises(IndexError, match="line must be 0 to 2, got -4"):
        decoded[-4]


def test_no_matrices():
    batch = MatrixBatch.from_log_probs([], Alphabet("a-", 1))
    decoded = decoded_of(batch, [])
    assert len(decoded) == 0
    assert decoded.texts() == []
    assert decoded.log_probs.shape == decoded.timesteps.shape == (0,)
    assert list(decoded) == []


def test_log_probs_and_timesteps_are_computed_when_asked_for_and_once(decoded, monkeypatch):
    calls = []
    homes = (ctckit.kernels.likelihood, ctckit.kernels.timesteps)
    for home, name in zip(homes, ("text_log_probs", "text_timesteps"), strict=True):
        kernel = getattr(home, name)

        def counted(*arguments, name=name, kernel=kernel):
            calls.append(name)
            kernel(*arguments)

        monkeypatch.setattr(home, name, counted)
    decoded.texts(), decoded[0][0].score, decoded[0][0].token_ids, repr(decoded)
    assert calls == []
    decoded[0][0].log_prob, decoded[2][1].log_prob
    assert calls == ["text_log_probs"]
    decoded[0][0].timesteps, decoded[2][1].timesteps
    assert calls == ["text_log_probs", "text_timesteps"]
    decoded.materialize()
    assert calls == ["text_log_probs", "text_timesteps"]


def test_materialize_lets_the_matrices_go(decoded, small):
    expected = [[(one.log_prob, one.timesteps) for one in line] for line in decoded]
    fresh = decoded_of(small, TEXTS, SCORES)
    assert fresh._batch is small
    assert fresh.materialize() is fresh
    assert fresh._batch is None
    assert [[(one.log_prob, one.timesteps) for one in line] for line in fresh] == expected
    assert list(fresh.ids) == ["x", "y", "z"]
    assert fresh.materialize() is fresh


def test_pickle_of_a_batch_leaves_the_matrices_out(small):
    decoded = decoded_of(small, TEXTS, SCORES)
    again = pickle.loads(pickle.dumps(decoded))
    assert again._batch is None
    assert list(again) == list(decoded)
    assert list(again.ids) == ["x", "y", "z"]
    assert again.texts() == decoded.texts()


def test_pickle_of_a_hypothesis_takes_only_itself(alphabet):
    batch = MatrixBatch.from_logits(np.zeros((40, 30, 4)), alphabet)
    decoded = decoded_of(batch, [[[0, 1], [2]]] * 40, [[-1.0, -2.0]] * 40)
    one = decoded[7][1]
    stored = pickle.dumps(one)
    again = pickle.loads(stored)
    assert again == one
    assert (again.text, again.token_ids, again.score) == (" ", (2,), -2.0)
    assert again.log_prob == one.log_prob
    assert again.timesteps == one.timesteps
    assert list(again._source.ids) == ["7"]
    assert len(stored) < 3000


def test_a_hypothesis_does_not_change(decoded):
    one = decoded[0][0]
    with pytest.raises(AttributeError, match="a Hypothesis does not change, got a new text"):
        one.text = "x"
    with pytest.raises(AttributeError, match="a Hypothesis does not change, score stays"):
        del one.score
    with pytest.raises(AttributeError):
        one.log_prob = 0.0
    assert one.text == "ab"


def test_hypotheses_compare_by_value(decoded, small):
    again = decoded_of(small, TEXTS, SCORES)
    assert decoded[0][0] == again[0][0]
    assert hash(decoded[0][0]) == hash(again[0][0])
    assert decoded[0][0] != decoded[0][1]
    assert decoded[0][0] != "ab"


def test_reprs(decoded):
    assert repr(decoded) == "DecodedBatch(3 lines, 6 hypotheses)"
    assert repr(decoded[1][0]) == "Hypothesis(text='', log_prob=0, score=0)"


def test_a_batch_without_matrices_says_so(decoded):
    decoded._batch = None
    with pytest.raises(CtckitError, match="the matrices must be kept, got none"):
        decoded.log_probs  # noqa: B018


def test_search_result_of_lists():
    result = SearchResult.from_lists([[[1, 2], []], [[3]]], [[-1, -2], [-3]])
    assert result.token_ids.dtype == np.int32
    assert result.token_ids.tolist() == [1, 2, 3]
    assert result.token_offsets.tolist() == [0, 2, 2, 3]
    assert result.hypothesis_offsets.tolist() == [0, 2, 3]
    assert result.scores.tolist() == [-1, -2, -3]
    assert result.scores.dtype == np.float64


def test_search_result_of_best():
    result = SearchResult.from_best([np.array([1, 2]), []], [-1.0, -2.0])
    assert result.hypothesis_offsets.tolist() == [0, 1, 2]
    assert result.scores.tolist() == [-1, -2]
    assert SearchResult.from_best([]).hypothesis_offsets.tolist() == [0]
    assert SearchResult.from_best([[1]]).scores is None


def test_search_results_join():
    parts = [
        SearchResult.from_lists([[[1], [2, 3]]], [[-1.0, -2.0]]),
        SearchResult.from_lists([[[]], [[4]]], [[-3.0], [-4.0]]),
    ]
    joined = SearchResult.concatenate(parts)
    assert joined.token_ids.tolist() == [1, 2, 3, 4]
    assert joined.token_offsets.tolist() == [0, 1, 3, 3, 4]
    assert joined.hypothesis_offsets.tolist() == [0, 2, 3, 4]
    assert joined.scores.tolist() == [-1, -2, -3, -4]
    without = SearchResult.concatenate([SearchResult.from_best([[1]]), parts[1]])
    assert without.scores is None
    assert SearchResult.concatenate(parts[:1]) is parts[0]


def test_threads_fill_the_same_columns(alphabet):
    class Constant(Decoder):
        """Say "ab" to all."""

        def search(self, batch, n_best):
            return SearchResult.from_best([[0, 1]] * len(batch))

    rng = np.random.default_rng(0)
    batch = MatrixBatch.from_logits(
        [rng.normal(size=(n, 4)) for n in (900, 0, 2200, 5, 1500)], alphabet
    )
    one, two = (Constant(alphabet).decode_batch(batch, threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.log_probs, two.log_probs)
    np.testing.assert_array_equal(one.timesteps, two.timesteps)
    assert one.log_probs[1] == -np.inf
    assert one.timesteps[2:4].tolist() == [-1, -1]


def test_columns_are_not_seen_before_they_are_complete(monkeypatch):
    batch = MatrixBatch.from_probs(np.full((2, 3, 3), 1 / 3), Alphabet("ab-", 2))
    decoded = load_decoder("bestpath", batch.alphabet).decode_batch(batch)

    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ctckit.hypotheses.map_in_threads", interrupt)
        for column in ("log_probs", "timesteps"):
            with pytest.raises(KeyboardInterrupt):
                getattr(decoded, column)
    assert (decoded.log_probs < 0).all()
    assert (decoded.timesteps >= 0).all()


def test_many_threads_may_ask_at_once():
    batch = MatrixBatch.from_probs(np.full((50, 30, 3), 1 / 3), Alphabet("ab-", 2))
    for _ in range(10):
        decoded = load_decoder("beamsearch", batch.alphabet).decode_batch(batch, threads=1)
        with ThreadPoolExecutor(4) as pool:
            last = list(pool.map(lambda one: float(one.log_probs[-1]), [decoded] * 4))
        assert len(set(last)) == 1
        assert last[0] < 0
