"""Prefix search against Scheidl's CTCDecoder 1.0."""

from __future__ import annotations

import editdistance
import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch, load_decoder


def test_line(iam_line):
    decoder = load_decoder("prefixsearch", iam_line.alphabet)
    assert decoder.decode_batch(iam_line).texts() == ["the fak friend of the fomcly hae tC"]


@pytest.mark.parametrize("split_threshold", [None, 0.9])
def test_word(iam_word, split_threshold):
    decoder = load_decoder("prefixsearch", iam_word.alphabet, split_threshold=split_threshold)
    assert decoder.decode_batch(iam_word).texts() == ["aircrapt"]


def test_tiny():
    alphabet = Alphabet("ab-", 2)
    batch = MatrixBatch.from_probs([np.array([[0.4, 0, 0.6], [0.4, 0, 0.6]])], alphabet)
    best = load_decoder("prefixsearch", alphabet).decode_batch(batch)[0][0]
    assert best.text == "a"
    assert np.exp(best.score) == pytest.approx(0.64)


def test_it_errs_less_than_best_path(lines, synthetic):
    def errors(name):
        texts = load_decoder(name, lines.alphabet).decode_batch(lines).texts()
        return sum(map(editdistance.eval, texts, synthetic["reference"]))

    assert errors("prefixsearch") < errors("bestpath")


def test_cuts_cost_nothing_here(lines):
    """The texts are those of the search of whole matrices, which ends for all of them."""
    whole = load_decoder("prefixsearch", lines.alphabet, split_threshold=None, max_prefixes=10_000)
    cut = load_decoder("prefixsearch", lines.alphabet)
    assert cut.decode_batch(lines).texts() == whole.decode_batch(lines).texts()
