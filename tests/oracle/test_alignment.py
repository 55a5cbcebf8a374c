"""log_prob and timesteps of given texts, against every path and against logarithms throughout."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ctckit import Alphabet, DecodedBatch, MatrixBatch, SearchResult
from ctckit.testing.oracles import alignments, text_log_prob, text_probs


def score(matrices, texts, alphabet):
    """Return log-probabilities and timesteps of texts, one list a matrix."""
    batch = MatrixBatch.from_log_probs(matrices, alphabet)
    scores = [[0.0] * len(line) for line in texts]
    decoded = DecodedBatch(batch, SearchResult.from_lists(texts, scores))
    return [[(one.log_prob, one.timesteps) for one in line] for line in decoded]


def random_matrix(rng, frames, classes):
    """Flat or peaked, with impossible entries in half of them."""
    logits = rng.normal(size=(frames, classes)) * rng.choice([0.3, 2, 8])
    if rng.random() < 0.5:
        logits[rng.random(logits.shape) < 0.3] = -np.inf
        stuck = np.isneginf(logits).all(axis=1)
        logits[stuck, rng.integers(classes)] = 0
    logits -= logits.max(axis=1, keepdims=True, initial=-np.inf)
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return log_probs.astype(np.float32)


def assert_exact(matrix, texts, found, blank):
    probs = text_probs(matrix, blank)
    for text, (log_prob, timesteps) in zip(texts, found, strict=True):
        expected = probs.get(tuple(text), 0.0)
        if expected == 0:
            assert log_prob == -np.inf
            assert timesteps is None
            continue
        assert log_prob == pytest.approx(min(np.log(expected), 0.0), rel=1e-9, abs=1e-12)
        possible = alignments(matrix, text, blank)
        assert possible[timesteps] >= max(possible.values()) - 1e-9
        assert list(timesteps) == sorted(set(timesteps))


def all_texts(classes, blank, longest):
    tokens = [c for c in range(classes) if c != blank]
    return [list(t) for n in range(longest + 1) for t in itertools.product(tokens, repeat=n)]


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_tiny_matrices(classes):
    rng = np.random.default_rng(classes)
    for blank in range(classes):
        alphabet = Alphabet(list("abc")[:classes], blank)
        matrices = [random_matrix(rng, rng.integers(0, 6), classes) for _ in range(50)]
        every = all_texts(classes, blank, 3)
        texts = [[every[i] for i in rng.permutation(len(every))[:6]] for _ in matrices]
        for matrix, line, found in zip(
            matrices, texts, score(matrices, texts, alphabet), strict=True
        ):
            assert_exact(matrix, line, found, blank)


@pytest.mark.nojit
def test_a_few_tiny_matrices():
    rng = np.random.default_rng(9)
    matrices = [random_matrix(rng, frames, 3) for frames in (0, 1, 3, 4)]
    texts = [all_texts(3, 1, 2)] * 4
    for matrix, found in zip(matrices, score(matrices, texts, Alphabet("a-b", 1)), strict=True):
        assert_exact(matrix, texts[0], found, 1)


def test_repeated_tokens_need_a_blank_between():
    alphabet = Alphabet("a-", 1)
    sure = np.log(np.array([[0.5, 0.5]] * 5, dtype=np.float32))
    found = score([sure], [[[0] * n for n in range(5)]], alphabet)[0]
    expected = text_probs(sure, 1)
    assert [np.exp(log_prob) for log_prob, _ in found] == pytest.approx(
        [expected.get((0,) * n, 0) for n in range(5)]
    )
    assert found[3][1] == (0, 2, 4)
    assert found[4] == (-np.inf, None)


def test_real_matrices(iam_line, iam_word, bentham):
    rng = np.random.default_rng(2)
    for batch in (iam_line, iam_word, bentham):
        alphabet, matrix = batch.alphabet, batch[0]
        path = matrix.argmax(axis=1)
        best = [c for c, _ in itertools.groupby(path) if c != alphabet.blank]
        texts = [best, best[:-3], best[5:], [], best[::-1]]
        texts += [rng.integers(0, len(alphabet) - 1, size=n).tolist() for n in (1, 5, 20)]
        for text, (log_prob, timesteps) in zip(
            texts, score([matrix], [texts], alphabet)[0], strict=True
        ):
            assert log_prob == pytest.approx(
                text_log_prob(matrix, text, alphabet.blank), rel=1e-10, abs=1e-10
            )
            assert timesteps is None or len(timesteps) == len(text)


def test_timesteps_follow_the_best_alignment_of_a_real_line(iam_line):
    matrix, blank = iam_line[0], iam_line.alphabet.blank
    path = matrix.argmax(axis=1)
    starts = [t for t, c in enumerate(path) if c != blank and (t == 0 or path[t - 1] != c)]
    # The best path is the best alignment of its own text.
    found = score([matrix], [[path[starts].tolist()]], iam_line.alphabet)
    assert found[0][0][1] == tuple(starts)


@pytest.mark.parametrize("scale", [0.1, 5, 40])
def test_long_lines_and_very_unlikely_texts(scale):
    rng = np.random.default_rng(3)
    logits = (rng.normal(size=(1600, 80)) * scale).astype(np.float32)
    logits -= np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
    matrix = (logits - logits.max(axis=1, keepdims=True)).astype(np.float32)
    matrix -= np.log(np.exp(matrix.astype(np.float64)).sum(axis=1, keepdims=True)).astype(
        np.float32
    )
    alphabet = Alphabet([*map(chr, range(100, 179)), ""], 79)
    texts = [
        [],
        [5],
        rng.integers(0, 79, size=30).tolist(),
        rng.integers(0, 79, size=300).tolist(),
        rng.integers(0, 79, size=1500).tolist(),
        [3] * 800,
        [3] * 801,
    ]
    found = score([matrix], [texts], alphabet)[0]
    assert found[-1] == (-np.inf, None)
    values = [log_prob for log_prob, _ in found[:-1]]
    assert max(values) < -700  # where plain float64 would underflow
    for text, (log_prob, timesteps) in zip(texts[:-1], found, strict=False):
        assert log_prob == pytest.approx(text_log_prob(matrix, text, 79), rel=1e-9)
        assert timesteps is not None
        assert list(timesteps) == sorted(set(timesteps))
    assert found[5][1] == tuple(range(0, 1600, 2)) or found[5][1][0] in (0, 1)


def test_a_text_behind_a_wall_of_unlikely_frames():
    # The likely alignments die late; what remains is 1e-300 times smaller and must survive.
    alphabet = Alphabet("ab-", 2)
    rows = np.full((40, 3), -0.5, dtype=np.float32)
    rows[:, 1] = -60.0
    rows[:, 0] = np.log1p(-np.exp(-0.5))
    rows[20:, 0] = -np.inf
    rows[20:, 2] = 0.0
    rows[20:, 1] = -200.0
    texts = [[1, 0, 1], [1] * 10, [1, 1, 0]]
    for text, (log_prob, _) in zip(texts, score([rows], [texts], alphabet)[0], strict=True):
        assert log_prob == pytest.approx(text_log_prob(rows, text, 2), rel=1e-9)
        assert log_prob < -100


EXTREMES = [0.0, -0.5, -3.0, -177.0, -354.0, -355.5, -900.0, -4e4, -1e30, -np.inf]


def extreme_cases(count):
    """Matrices whose entries are apart by any number of powers, and texts with repeated tokens."""
    rng = np.random.default_rng(4)
    for _ in range(count):
        frames, few = rng.integers(3, 25), rng.choice([3, 6, 10])
        matrix = rng.choice(EXTREMES[:few], size=(frames, 4)).astype(np.float32)
        steady = rng.random(4) < 0.4  # a column that is unlikely all along
        matrix[:, steady] = rng.choice(EXTREMES[:few], size=4)[steady]
        matrix = np.column_stack([matrix, np.zeros(frames, dtype=np.float32)])  # makes it sum to 1
        matrix -= np.log(np.exp(matrix.astype(np.float64)).sum(axis=1, keepdims=True))
        yield matrix, [rng.integers(0, 2 + rng.integers(2), size=n).tolist() for n in (1, 4, 8, 11)]


def assert_exact_in_logarithms(cases):
    unlikely = 0
    for matrix, texts in cases:
        for text, (log_prob, _) in zip(
            texts, score([matrix], [texts], Alphabet("abc-d", 3))[0], strict=True
        ):
            expected = min(text_log_prob(matrix, text, 3), 0.0)
            assert log_prob == pytest.approx(expected, rel=1e-9, abs=1e-9)
            unlikely += -np.inf < log_prob < -400
    return unlikely


def test_probabilities_of_any_size():
    assert assert_exact_in_logarithms(extreme_cases(600)) > 600


@pytest.mark.nojit
def test_a_few_probabilities_of_any_size():
    assert assert_exact_in_logarithms(extreme_cases(12)) > 12
