"""Lexica from files: what a file may hold, what is said of one that is wrong, and the cache."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ctckit import Alphabet, InvalidValueError, NotFoundError
from ctckit.language import Lexicon, WordBigrams, wordlist
from ctckit.language import lexicon as module

pytestmark = pytest.mark.nojit

ALPHABET = Alphabet([*"abcé", ""], 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "words.txt"


def read(path, data, alphabet=ALPHABET, **options):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return Lexicon.from_file(path, alphabet, **options)


@pytest.mark.parametrize(
    "data",
    [
        "ab\na\n",
        "a\nab",
        "\ufeffa\r\nab\r\n",
        "\n\n  ab \n\t\n\u3000a\n",
        "ab\nab\na\nab\n",
    ],
)
def test_what_a_file_may_hold(path, data):
    lexicon = read(path, data)
    assert list(lexicon.words) == ["a", "ab"]
    assert (lexicon.lost, lexicon.lost_examples, lexicon.longest) == (0, (), 2)


@pytest.mark.parametrize("part", [1, 4])
def test_it_is_read_in_parts(path, monkeypatch, part):
    monkeypatch.setattr(wordlist, "_PART", part)
    lexicon = read(path, "\ufeffabc\n\né\nb d\n".replace(" ", "") + "a" * 30 + "\n")
    assert list(lexicon.words) == ["a" * 30, "abc", "é"]
    assert lexicon.lost_examples == ("bd",)
    with pytest.raises(InvalidValueError, match="got 'b a' in line 4 of "):
        read(path, "abc\n\né\n b a\n")


def test_words_that_are_lost(path):
    lexicon = read(path, "x\na\nax\ny\nx\nz\n")
    assert (lexicon.lost, lexicon.lost_examples) == (4, ("x", "ax", "y"))
    again = Lexicon.from_file(path, ALPHABET)
    assert (again.lost, again.lost_examples) == (4, ("x", "ax", "y"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "lexicon must hold some words, got '.*words.txt' without any; write one word a line"),
        ("\ufeff\n \r\n", "without any"),
        ("a\nb\xa0c\n", "must hold one word a line, got 'b\\\\xa0c' in line 2 of '.*'; leave out"),
        ("a\t12\n", r"got 'a\\t12' in line 1 of "),
        (b"a\nb\n\xe9\n", "must be UTF-8, got byte 0xe9 in line 3 of '.*'; convert it"),
        (b"\xff\xfea\0", "must be UTF-8, got byte 0xff in line 1"),
        (
            "x\ny\nx\n",
            "lexicon must hold some word that the alphabet can spell, got none in "
            r"'.*words.txt' \(2, such as 'x', 'y'\); check that the words and the alphabet",
        ),
        ("e\u0301\n", r"\(1, such as 'e\u0301'\); in Unicode's form NFC some can be spelled: con"),
    ],
)
def test_what_is_said_of_a_wrong_file(path, data, message):
    with pytest.raises(InvalidValueError, match=message):
        read(path, data)


def test_what_is_said_without_a_file(path, tmp_path):
    with pytest.raises(NotFoundError, match=r"lexicon must be a text file, got '.*', which does n"):
        Lexicon.from_file(path, ALPHABET)
    with pytest.raises(
        InvalidValueError, match=r"must be a readable text file, got '.*': Is a dir"
    ):
        Lexicon.from_file(tmp_path, ALPHABET)


def test_what_is_said_of_a_list():
    with pytest.raises(InvalidValueError, match=r"in the words; check that"):
        Lexicon(["", ""], ALPHABET)
    message = r"in the words \(1,234, such as '0', '1', '2'\)"
    with pytest.raises(InvalidValueError, match=message):
        Lexicon([str(i) for i in range(1234)], ALPHABET)
    decomposed = Alphabet(["e", "\u0301", ""], 2)
    with pytest.raises(InvalidValueError, match="in Unicode's form NFD some can be spelled"):
        Lexicon(["é"], decomposed)
    for word, letters, case in (("Tea", "TEA-", "upper"), ("TEA", "tea-", "lower")):
        with pytest.raises(InvalidValueError, match=f"in {case} case some can be spelled: conv"):
            Lexicon([word], Alphabet(letters, 3))


def test_what_is_no_unicode_is_lost():
    assert Lexicon(["a\ud800", "a"], ALPHABET).lost_examples == ("a\ud800",)


def test_numbers():
    lexicon = Lexicon(["b", "a"], ALPHABET)
    assert lexicon.numbers(["b", "x", "", "a"]).tolist() == [1, -1, -1, 0]
    assert lexicon.numbers([]).tolist() == []
    with pytest.raises(LookupError, match="x"):
        lexicon.number("x")
    assert None not in lexicon
    bigrams = WordBigrams(["a", "x", "b"], lexicon)
    assert bigrams.counts.tolist() == [1, 1]
    with pytest.raises(InvalidValueError, match="none that is 'b'"):
        WordBigrams(["a"], lexicon)


PIECES = Alphabet(["a", "ab", "b", ""], 3)
ARRAYS = ("nodes", "token", "word_end", "bits", "arc_token", "arc_target")


@pytest.mark.parametrize("alphabet", [ALPHABET, PIECES])
@pytest.mark.parametrize("every", [False, True])
def test_it_comes_from_the_cache(path, monkeypatch, alphabet, every):
    built = Lexicon(["ab", "a", "x", "bab"], alphabet, all_spellings=every)
    read(path, "ab\na\nx\nbab\n", alphabet, all_spellings=every)

    def fail(path):
        raise AssertionError("it was read again")

    monkeypatch.setattr(module, "read_words", fail)
    found = Lexicon.from_file(str(path), alphabet, all_spellings=every)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(built, name))
        assert getattr(found, name).dtype == getattr(built, name).dtype
    assert not found.nodes.flags.writeable
    assert list(found.words) == list(built.words)
    assert found.numbers(["ab", "x", "bab"]).tolist() == built.numbers(["ab", "x", "bab"]).tolist()
    assert (found.lost, found.longest, found.exact_bits) == (1, built.longest, True)
    assert repr(found) == repr(built)


def test_what_has_changed_is_built_again(path):
    assert list(read(path, "ab\n").words) == ["ab"]
    assert list(read(path, "ab\nb\n").words) == ["ab", "b"]
    assert list(Lexicon.from_file(path, Alphabet("b-", 1)).words) == ["b"]
    assert len(Lexicon.from_file(path, PIECES).arc_target) == 0
    assert len(Lexicon.from_file(path, PIECES, all_spellings=True).arc_target) == 4


def test_a_pipe_is_not_kept(tmp_path):
    """It has neither a size nor a time of its own."""
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "wb") as file:
        file.write(b"ab\n")
        file.close()
        lexicon = Lexicon.from_file(f"/dev/fd/{reading}", ALPHABET)
    assert list(lexicon.words) == ["ab"]
    assert lexicon.nodes.flags.writeable
