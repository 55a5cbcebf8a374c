"""Beam search against Scheidl's CTCDecoder 1.0, and on lines where float64 would underflow."""

from __future__ import annotations

import editdistance
import pytest

from ctckit import load_decoder
from ctckit.testing.oracles import text_log_prob


def test_line(iam_line):
    decoder = load_decoder("beamsearch", iam_line.alphabet)
    assert decoder.beam_width == 25
    assert decoder.decode_batch(iam_line).texts() == ["the fak friend of the fomcly hae tC"]


def test_it_errs_less_than_best_path(lines, synthetic):
    def errors(name):
        texts = load_decoder(name, lines.alphabet).decode_batch(lines).texts()
        return sum(map(editdistance.eval, texts, synthetic["reference"]))

    assert errors("beamsearch") < errors("bestpath")


@pytest.mark.parametrize("beam_width", [5, 25])
def test_long_lines(long_line, beam_width):
    batch, reference = long_line
    best = load_decoder("bestpath", batch.alphabet).decode_batch(batch)[0][0]
    beam = load_decoder("beamsearch", batch.alphabet, beam_width=beam_width).decode_batch(batch)
    found = beam[0][0]
    assert editdistance.eval(found.text, reference) <= (
        editdistance.eval(best.text, reference) + 0.03 * len(reference)
    )
    assert found.log_prob > best.log_prob
    assert found.score <= found.log_prob
    expected = text_log_prob(batch[0], found.token_ids, batch.alphabet.blank)
    assert found.log_prob == pytest.approx(expected, rel=1e-9)
