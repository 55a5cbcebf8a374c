"""prefixsearch against every path, whole and cut into pieces, and what a bound leaves of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ctckit import Alphabet, InvalidValueError, MatrixBatch, load_decoder
from ctckit.testing.oracles import text_log_prob, text_probs

TIE = 1e-9


def random_matrix(rng, frames, classes, blank, sure=0.0):
    """Flat to peaked, with impossible entries in a third, and some frames sure of the blank."""
    logits = rng.normal(size=(frames, classes)) * rng.choice([0.1, 1, 4])
    if rng.random() < 0.3:
        logits[rng.random(logits.shape) < 0.4] = -np.inf
        logits[np.isneginf(logits).all(axis=1), rng.integers(classes)] = 0
    logits[rng.random(frames) < sure, blank] += 8
    return logits


def make_batch(rng, classes, blank, count, most, sure=0.0):
    alphabet = Alphabet([chr(97 + c) for c in range(classes)], blank)
    matrices = [
        random_matrix(rng, rng.integers(0, most + 1), classes, blank, sure) for _ in range(count)
    ]
    return MatrixBatch.from_logits(matrices, alphabet)


def compare_with_every_path(rng, classes, blank, count, largest, n_best=10):
    """Decode without cuts and without a bound, n-best and all, what C ** T <= `largest` allow."""
    most = int(math.log(largest, classes) + 1e-9) if classes > 1 else 12
    batch = make_batch(rng, classes, blank, count, most)
    decoder = load_decoder(
        "prefixsearch", batch.alphabet, split_threshold=None, max_prefixes=1_000_000
    )
    for matrix, found in zip(batch, decoder.decode_batch(batch, n_best=n_best), strict=True):
        probs = text_probs(matrix, blank)
        ranked = sorted(probs, key=lambda text: -probs[text])
        assert len(found) == min(n_best, len(probs))
        for one, text in zip(found, ranked, strict=False):
            # the same text, but where the next one ties
            assert probs[one.token_ids] == pytest.approx(probs[text], rel=TIE)
            expected = min(math.log(probs[one.token_ids]), 0.0)
            assert one.score == pytest.approx(expected, rel=1e-9, abs=1e-9)
            assert one.log_prob == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 5, 8, 17, 70])
def test_the_whole_search_is_every_path(classes):
    rng = np.random.default_rng(classes)
    for blank in rng.permutation(classes)[:3].tolist():
        compare_with_every_path(rng, classes, blank, count=60, largest=5000)
        compare_with_every_path(rng, classes, blank, count=60, largest=300, n_best=1)
        compare_with_every_path(rng, classes, blank, count=20, largest=300, n_best=300)


@pytest.mark.nojit
@pytest.mark.parametrize("blank", [0, 2])
def test_a_few_tiny_matrices(blank):
    compare_with_every_path(np.random.default_rng(blank), 3, blank, count=5, largest=30, n_best=4)


def pieces_of(matrix, blank, threshold):
    """Return the pieces between frames of a sure blank, and the sum of these blanks."""
    sure = matrix[:, blank] > math.log(threshold)
    pieces = np.split(matrix, np.flatnonzero(np.diff(sure)) + 1)
    return [one for one in pieces if not sure_all(one, blank, threshold)], float(
        matrix[sure, blank].sum(dtype=np.float64)
    )


def sure_all(piece, blank, threshold):
    return bool((piece[:, blank] > math.log(threshold)).all())


def joined(pieces, blank):
    """Return every text that a text of each piece makes, with the best product of theirs."""
    texts = {(): 0.0}
    for piece in pieces:
        longer = {}
        for text, score in texts.items():
            for end, prob in text_probs(piece, blank).items():
                value = score + math.log(prob)
                longer[text + end] = max(longer.get(text + end, -math.inf), value)
        texts = longer
    return texts


@pytest.mark.parametrize("threshold", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("n_best", [1, 2, 5, 40])
def test_pieces_are_searched_one_by_one(threshold, n_best):
    rng = np.random.default_rng([int(threshold * 100), n_best])
    batch = make_batch(rng, 3, 1, count=60, most=9, sure=0.3)
    decoder = load_decoder("prefixsearch", batch.alphabet, split_threshold=threshold)
    decoded = decoder.decode_batch(batch, n_best=n_best)
    cut = 0
    for matrix, found in zip(batch, decoded, strict=True):
        pieces, blanks = pieces_of(matrix, 1, threshold)
        cut += len(pieces) > 1
        texts = joined(pieces, 1)
        ranked = sorted(texts.values(), reverse=True)
        assert len(found) == min(n_best, len(texts))
        expected = [min(score + blanks, 0.0) for score in ranked[:n_best]]
        assert [one.score for one in found] == pytest.approx(expected, rel=1e-6, abs=1e-6)
        for one in found:
            assert texts[one.token_ids] + blanks == pytest.approx(one.score, rel=1e-6, abs=1e-6)
            assert one.score <= one.log_prob + 1e-6
    assert cut > 15


def test_a_cut_may_cost_the_likeliest_text():
    """A text that two pieces can share counts for one way to share it."""
    alphabet = Alphabet("ab-", 2)
    probs = [[0.4, 0, 0.6], [0.4, 0, 0.6], [0, 0, 1], [0.4, 0, 0.6], [0.4, 0, 0.6]]
    batch = MatrixBatch.from_probs([np.array(probs)], alphabet)
    for threshold, text, prob in ((None, "a", 2 * 0.64 * 0.36), (0.999, "aa", 0.64**2)):
        decoder = load_decoder("prefixsearch", alphabet, split_threshold=threshold)
        best = decoder.decode_batch(batch)[0][0]
        assert (best.text, math.exp(best.score)) == (text, pytest.approx(prob))


@pytest.mark.parametrize("split_threshold", [None, 0.9])
def test_a_bound_leaves_what_was_found(lines, split_threshold):
    """No less likely than the best path's text, whatever n_best is, and no worse with more."""
    flat = MatrixBatch.from_logits(
        [matrix.astype(np.float64) * 0.5 for matrix in lines[:12]], lines.alphabet
    )
    best_paths = load_decoder("bestpath", lines.alphabet).decode_batch(flat).log_probs
    before = best_paths
    for max_prefixes in (1, 2, 7, 50, 500):
        options = {"split_threshold": split_threshold, "max_prefixes": max_prefixes}
        decoder = load_decoder("prefixsearch", lines.alphabet, **options)
        found = decoder.decode_batch(flat)
        assert (found.scores <= found.log_probs + 1e-6).all()
        assert (found.log_probs >= before - 1e-9).all()
        several = decoder.decode_batch(flat, n_best=5)
        assert [line[0] for line in several] == [line[0] for line in found]
        before = found.log_probs if split_threshold is None else before
    assert found.log_probs.sum() > best_paths.sum() + 0.4


def test_golden_lines_agree_with_a_wide_beam(lines):
    """The search ends, and proves what the beam could only hope for."""
    decoder = load_decoder("prefixsearch", lines.alphabet, split_threshold=None, max_prefixes=9999)
    beam = load_decoder("beamsearch", lines.alphabet, beam_width=100).decode_batch(lines)
    for (one,), (other,) in zip(decoder.decode_batch(lines), beam, strict=True):
        assert one.text == other.text
        assert one.score == pytest.approx(one.log_prob, rel=1e-9)


@pytest.mark.parametrize("frames", [300, 3000])
def test_flat_matrices(frames):
    """Whose paths have probabilities that are 0 in float64."""
    alphabet = Alphabet([chr(200 + c) for c in range(80)], 79)
    log_probs = np.full((frames, 80), -math.log(80), dtype=np.float32)
    log_probs[:, 3] += 1e-3
    batch = MatrixBatch.from_log_probs([log_probs], alphabet)
    decoder = load_decoder("prefixsearch", alphabet, max_prefixes=30)
    best = decoder.decode_batch(batch, n_best=3)[0][0]
    assert best.score == pytest.approx(best.log_prob, rel=1e-9)
    assert best.score > text_log_prob(log_probs, [3], 79)


def test_states_of_too_wide_a_range():
    """Of "a" 200 times there are e^600 times more alignments at the end than where "b" must be."""
    probs = np.zeros((4002, 4))
    probs[:, 0], probs[:, 3] = 0.499, 0.501
    probs[:800:4, 0], probs[:800:4, 3] = 0.501, 0.499
    probs[800] = [0, 1, 0, 0]
    probs[4001] = [0, 0, 1, 0]
    alphabet = Alphabet("abc-", 3)
    batch = MatrixBatch.from_probs([probs], alphabet)
    decoder = load_decoder("prefixsearch", alphabet, max_prefixes=1)
    best = decoder.decode_batch(batch)[0][0]
    assert best.text == 200 * "a" + "bc"
    assert best.score == pytest.approx(text_log_prob(batch[0], best.token_ids, 3), rel=1e-9)


def test_long_lines(long_line):
    batch, _ = long_line
    best = load_decoder("bestpath", batch.alphabet).decode_batch(batch)[0][0]
    found = load_decoder("prefixsearch", batch.alphabet).decode_batch(batch)[0][0]
    assert found.log_prob >= best.log_prob - 1e-6
    assert found.score == pytest.approx(found.log_prob, rel=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_prefixes": 0}, "max_prefixes must be an integer from 1 to 1e.06, got 0; it is: P"),
        ({"split_threshold": 0.4}, "split_threshold must be a finite number from 0.5 to 1 or None"),
        ({"split_threshold": 1.1}, "split_threshold must be .*, got 1.1; it is: Probability of"),
        ({"split_threshold": "0.9"}, "split_threshold must be .*, got '0.9'"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InvalidValueError, match=message):
        load_decoder("prefixsearch", Alphabet("ab-", 2), **options)
