"""`ctckit.compat.keras` beside Keras on TensorFlow."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from ctckit import InvalidValueError
from ctckit.compat import keras as ours
from ctckit.testing.oracles import text_probs

LENGTHS = [4, 3, 2]
needs_keras = pytest.mark.xdist_group("keras")


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras does not run on TensorFlow")
    return keras


@pytest.fixture(scope="module")
def older(keras):
    """``keras.backend.ctc_decode`` of Keras 2, which Keras 3 keeps for TensorFlow's sake."""
    import tensorflow

    return tensorflow.keras.backend.ctc_decode


@pytest.fixture
def logits():
    """Logits (N, T, C) = (3, 4, 5)."""
    return np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32) * 2


def softmax(logits):
    probs = np.exp(logits)
    return probs / probs.sum(axis=-1, keepdims=True)


def assert_close(values, theirs):
    assert values.shape == theirs.shape
    assert values.dtype == theirs.dtype
    np.testing.assert_allclose(values, theirs, rtol=1e-4, atol=1e-5)


@needs_keras
def test_signatures_are_those_of_keras(keras, older):
    pairs = ((ours.ctc_decode, keras.ops.ctc_decode), (ours.backend_ctc_decode, older))
    for our, their in pairs:
        found = [(one.name, one.default) for one in inspect.signature(our).parameters.values()]
        expected = inspect.signature(their).parameters.values()
        assert found == [(one.name, one.default) for one in expected]


@needs_keras
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"merge_repeated": False},
        {"mask_index": 4},
        {"mask_index": -2},
        {"strategy": "beam_search", "beam_width": 500},
        {"strategy": "beam_search", "beam_width": 500, "top_paths": 3, "mask_index": 2},
        {"strategy": "beam_search", "beam_width": 500, "mask_index": None},
    ],
    ids=str,
)
def test_ops_agree(keras, logits, options):
    decoded, scores = ours.ctc_decode(logits, LENGTHS, **options)
    theirs, their_scores = keras.ops.ctc_decode(logits, LENGTHS, **options)
    assert_close(decoded, theirs.numpy())
    assert_close(scores, their_scores.numpy())


@needs_keras
@pytest.mark.parametrize("lengths", [np.array(LENGTHS), np.ones(3) * 4])
def test_the_older_one_agrees(older, logits, lengths):
    probs = softmax(logits)
    decoded, scores = ours.backend_ctc_decode(probs, lengths)
    theirs, their_scores = older(probs, lengths)
    assert len(decoded) == len(theirs) == 1
    assert_close(decoded[0], theirs[0].numpy())
    assert_close(scores, their_scores.numpy())


@needs_keras
def test_the_older_beam_search_keeps_doubled_letters(older):
    # Certain: a, blank, a, b; and the other way round, without doubles.
    probs = np.full((2, 4, 3), 0.01)
    for frame, (one, other) in enumerate(zip([0, 2, 0, 1], [1, 0, 2, 1], strict=True)):
        probs[0, frame, one] = probs[1, frame, other] = 0.98
    options = {"greedy": False, "beam_width": 100, "top_paths": 2}
    decoded, log_prob = ours.backend_ctc_decode(probs, [4, 4], **options)
    theirs, their_log_prob = older(probs, [4, 4], **options)
    assert decoded[0].tolist() == [[0, 0, 1, -1], [1, 0, 1, -1]]
    assert theirs[0].numpy().tolist() == [[0, 1, -1, -1], [1, 0, 1, -1]]
    np.testing.assert_allclose(log_prob[:, 0], their_log_prob.numpy()[:, 0], rtol=1e-3)
    log_probs = np.log(probs[0])
    expected = text_probs(log_probs, blank=2)[0, 0, 1]
    assert np.exp(log_prob[0, 0]) == pytest.approx(expected, rel=1e-5)


def test_a_path_that_a_line_does_not_have():
    decoded, scores = ours.ctc_decode(np.zeros((2, 1, 2)), [1, 0], "beam_search", top_paths=2)
    assert decoded.shape == (2, 2, 1)
    assert decoded[:, 1].tolist() == [[-1], [-1]]
    assert scores[1].tolist() == [0.0, -np.inf]


def test_probabilities_of_zero_are_taken_as_they_are():
    probs = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    for greedy in (True, False):
        decoded, scores = ours.backend_ctc_decode(probs, [2], greedy=greedy)
        assert decoded[0].tolist() == [[0, -1]]
        assert scores.tolist() == [[0.0]]


def test_nothing_gives_nothing():
    for shape in ((0, 4, 3), (2, 0, 3)):
        lengths = np.zeros(shape[0], dtype=int)
        for strategy in ours.STRATEGIES:
            decoded, scores = ours.ctc_decode(np.zeros(shape), lengths, strategy)
            assert (decoded.shape, scores.shape) == ((1, *shape[:2]), (shape[0], 1))
        for greedy in (True, False):
            decoded, scores = ours.backend_ctc_decode(np.zeros(shape), lengths, greedy)
            assert (decoded[0].shape, scores.shape) == (shape[:2], (shape[0], 1))


@pytest.mark.parametrize(
    ("lengths", "options", "message"),
    [
        (
            [4, 3, 2],
            {"strategy": "beam"},
            "strategy must be one of greedy, beam_search, got 'beam'",
        ),
        ([4, 3, 5], {}, "sequence_lengths must be 0 to 4, got 5 for line 2; give"),
        ([4, 3], {}, r"sequence_lengths must be 3 integers, one a line, got int64 of shape \(2,\)"),
        ([4, 3, 1.5], {}, "sequence_lengths must be whole numbers, got 1.5; give the valid frames"),
        ([4, 3, np.inf], {}, "sequence_lengths must be whole numbers, got inf; give the valid"),
        ([4, 3, 2], {"mask_index": 5}, "mask_index must be an integer from -5 to 4, got 5; it is"),
        (
            [4, 3, 2],
            {"mask_index": 5, "strategy": "beam_search"},
            "mask_index must be an integer from -5 to 4, got 5; it is",
        ),
    ],
)
def test_errors_of_ops(logits, lengths, options, message):
    with pytest.raises(InvalidValueError, match=message):
        ours.ctc_decode(logits, lengths, **options)


def test_errors_of_arrays(logits):
    with pytest.raises(InvalidValueError, match=r"inputs must have shape \(batch, max_length, num"):
        ours.ctc_decode(logits[0], [4])
    with pytest.raises(InvalidValueError, match=r"y_pred must have shape \(samples, time_steps"):
        ours.backend_ctc_decode(logits[0], [4])
    with pytest.raises(InvalidValueError, match=r"y_pred must be 0 to 1, got .*pass their softmax"):
        ours.backend_ctc_decode(logits, LENGTHS)
    with pytest.raises(InvalidValueError, match="input_length must be 0 to 4, got 5 for line 0"):
        ours.backend_ctc_decode(softmax(logits), [5, 4, 4])
