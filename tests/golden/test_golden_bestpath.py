"""Best path and the probability of given texts, against Scheidl's CTCDecoder 1.0."""

from __future__ import annotations

import editdistance
import numpy as np
import pytest

from ctckit import DecodedBatch, SearchResult, load_decoder
from ctckit.testing.oracles import collapse


def best_path(batch):
    return load_decoder("bestpath", batch.alphabet).decode_batch(batch)


def given_text(batch, text):
    """Return a text as a hypothesis of a batch of one matrix."""
    ids = batch.alphabet.encode(text)
    return DecodedBatch(batch, SearchResult.from_best([ids]))[0][0]


def test_line(iam_line):
    assert best_path(iam_line).texts() == ["the fak friend of the fomly hae tC"]


def test_word(iam_word):
    assert best_path(iam_word).texts() == ["aircrapt"]


def test_bentham(bentham, golden):
    reference = (golden / "scheidl/bentham/gt_2.txt").read_text(encoding="utf-8").strip()
    text = best_path(bentham).texts()[0]
    assert editdistance.eval(text, reference) <= 0.11 * len(reference)
    path = collapse(bentham[0].argmax(axis=1).tolist(), bentham.alphabet.blank)
    assert text == bentham.alphabet.decode(path)


def test_probability_and_loss_of_the_line(iam_line):
    found = given_text(iam_line, "the fake friend of the family, like the")
    assert np.exp(found.log_prob) == pytest.approx(6.31472642886565e-13, rel=1e-5)
    assert -found.log_prob == pytest.approx(28.090721774903226, rel=1e-6)
    assert found.score == found.log_prob
    assert len(found.timesteps) == len(found.text)
    assert list(found.timesteps) == sorted(set(found.timesteps))


def test_cer_of_the_synthetic_lines(lines, synthetic):
    texts = best_path(lines).texts()
    errors = sum(map(editdistance.eval, texts, synthetic["reference"]))
    assert 0.09 < errors / sum(map(len, synthetic["reference"])) < 0.11


def test_long_lines_are_what_they_claim(long_line):
    batch, reference = long_line
    best = best_path(batch)[0][0]
    assert batch.lengths[0] >= 1600
    assert best.score < -2500
    assert best.score < best.log_prob < -2000
    assert editdistance.eval(best.text, reference) < 0.12 * len(reference)
