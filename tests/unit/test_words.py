"""What decoders say of a corpus, word characters and a separator that cannot be."""

from __future__ import annotations

import pytest

from ctckit import Alphabet, InvalidValueError, MatrixBatch, NotFoundError, load_decoder

pytestmark = pytest.mark.nojit

ALPHABET = Alphabet("ab1 |'-", 6)
BOTH = pytest.mark.parametrize("name", ["lexiconsearch", "tokenpassing"])


@pytest.fixture
def load(tmp_path):
    """Return a function that loads a decoder with a corpus of a given text."""

    def load(name, text="a ab", alphabet=ALPHABET, **options):
        (tmp_path / "corpus.txt").write_text(text, encoding="utf-8")
        return load_decoder(name, alphabet, corpus=tmp_path / "corpus.txt", **options)

    return load


@BOTH
def test_no_corpus(name, tmp_path):
    with pytest.raises(InvalidValueError, match=f"corpus must be given to the decoder .*{name}"):
        load_decoder(name, ALPHABET)
    with pytest.raises(NotFoundError, match=r"corpus must be a text file, got .*none\.txt'"):
        load_decoder(name, ALPHABET, corpus=tmp_path / "none.txt")


@BOTH
@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (" \n", {}, "corpus must hold some words, got '.*corpus.txt' without any; give another"),
        ("12 - x", {}, r"corpus must share word characters with the alphabet, got .* any of \"'ab"),
        ("a", {"word_characters": ""}, "word_characters must hold at least one character, got ''"),
        ("a", {"word_characters": "axy"}, "word_characters must be in the alphabet, got 'xy', wh"),
        ("a", {"word_character": "a"}, "got 'word_character'; did you mean 'word_characters'?"),
    ],
)
def test_no_word(load, name, text, options, message):
    error = NotFoundError if "word_character" in options else InvalidValueError
    with pytest.raises(error, match=message):
        load(name, text, **options)


@BOTH
def test_an_alphabet_that_spells_no_word(load, name):
    with pytest.raises(InvalidValueError, match="word_characters must be given, since the alphabe"):
        load(name, alphabet=Alphabet("12-", 2))
    with pytest.raises(
        InvalidValueError, match="lexicon must hold some word that the alphabet can spe"
    ):
        load(name, "a b", Alphabet(["ab", "-"], 1))


@pytest.mark.parametrize("tolerance", [-1, 1.5, "4", None])
def test_tolerance_must_be_a_distance(load, tolerance):
    with pytest.raises(InvalidValueError, match="tolerance must be an integer of at least 0, got"):
        load("lexiconsearch", tolerance=tolerance)


def test_the_separator_must_be_a_token_between_words(load):
    with pytest.raises(
        InvalidValueError, match="word_separator must be one of the alphabet's tokens or N"
    ):
        load("tokenpassing", word_separator=", ")
    with pytest.raises(InvalidValueError, match="tokens or None, got '-'; give None if words"):
        load("tokenpassing", word_separator="-")  # the blank
    with pytest.raises(InvalidValueError, match="word_separator must be in no word, got 'b'; give"):
        load("tokenpassing", word_separator="b")
    with pytest.raises(InvalidValueError, match="word_separator must be in no word, got ' '; give"):
        load("tokenpassing", "a b", word_characters="ab ")


def read(decoder, path):
    """Return the text of the only path that a matrix allows, a class a letter."""
    tokens = list(decoder.alphabet.tokens)
    probs = [[float(token == letter) for token in tokens] for letter in path]
    return decoder.decode_batch(MatrixBatch.from_probs([probs], decoder.alphabet)).texts()[0]


def test_separators(load):
    assert read(load("tokenpassing"), "a- -ab") == "a ab"
    assert read(load("tokenpassing", word_separator="|"), "a||ab-") == "a|ab"
    assert read(load("tokenpassing", word_separator=None), "ab-a") == "aba"
    assert read(load("tokenpassing", alphabet=Alphabet("ab-", 2)), "ab-") == "ab"
    assert read(load("tokenpassing", alphabet=Alphabet("ab-", 2)), "ab-a") == ""  # two words
    assert read(load("tokenpassing"), "ab-a") == ""  # no separator to be read
    assert read(load("tokenpassing"), "a  ") == ""  # no word after it


def test_words_and_nothing_else(load):
    assert read(load("tokenpassing", "a1b1", word_characters="1"), "1 1") == "1 1"
    assert read(load("lexiconsearch", "a'b Ab", tolerance=9), "ab") == ""  # unlike every word
    assert read(load("lexiconsearch", "aa' ab"), "a-a'") == "aa'"


def test_the_longest_token_is_taken(load):
    alphabet = Alphabet(["a", "b", "ab", "-"], 3)
    decoder = load("lexiconsearch", "ab", alphabet)
    batch = MatrixBatch.from_probs([[[0.1, 0.2, 0.3, 0.4]]], alphabet)
    assert decoder.decode_batch(batch)[0][0].token_ids == (2,)
