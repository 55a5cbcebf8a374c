"""`ctckit.compat.tensorflow` beside TensorFlow, and beside brute force."""

from __future__ import annotations

import inspect
import subprocess
import sys
import warnings

import numpy as np
import pytest

from ctckit import CtckitWarning, InvalidValueError
from ctckit.compat import tensorflow as ours
from ctckit.decoders.beamsearch import BeamSearch
from ctckit.testing.oracles import prefix_beam_search, text_log_prob, text_probs

DECODERS = [ours.ctc_greedy_decoder, ours.ctc_beam_search_decoder, ours.ctc_beam_search_decoder_v1]
needs_tensorflow = pytest.mark.xdist_group("keras")


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow", reason="TensorFlow is not installed")


@pytest.fixture
def logits():
    """Logits (T, N, C) = (7, 4, 5), of which 7, 0, 3 and 5 frames are valid."""
    return np.random.default_rng(0).normal(size=(7, 4, 5)).astype(np.float32) * 2


LENGTHS = [7, 0, 3, 5]


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def assert_same(ours, theirs, rtol=1e-4):
    decoded, numbers = ours
    expected, expected_numbers = theirs
    assert len(decoded) == len(expected)
    for one, other in zip(decoded, expected, strict=True):
        for name in ("indices", "values", "dense_shape"):
            value, wanted = getattr(one, name), getattr(other, name).numpy()
            assert value.dtype == wanted.dtype == np.int64
            np.testing.assert_array_equal(value, wanted)
            assert value.shape == wanted.shape
    assert numbers.dtype == expected_numbers.numpy().dtype
    np.testing.assert_allclose(numbers, expected_numbers.numpy(), rtol=rtol, atol=1e-5)


@needs_tensorflow
def test_signatures_are_tensorflows(tf):
    theirs = [
        tf.nn.ctc_greedy_decoder,
        tf.nn.ctc_beam_search_decoder,
        tf.compat.v1.nn.ctc_beam_search_decoder,
    ]
    for our, their in zip(DECODERS, theirs, strict=True):
        pairs = [(one.name, one.default) for one in inspect.signature(our).parameters.values()]
        their_pairs = inspect.signature(their).parameters.values()
        assert pairs == [(one.name, one.default) for one in their_pairs]
    assert ours.SparseTensor._fields == tf.compat.v1.SparseTensorValue._fields


@needs_tensorflow
@pytest.mark.parametrize("merge_repeated", [True, False])
@pytest.mark.parametrize("blank_index", [None, 0, -2])
def test_the_greedy_decoder_agrees(tf, logits, merge_repeated, blank_index):
    arguments = logits, LENGTHS, merge_repeated, blank_index
    assert_same(ours.ctc_greedy_decoder(*arguments), tf.nn.ctc_greedy_decoder(*arguments))


@needs_tensorflow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_beam_search_agrees(tf, logits, dtype):
    logits = logits[:4].astype(dtype)
    for options in ({"beam_width": 500, "top_paths": 3}, {"beam_width": 500}):
        lengths = [4, 3, 2, 4] if "top_paths" in options else [4, 0, 2, 4]
        assert_same(
            ours.ctc_beam_search_decoder(logits, lengths, **options),
            tf.nn.ctc_beam_search_decoder(logits, lengths, **options),
        )


@needs_tensorflow
@pytest.mark.parametrize("merge_repeated", [True, False])
def test_the_older_beam_search_agrees(tf, merge_repeated):
    # Certain: a, a after a blank, b, so that merging has something to do.
    logits = np.full((2, 4, 3), -5.0, dtype=np.float32).transpose(1, 0, 2)
    for frame, best in enumerate([0, 2, 0, 1]):
        logits[frame, 0, best] = 5.0
        logits[frame, 1, [0, 2][frame % 2]] = 5.0
    options = {"beam_width": 20, "top_paths": 2, "merge_repeated": merge_repeated}
    found = ours.ctc_beam_search_decoder_v1(logits, [4, 4], **options)
    assert_same(found, tf.compat.v1.nn.ctc_beam_search_decoder(logits, [4, 4], **options))
    best = [[0, 1], [0, -1]] if merge_repeated else [[0, 0, 1], [0, 0, -1]]
    assert found[0][0].to_dense().tolist() == best


@needs_tensorflow
def test_golden_lines_agree(tf, lines):
    logits = lines.log_probs.reshape(60, 100, 80).transpose(1, 0, 2)[:, :20]
    lengths = np.full(20, 100, dtype=np.int32)
    found = ours.ctc_beam_search_decoder(logits, lengths, beam_width=25)
    theirs = tf.nn.ctc_beam_search_decoder(logits, lengths, beam_width=25)
    assert_same(found, theirs, rtol=0.05)
    assert (found[1] >= theirs[1].numpy() - 1e-5).all()
    assert_same(ours.ctc_greedy_decoder(logits, lengths), tf.nn.ctc_greedy_decoder(logits, lengths))


@needs_tensorflow
def test_real_matrices_agree(tf, iam_line, iam_word, bentham):
    for batch in (iam_line, iam_word, bentham):
        logits = batch[0][:, None]
        arguments = {"sequence_length": [len(logits)], "beam_width": 25}
        found = ours.ctc_beam_search_decoder(logits, **arguments)
        assert_same(found, tf.nn.ctc_beam_search_decoder(logits, **arguments), rtol=0.05)
        assert_same(
            ours.ctc_greedy_decoder(logits, [len(logits)]),
            tf.nn.ctc_greedy_decoder(logits, [len(logits)]),
        )


@needs_tensorflow
def test_on_a_flat_matrix_it_is_prefix_search_where_tensorflow_is_not(tf):
    logits = np.random.default_rng(20).normal(size=(30, 1, 5)).astype(np.float32) * 0.5
    log_probs = log_softmax(logits)[:, 0]
    reference = prefix_beam_search(log_probs, 4, beam_width=8)
    assert reference.closest > 1e-5
    text = reference.hypotheses[0][0]
    decoded, log_probability = ours.ctc_beam_search_decoder(logits, [30], beam_width=8)
    assert tuple(decoded[0].values.tolist()) == text
    exact = text_log_prob(log_probs, text, 4)
    assert log_probability[0, 0] == pytest.approx(exact, abs=1e-4)
    _, theirs = tf.nn.ctc_beam_search_decoder(logits, [30], beam_width=8)
    assert theirs.numpy()[0, 0] < exact - 0.1


def test_paths_are_in_the_order_of_their_exact_probabilities(lines):
    logits = lines.log_probs.reshape(60, 100, 80).transpose(1, 0, 2)
    decoded, log_probability = ours.ctc_beam_search_decoder(
        logits, np.full(60, 100), beam_width=5, top_paths=5
    )
    assert (np.diff(log_probability, axis=1) <= 0).all()
    found = BeamSearch(lines.alphabet, beam_width=5).decode_batch(lines, n_best=5)
    for i, hypotheses in enumerate(found):
        expected = {one.token_ids: one.log_prob for one in hypotheses}
        for path, one in enumerate(decoded):
            text = tuple(one.values[one.indices[:, 0] == i].tolist())
            assert log_probability[i, path] == pytest.approx(expected.pop(text), rel=1e-6)


@needs_tensorflow
def test_tensors_are_taken_and_results_become_tensors(tf, logits):
    decoded, log_probability = ours.ctc_beam_search_decoder(
        tf.constant(logits), tf.constant(LENGTHS), top_paths=1
    )
    plain, plain_log_probability = ours.ctc_beam_search_decoder(logits, LENGTHS)
    np.testing.assert_array_equal(decoded[0].values, plain[0].values)
    np.testing.assert_array_equal(log_probability, plain_log_probability)
    dense = tf.sparse.to_dense(tf.SparseTensor(*decoded[0]), default_value=-1).numpy()
    np.testing.assert_array_equal(decoded[0].to_dense(), dense)
    assert (decoded[0].to_dense(7)[1] == 7).all()


@needs_tensorflow
def test_within_a_traced_function_it_says_so(tf, logits):
    @tf.function(autograph=False)
    def traced(inputs):
        return ours.ctc_greedy_decoder(inputs, LENGTHS)

    with pytest.raises(InvalidValueError, match="inputs must be a rectangular array with values"):
        traced(tf.constant(logits))
    wrapped = tf.function(
        lambda one: tf.numpy_function(
            lambda array: ours.ctc_greedy_decoder(array, LENGTHS)[1], [one], tf.float32
        )
    )
    np.testing.assert_allclose(
        wrapped(tf.constant(logits)).numpy(), ours.ctc_greedy_decoder(logits, LENGTHS)[1]
    )


@pytest.mark.parametrize("seed", range(10))
def test_tiny_flat_matrices_are_searched_in_full(seed):
    logits = np.random.default_rng(seed).normal(size=(4, 1, 4)) * 0.3
    probs = text_probs(log_softmax(logits)[:, 0], blank=3)
    ranked = sorted(probs.items(), key=lambda pair: -pair[1])
    paths = len(ranked)
    decoded, log_probability = ours.ctc_beam_search_decoder(
        logits, [4], beam_width=500, top_paths=paths + 2
    )
    np.testing.assert_allclose(
        np.exp(log_probability[0]), [*(prob for _, prob in ranked), 0, 0], rtol=1e-5
    )
    found = [tuple(one.values.tolist()) for one in decoded]
    assert [probs[text] for text in found[:paths]] == pytest.approx(
        [p for _, p in ranked], rel=1e-5
    )
    assert len(set(found[:paths])) == paths


def test_a_batch_is_its_lines_one_by_one(logits):
    for decode, options in zip(DECODERS, [{}, {"top_paths": 2}, {"top_paths": 2}], strict=True):
        decoded, numbers = decode(logits, LENGTHS, **options)
        for i, length in enumerate(LENGTHS):
            alone, alone_numbers = decode(logits[:length, i : i + 1], [length], **options)
            np.testing.assert_allclose(numbers[i], alone_numbers[0], rtol=1e-6)
            for one, other in zip(decoded, alone, strict=True):
                line = one.indices[:, 0] == i
                np.testing.assert_array_equal(one.values[line], other.values)
                np.testing.assert_array_equal(one.indices[line, 1], other.indices[:, 1])


def test_a_path_that_a_line_does_not_have_is_empty_and_impossible(logits):
    decoded, log_probability = ours.ctc_beam_search_decoder(logits, LENGTHS, top_paths=2)
    assert log_probability[1].tolist() == [0.0, -np.inf]
    assert np.isfinite(log_probability[[0, 2, 3]]).all()
    assert decoded[1].dense_shape[0] == 4
    assert 1 not in decoded[1].indices[:, 0]


@pytest.mark.parametrize(("frames", "count"), [(0, 2), (3, 0), (0, 0)])
def test_nothing_gives_nothing(frames, count):
    logits = np.zeros((frames, count, 3), dtype=np.float32)
    for decode, expected in zip(DECODERS, [0.0, 0.0, 0.0], strict=True):
        decoded, numbers = decode(logits, np.zeros(count, dtype=np.int32))
        assert decoded[0].dense_shape.tolist() == [count, 0]
        assert decoded[0].indices.shape == (0, 2)
        np.testing.assert_array_equal(numbers, np.full((count, 1), expected))


def test_ties_and_large_logits_take_the_first_of_the_largest():
    # As float32 log-probabilities the two classes tie; as logits the second is larger.
    logits = np.array([[[1e6, np.nextafter(np.float32(1e6), np.float32(2e6)), -1e6]]], np.float32)
    assert ours.ctc_greedy_decoder(logits, [1])[0][0].values.tolist() == [1]
    logits = np.array([[[2.0, 2.0, 2.0]]])
    assert ours.ctc_greedy_decoder(logits, [1])[0][0].values.tolist() == [0]


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize(
    ("inputs", "lengths", "message"),
    [
        (np.zeros((3, 4)), [3], r"inputs must have shape \(max_time, batch, classes\), got \(3, 4"),
        (np.zeros((3, 1, 0)), [3], r"inputs must have at least one class.*got shape \(3, 1, 0\)"),
        (
            np.zeros((3, 1, 4), dtype=int),
            [3],
            "inputs must be float16, float32 or float64, got int",
        ),
        ([[[1.0], [2.0, 3.0]]], [1], "inputs must be a rectangular array with values, got list"),
        (np.zeros((3, 1, 4)), [4], "sequence_length must be 0 to 3, got 4 for line 0; give"),
        (np.zeros((3, 1, 4)), [-1], "sequence_length must be 0 to 3, got -1 for line 0; give"),
        (np.zeros((3, 2, 4)), [3], r"sequence_length must be 2 integers.*got int64 of shape \(1,"),
        (np.zeros((3, 1, 4)), [3.0], "sequence_length must be 1 integers.*got float64 of shape"),
        (np.full((3, 1, 4), np.nan), [3], "inputs must not hold NaN, got nan at matrix 0, frame 0"),
        (np.full((3, 1, 4), np.inf), [3], "inputs must be finite or -inf, got inf at matrix 0"),
        (np.full((3, 1, 4), -np.inf), [3], "inputs must allow some class, got only -inf at matrix"),
    ],
)
def test_errors_of_all(decode, inputs, lengths, message):
    with pytest.raises(InvalidValueError, match=message):
        decode(inputs, lengths)


def test_nan_behind_the_valid_frames_does_not_matter(logits):
    dirty = logits.copy()
    for i, length in enumerate(LENGTHS):
        dirty[length:, i] = np.nan
    for decode in DECODERS:
        np.testing.assert_array_equal(decode(dirty, LENGTHS)[1], decode(logits, LENGTHS)[1])


@pytest.mark.parametrize("blank_index", [5, -6, "a", 1.5])
def test_errors_of_the_blank(logits, blank_index):
    with pytest.raises(InvalidValueError, match="blank_index must be an integer from -5 to 4, got"):
        ours.ctc_greedy_decoder(logits, LENGTHS, blank_index=blank_index)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_width": 0}, "beam_width must be an integer of at least 1, got 0; it is how many"),
        ({"top_paths": 1.0}, "top_paths must be an integer of at least 1, got 1.0; it is how many"),
        ({"beam_width": True}, "beam_width must be an integer of at least 1, got True"),
        (
            {"beam_width": 5, "top_paths": 6},
            r"top_paths must be 1 to beam_width \(5\), got 6; raise beam_width",
        ),
        ({"beam_width": 10**6}, "beam_width must be an integer from 1 to 100000, got 1000000"),
    ],
)
def test_errors_of_the_beam(logits, options, message):
    for decode in DECODERS[1:]:
        with pytest.raises(InvalidValueError, match=message):
            decode(logits, LENGTHS, **options)


def test_probabilities_as_logits(logits):
    probs = np.exp(log_softmax(logits))
    probs[:, 1] = 0.5  # of which no frame is valid
    with pytest.warns(CtckitWarning, match="inputs must be .*, got what looks like probabilities"):
        ours.ctc_beam_search_decoder(probs, LENGTHS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours.ctc_greedy_decoder(probs, LENGTHS)  # does not mind
        ours.ctc_beam_search_decoder(np.log(probs), LENGTHS)
        ours.ctc_beam_search_decoder(probs * 2, LENGTHS)
        ours.ctc_beam_search_decoder(np.ones((3, 1, 1)), [3])


def test_importing_it_loads_nothing_heavy():
    heavy = ("numba", "tensorflow", "torch", "keras", "pandas", "fast_ctc_decode")
    modules = ("tensorflow", "keras", "fast_ctc_decode", "ctcdecode")
    code = f"import sys; {'; '.join(f'import ctckit.compat.{one}' for one in modules)}\n"
    code += f"print([one for one in {heavy} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
