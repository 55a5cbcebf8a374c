from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from ctckit import Alphabet, CtckitError, InvalidValueError

pytestmark = pytest.mark.nojit


@pytest.mark.parametrize("blank", [0, 1, 3])
def test_blank_at_any_index(blank):
    tokens = list("abc")
    tokens.insert(blank, "")
    alphabet = Alphabet(tokens, blank)
    assert len(alphabet) == 4
    assert alphabet.blank == blank
    assert blank not in alphabet.encode("abcabc")
    assert alphabet.decode(alphabet.encode("cab")) == "cab"


def test_tokens_of_several_code_points_are_encoded_longest_first():
    alphabet = Alphabet(["s", "sch", "", "c", "h", "e\u0301", "e"], blank=2)
    assert not alphabet.single_characters
    assert alphabet.encode("schse\u0301ch").tolist() == [1, 0, 5, 3, 4]
    assert alphabet.encode("scse").tolist() == [0, 3, 0, 6]
    assert alphabet.decode([1, 5]) == "sche\u0301"


def test_encode_gives_int32_and_takes_the_empty_text():
    ids = Alphabet("ab-", 2).encode("")
    assert ids.dtype == np.int32
    assert ids.tolist() == []


def test_encode_refuses_what_no_token_covers():
    with pytest.raises(
        InvalidValueError,
        match=r"text must be spelled in the alphabet, got 'x' at position 2 of 'abx'; add",
    ):
        Alphabet("ab-", 2).encode("abx")


def test_the_string_of_the_blank_is_no_token():
    alphabet = Alphabet("ab-", 2)
    assert alphabet.token_ids == {"a": 0, "b": 1}
    with pytest.raises(InvalidValueError, match="got '-' at position 0"):
        alphabet.encode("-")


@pytest.mark.parametrize(
    "tokens",
    [
        ["a", "b", "", "c"],
        ["a", "é", "", "\U0001f600"],
        ["\ufeff", "\x00", "", "\r"],
        ["ab", "b", "", "c"],
    ],
    ids=["ascii", "astral", "odd", "several code points"],
)
def test_decode_many_equals_decode(tokens):
    alphabet = Alphabet(tokens, 2)
    rows = [[0, 1, 3, 3], [], [1], [], [0]]
    offsets = np.cumsum([0, *map(len, rows)])
    flat = np.array([i for row in rows for i in row], dtype=np.int32)
    assert alphabet.decode_many(flat, offsets) == [alphabet.decode(row) for row in rows]
    empty = np.zeros(0, dtype=np.int32)
    assert alphabet.decode_many(empty, np.array([0, 0])) == [""]
    assert alphabet.decode_many(empty, np.array([0])) == []


def test_equality_ignores_the_string_of_the_blank():
    one, other = Alphabet(["a", ""], 1), Alphabet(["a", "<blank>"], 1)
    assert one == other
    assert hash(one) == hash(other)
    assert one.fingerprint == other.fingerprint
    assert len({one, other}) == 1


@pytest.mark.parametrize(
    "other", [Alphabet(["b", ""], 1), Alphabet(["", "a"], 0), Alphabet(["a", "b", ""], 2), "a"]
)
def test_different_alphabets_differ(other):
    alphabet = Alphabet(["a", ""], 1)
    assert alphabet != other
    if isinstance(other, Alphabet):
        assert alphabet.fingerprint != other.fingerprint


def test_fingerprint_is_the_same_in_every_process():
    # Written down: it is stored in dumps.
    assert Alphabet(["a", ""], 1).fingerprint == (
        "58ab2e79bc0a45f73116246ebbab08c250b75127c07096398da7f74f5eb51ad6"
    )


def test_fingerprint_of_bool_and_numpy_blank():
    assert Alphabet(["a", ""], np.int64(1)).fingerprint == Alphabet(["a", ""], 1).fingerprint
    assert type(Alphabet(["a", ""], np.int64(1)).blank) is int


@pytest.mark.parametrize("clone", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
def test_pickle_and_copy(clone):
    alphabet = Alphabet(["a", "<blank>", "bc"], 1)
    alphabet.fingerprint  # noqa: B018 - a cached value must not break pickling
    again = clone(alphabet)
    assert again == alphabet
    assert again.tokens == alphabet.tokens


def test_an_alphabet_does_not_change():
    alphabet = Alphabet("ab-", 2)
    with pytest.raises(AttributeError, match="does not change, got a new blank"):
        alphabet.blank = 0
    assert isinstance(alphabet.tokens, tuple)


def test_repr_is_short():
    text = repr(Alphabet([*map(chr, range(100, 5000)), ""], 4900))
    assert text.startswith("Alphabet(4901 tokens, blank=4900, ")
    assert len(text) < 80


def test_alphabet_of_the_blank_alone():
    alphabet = Alphabet([""], 0)
    assert alphabet.decode([]) == ""
    assert alphabet.decode_many(np.zeros(0, np.int32), np.array([0, 0])) == [""]


@pytest.mark.parametrize(
    ("tokens", "blank", "message"),
    [
        ([], 0, r"tokens must hold at least the blank, got none; give one string a class"),
        (["a", ""], 2, r"blank must be 0 to 1, got 2; the alphabet has 2 tokens"),
        (["a", ""], -1, r"blank must be 0 to 1, got -1;"),
        (["a", ""], 1.0, r"blank must be an integer, got 1\.0; give the class index"),
        (["a", ""], None, r"blank must be an integer, got None"),
        (["a", "", "b"], 2, r"tokens must not be empty, got '' at index 1; only the blank"),
        (["a", "b", "a", ""], 3, r"tokens must be unique, got 'a' at index 0 and 2; remove"),
        (["a", 5, ""], 2, r"tokens must be strings, got 5 at index 1; give one string"),
        (["a", None], 1, r"tokens must be strings, got None at index 1"),
        (["a", "\ud800", ""], 2, r"tokens must be valid Unicode, got '\\ud800' at index 1"),
    ],
)
def test_bad_alphabets(tokens, blank, message):
    with pytest.raises(InvalidValueError, match=message) as caught:
        Alphabet(tokens, blank)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, CtckitError)


@pytest.mark.parametrize("token_ids", [[5], [-1], [2], [0, 9]])
def test_ids_that_are_no_tokens_are_refused(token_ids):
    with pytest.raises(InvalidValueError, match=r"token_ids must be 0 to 2 without the blank 2"):
        Alphabet("ab-", 2).decode(token_ids)


def test_tokens_that_are_no_sequence_are_refused():
    with pytest.raises(InvalidValueError, match="tokens must be a sequence of strings, got None"):
        Alphabet(None, 0)
