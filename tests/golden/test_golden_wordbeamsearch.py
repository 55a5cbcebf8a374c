"""Word beam search against the texts that CTCWordBeamSearch 1.0.1 gave."""

from __future__ import annotations

import editdistance
import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch, load_decoder


@pytest.mark.parametrize(("mode", "count"), [("Words", 60), ("NGrams", 60), ("NGramsForecast", 8)])
def test_synthetic_lines(mode, count, lines, synthetic, golden):
    expected = synthetic["expected"][mode]
    assert len(expected["texts"]) == count
    decoder = load_decoder(
        "wordbeamsearch",
        lines.alphabet,
        corpus=golden / "corpus.txt",
        mode=mode,
        beam_width=expected["beam_width"],
        smoothing=expected["smoothing"],
        word_characters=synthetic["word_chars"],
    )
    assert decoder.decode_batch(lines[:count]).texts() == expected["texts"]


def test_the_sampling_mode_is_the_exact_one(lines, golden):
    exact, sampled = (
        load_decoder(
            "wordbeamsearch", lines.alphabet, corpus=golden / "corpus.txt", mode=mode, beam_width=10
        ).decode_batch(lines[:8])
        for mode in ("NGramsForecast", "NGramsForecastAndSample")
    )
    assert exact.texts() == sampled.texts()
    np.testing.assert_array_equal(exact.scores, sampled.scores)


def test_the_default_word_characters_are_letters_and_apostrophe(lines, synthetic, golden):
    expected = synthetic["expected"]["Words"]
    decoder = load_decoder("wordbeamsearch", lines.alphabet, corpus=golden / "corpus.txt")
    assert decoder.decode_batch(lines).texts() == expected["texts"]


def test_bentham(bentham, golden):
    folder = golden / "scheidl" / "bentham"
    characters = (folder / "wordChars.txt").read_text(encoding="utf-8").strip("\r\n")
    decoder = load_decoder(
        "wordbeamsearch",
        bentham.alphabet,
        corpus=folder / "corpus.txt",
        beam_width=25,
        word_characters=characters,
    )
    assert decoder.decode_batch(bentham).texts() == [
        "submitt both mental and corporeal, is far beyond any idea"
    ]


def test_tiny(tmp_path):
    (tmp_path / "corpus.txt").write_text("a ba")
    alphabet = Alphabet("ab -", 3)
    batch = MatrixBatch.from_probs(
        [np.array([[0.9, 0.1, 0, 0], [0, 0, 0, 1], [0.6, 0.4, 0, 0]])], alphabet
    )
    decoder = load_decoder(
        "wordbeamsearch", alphabet, corpus=tmp_path / "corpus.txt", word_characters="ab"
    )
    assert decoder.decode_batch(batch).texts() == ["ba"]


def test_it_errs_less_than_beam_search(lines, synthetic, golden):
    def errors(name, **options):
        texts = load_decoder(name, lines.alphabet, **options).decode_batch(lines).texts()
        return sum(map(editdistance.eval, texts, synthetic["reference"]))

    words = errors("wordbeamsearch", corpus=golden / "corpus.txt")
    assert words < 0.7 * errors("beamsearch")


@pytest.mark.parametrize("mode", ["Words", "NGrams", "NGramsForecast"])
def test_long_lines(mode, long_line, golden):
    batch, reference = long_line
    best = load_decoder("bestpath", batch.alphabet).decode_batch(batch).texts()[0]
    decoder = load_decoder(
        "wordbeamsearch",
        batch.alphabet,
        corpus=golden / "corpus.txt",
        mode=mode,
        smoothing=0.1,
    )
    found = decoder.decode_batch(batch)[0][0]
    assert editdistance.eval(found.text, reference) <= (
        editdistance.eval(best, reference) + 0.03 * len(reference)
    )
    assert found.score < -700
