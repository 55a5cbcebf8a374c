"""beamsearch against every path and against the slow reference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch, load_decoder
from ctckit.testing.oracles import prefix_beam_search, text_probs

TIE = 1e-9
"""Relative difference of probabilities under which two texts tie."""


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True, initial=-np.inf)
    return (shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))).astype(np.float32)


def tiny_matrix(rng, frames, classes):
    """Flat to peaked, with impossible entries in a third of them."""
    logits = rng.normal(size=(frames, classes)) * rng.choice([0.1, 1, 4])
    if rng.random() < 0.3:
        logits[rng.random(logits.shape) < 0.4] = -np.inf
        stuck = np.isneginf(logits).all(axis=1)
        logits[stuck, rng.integers(classes)] = 0
    return log_softmax(logits)


def compare_with_every_path(rng, classes, blank, count, largest):
    """Decode at full width, n-best and all, what C ** T <= `largest` paths allow."""
    tokens = [chr(97 + c) for c in range(classes)]
    alphabet = Alphabet(tokens, blank)
    most = int(math.log(largest, classes) + 1e-9) if classes > 1 else 12
    matrices = [tiny_matrix(rng, rng.integers(0, most + 1), classes) for _ in range(count)]
    decoder = load_decoder("beamsearch", alphabet, beam_width=largest)
    decoded = decoder.decode_batch(MatrixBatch.from_log_probs(matrices, alphabet), n_best=10)
    for matrix, found in zip(matrices, decoded, strict=True):
        probs = text_probs(matrix, blank)
        ranked = sorted(probs, key=lambda text: -probs[text])
        assert len(found) == min(10, len(probs))
        for one, text in zip(found, ranked, strict=False):
            # the same text, but where the next one ties
            assert probs[one.token_ids] == pytest.approx(probs[text], rel=TIE)
            expected = min(math.log(probs[one.token_ids]), 0.0)
            assert one.score == pytest.approx(expected, rel=1e-5, abs=1e-7)
            assert one.log_prob == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 5, 8, 17, 70])
def test_full_width_is_every_path(classes):
    rng = np.random.default_rng(classes)
    blanks = rng.permutation(classes)[:4].tolist()
    for blank in blanks:
        compare_with_every_path(rng, classes, blank, count=2000 // 4 // len(blanks), largest=5000)
        compare_with_every_path(rng, classes, blank, count=1500 // len(blanks), largest=300)


@pytest.mark.nojit
@pytest.mark.parametrize("blank", [0, 1, 2])
def test_full_width_is_every_path_on_a_few(blank):
    compare_with_every_path(np.random.default_rng(blank), 3, blank, count=5, largest=30)


def assert_same_search(matrix, blank, width, n_best, found):
    """Compare a decoder's n-best list of one matrix with the reference's."""
    expected = prefix_beam_search(matrix, blank, width, n_best)
    assert [one.score for one in found] == pytest.approx(
        [score for _, score in expected.hypotheses], rel=1e-6, abs=1e-7
    )
    same = [one.token_ids for one in found] == [text for text, _ in expected.hypotheses]
    assert same or expected.closest < TIE
    return same


def compare_with_reference(batch, width, indices):
    n_best = min(width, 10)
    decoder = load_decoder("beamsearch", batch.alphabet, beam_width=width)
    chosen = MatrixBatch.concatenate([batch[i : i + 1] for i in indices])
    decoded = decoder.decode_batch(chosen, n_best=n_best)
    results = [
        assert_same_search(matrix, batch.alphabet.blank, width, n_best, found)
        for matrix, found in zip(chosen, decoded, strict=True)
    ]
    for found in decoded:
        for one in found:
            assert one.score <= one.log_prob + 1e-6
    assert sum(results) >= 0.9 * len(results)  # ties are the exception


@pytest.mark.parametrize(
    ("width", "step"), [(1, 2), (2, 2), (3, 3), (5, 5), (10, 10), (25, 20), (100, 60)]
)
def test_golden_lines(lines, width, step):
    compare_with_reference(lines, width, range(width % step, len(lines), step))


@pytest.mark.parametrize("width", [1, 5, 25, 100])
def test_real_lines(iam_line, iam_word, bentham, width):
    for batch in (iam_word, iam_line) if width == 100 else (iam_word, iam_line, bentham):
        compare_with_reference(batch, width, [0])


@pytest.mark.parametrize(("scale", "frames"), [(0.05, 12), (1, 20), (3, 40), (10, 40)])
@pytest.mark.parametrize("width", [1, 2, 3, 5, 10, 25, 100])
def test_random_matrices_of_80_classes(scale, frames, width):
    rng = np.random.default_rng([int(scale * 100), width])
    blank = int(rng.integers(80))
    alphabet = Alphabet([chr(200 + c) for c in range(80)], blank)
    count = 3 if width < 100 else 1
    logits = rng.normal(size=(count, frames, 80)) * scale
    logits[:, rng.random(frames) < 0.3, blank] += 4 * scale
    batch = MatrixBatch.from_log_probs(log_softmax(logits), alphabet)
    compare_with_reference(batch, width, range(count))


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("width", [1, 2, 3, 7, 20])
def test_narrow_beams_on_small_alphabets(classes, width):
    """Prefixes leave the beam and come back often here."""
    rng = np.random.default_rng([classes, width])
    alphabet = Alphabet([chr(97 + c) for c in range(classes)], 1)
    matrices = [tiny_matrix(rng, rng.integers(0, 25), classes) for _ in range(40)]
    batch = MatrixBatch.from_log_probs(matrices, alphabet)
    compare_with_reference(batch, width, range(len(batch)))
