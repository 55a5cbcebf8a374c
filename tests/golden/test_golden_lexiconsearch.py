"""Lexicon search against Scheidl's CTCDecoder 1.0."""

from __future__ import annotations

import pytest

from ctckit import load_decoder


@pytest.mark.parametrize("options", [{}, {"tolerance": 4}, {"tolerance": 1}, {"tolerance": 0}])
def test_word(iam_word, golden, options):
    """Whose best path is `aircrapt`."""
    corpus = golden / "scheidl" / "word" / "corpus.txt"
    decoder = load_decoder("lexiconsearch", iam_word.alphabet, corpus=corpus, **options)
    assert decoder.decode_batch(iam_word).texts() == ["aircraft"]


def test_word_among_many(iam_word, golden, tmp_path):
    corpus = tmp_path / "corpus.txt"
    texts = [golden / "corpus.txt", golden / "scheidl" / "word" / "corpus.txt"]
    corpus.write_text("\n".join(one.read_text(encoding="utf-8") for one in texts), encoding="utf-8")
    decoder = load_decoder("lexiconsearch", iam_word.alphabet, corpus=corpus)
    assert decoder.decode_batch(iam_word).texts() == ["aircraft"]
