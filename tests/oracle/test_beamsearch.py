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


def wide_matrices(rng, classes, blank, frames, count):
    """Flat to peaked; some with few possible classes, at first or throughout, and ties."""
    logits = rng.normal(size=(count, frames, classes)) * rng.choice([0.3, 1, 3], (count, 1, 1))
    logits[:, rng.random(frames) < 0.5, blank] += rng.choice([2, 6])
    for n in range(0, count, 3):
        few = rng.permutation(classes)[: rng.integers(2, 6)]
        impossible = np.full(classes, -np.inf)
        impossible[few] = 0
        logits[n, : rng.integers(1, frames + 1)] += impossible
    return list(log_softmax(logits))


def alphabet_of(classes, blank):
    return Alphabet([chr(0x4E00 + c) for c in range(classes)], blank)


@pytest.mark.parametrize("classes", [255, 256, 257, 320, 449, 1000, 2000])
@pytest.mark.parametrize(("width", "place"), [(1, 0.0), (4, 0.4), (12, 1.0)])
def test_large_alphabets(classes, width, place):
    """From 256 classes on rows are looked at in blocks of 64."""
    blank = int(place * (classes - 1))
    rng = np.random.default_rng([classes, width])
    matrices = wide_matrices(rng, classes, blank, frames=5, count=3)
    batch = MatrixBatch.from_log_probs(matrices, alphabet_of(classes, blank))
    compare_with_reference(batch, width, range(len(batch)))


@pytest.mark.parametrize("width", [1, 3, 10])
def test_repeats_of_large_alphabets(width):
    """Few classes are likely and come again, so that the likeliest child is often a repeat."""
    rng = np.random.default_rng(width)
    logits = rng.normal(size=(8, 8, 300)) * 0.1
    likely = rng.permutation(300)[:width]
    logits[:, :, likely] += rng.normal(6, 2, (8, 8, width))
    logits[:, 0] = -np.inf  # the first frame makes one prefix, so the beam is not full in the next
    logits[:, 0, likely[0]] = 0
    batch = MatrixBatch.from_log_probs(list(log_softmax(logits)), alphabet_of(300, 299))
    compare_with_reference(batch, width, range(len(batch)))


@pytest.mark.parametrize("blank", [0, 130, 255])
def test_certain_blanks_and_impossible_classes_of_large_alphabets(blank):
    """Rows of -inf but for the blank, or but for one class, and probabilities that round to 1."""
    alphabet = alphabet_of(256, blank)
    token = (blank + 64) % 256
    log_probs = np.full((1, 4, 256), -np.inf, dtype=np.float32)
    log_probs[0, [0, 2], blank] = 1e-4  # within what the validator allows
    log_probs[0, [1, 3], token] = [-0.0, 1e-4]
    decoder = load_decoder("beamsearch", alphabet, beam_width=3)
    decoded = decoder.decode_batch(MatrixBatch.from_log_probs(log_probs, alphabet), n_best=3)
    assert [(one.token_ids, one.score) for one in decoded[0]] == [((token, token), 0.0)]


@pytest.mark.nojit
def test_a_large_alphabet_on_a_tiny_matrix():
    rng = np.random.default_rng(0)
    matrices = wide_matrices(rng, 260, 70, frames=3, count=2)
    compare_with_reference(MatrixBatch.from_log_probs(matrices, alphabet_of(260, 70)), 3, range(2))


@pytest.mark.nojit
def test_one_class_beyond_the_width_counts_where_one_is_a_repeat():
    """After "a", half of it with a blank, "ac" beats "a" and "aa", though a is likelier than c."""
    blank, a, b, c = 299, 10, 110, 210
    probs = np.zeros((1, 3, 300), dtype=np.float32)
    probs[0, 0, a] = 1
    probs[0, 1, [a, blank]] = 0.5
    probs[0, 2] = 0.22 / 297
    probs[0, 2, [a, b, c, blank]] = 0.3, 0.28, 0.2, 0
    batch = MatrixBatch.from_probs(probs, alphabet_of(300, blank))
    decoded = load_decoder("beamsearch", batch.alphabet, beam_width=2).decode_batch(batch, n_best=2)
    assert [one.token_ids for one in decoded[0]] == [(a, b), (a, c)]
    compare_with_reference(batch, 2, [0])
