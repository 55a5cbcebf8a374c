"""Token passing against Scheidl's CTCDecoder 1.0."""

from __future__ import annotations

import editdistance
import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch, load_decoder


def test_line(iam_line, golden):
    """With the space read between words, or, as CTCDecoder has it, with nothing but a blank."""
    corpus = golden / "scheidl" / "line" / "corpus.txt"
    decoder = load_decoder("tokenpassing", iam_line.alphabet, corpus=corpus)
    assert decoder.decode_batch(iam_line).texts() == ["the fake friend of the family fake the"]
    decoder = load_decoder("tokenpassing", iam_line.alphabet, corpus=corpus, word_separator=None)
    assert decoder.decode_batch(iam_line).texts() == ["thefakefriendofthefamilyfakethe"]


def test_tiny(tmp_path):
    (tmp_path / "corpus.txt").write_text("a b ab ba")
    alphabet = Alphabet("ab-", 2)
    batch = MatrixBatch.from_probs([np.array([[0.4, 0, 0.6], [0.4, 0, 0.6]])], alphabet)
    decoder = load_decoder("tokenpassing", alphabet, corpus=tmp_path / "corpus.txt")
    best = decoder.decode_batch(batch)[0][0]
    assert best.text == "a"
    assert np.exp(best.score) == pytest.approx(0.24)


def test_it_errs_less_than_best_path(lines, synthetic, golden):
    def errors(name, **options):
        texts = load_decoder(name, lines.alphabet, **options).decode_batch(lines).texts()
        return sum(map(editdistance.eval, texts, synthetic["reference"]))

    words = errors("tokenpassing", corpus=golden / "corpus.txt")
    assert words < 0.5 * errors("bestpath")


def test_long_lines(long_line, golden):
    batch, reference = long_line
    best = load_decoder("bestpath", batch.alphabet).decode_batch(batch).texts()[0]
    decoder = load_decoder("tokenpassing", batch.alphabet, corpus=golden / "corpus.txt")
    found = decoder.decode_batch(batch)[0][0]
    assert editdistance.eval(found.text, reference) <= editdistance.eval(best, reference)
    assert found.score < -700
    assert found.score <= found.log_prob
