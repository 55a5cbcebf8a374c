"""Hot phrases: what they give after each character, and files and values that are refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ctckit import Alphabet, InvalidValueError, NotFoundError
from ctckit.kernels.jit import (
    I32_1D,
    I64_1D,
    OUT_F64_1D,
    OUT_F64_2D,
    OUT_I32_2D,
    U8_1D,
    VOID,
    kernel,
)
from ctckit.kernels.phrases import AT_BOUNDARY, HELD, MOST, PHRASES, follow_phrases
from ctckit.kernels.wordprefixes import fill_boosts, follow_kept
from ctckit.language.phrases import HotPhrases, read_phrases
from ctckit.testing.language import WordLanguage

LETTERS = "abé"
SINGLE = Alphabet([*LETTERS, " ", ".", ""], 5)
PIECES = Alphabet(["", "a", "b", "é", " ", ".", "ab", "b.", "a b", ". ", ".a", "éé"], 0)
MARKED = Alphabet(["▁a", "▁", "b", "", "ab", "▁.", "é", "a"], 3)


@kernel(VOID(I32_1D, PHRASES, OUT_F64_1D, OUT_F64_1D))
def follow(token_ids, phrases, going_on, at_end):
    """Write what phrases give after each of some tokens: in a text that goes on, and at its end."""
    state = np.int64(0)
    total = 0.0
    going_on[0] = phrases[1][0, HELD]
    at_end[0] = phrases[1][0, AT_BOUNDARY]
    for i in range(token_ids.size):
        state, earned = follow_phrases(state, np.int64(token_ids[i]), phrases)
        total += earned
        going_on[i + 1] = total + phrases[1][state, HELD]
        at_end[i + 1] = total + phrases[1][state, AT_BOUNDARY]


def given(automaton, token_ids):
    going_on, at_end = (np.zeros(len(token_ids) + 1) for _ in range(2))
    follow(np.array(token_ids, dtype=np.int32), automaton.columns, going_on, at_end)
    return going_on, at_end


def compare(phrases, alphabet, token_ids, separator=" "):
    """Compare what each begin of a text is given with the reference."""
    automaton = HotPhrases(phrases, alphabet, LETTERS, separator)
    language = WordLanguage(frozenset(), LETTERS, separator=separator, phrases=phrases)
    going_on, at_end = given(automaton, token_ids)
    for length in range(len(token_ids) + 1):
        text = "".join(alphabet.tokens[i] for i in token_ids[:length])
        assert going_on[length] == pytest.approx(language.boost(text, held=True), abs=1e-9), text
        assert at_end[length] == pytest.approx(language.boost(text, held=False), abs=1e-9), text
    return at_end[-1]


def random_phrases(rng, characters):
    """Up to six phrases of one to three words, some weights below zero."""
    phrases = {}
    for _ in range(rng.integers(1, 7)):
        words = ["".join(rng.choice(list(characters), rng.integers(1, 4))) for _ in range(3)]
        phrases[" ".join(words[: rng.integers(1, 4)])] = float(rng.uniform(-2, 5))
    return phrases


@pytest.mark.parametrize(
    ("alphabet", "separator"),
    [(SINGLE, " "), (SINGLE, None), (PIECES, " "), (PIECES, None), (MARKED, "▁")],
    ids=["single", "single, anywhere", "pieces", "pieces, anywhere", "marks"],
)
def test_random_texts(alphabet, separator):
    rng = np.random.default_rng(len(alphabet))
    tokens = list(alphabet.token_ids.values())
    found = 0
    for case in range(300):
        phrases = random_phrases(rng, LETTERS + "." * (case % 2))
        if separator is None:
            phrases = {phrase.replace(" ", ""): weight for phrase, weight in phrases.items()}
        text = rng.choice(tokens, rng.integers(0, 16)).tolist()
        chosen = next(iter(phrases)).replace(" ", separator or "")
        if set(chosen) <= set(alphabet.token_ids):
            text[5:5] = alphabet.encode(chosen).tolist()
        found += compare(phrases, alphabet, text, separator) != 0
    assert found > 50


@pytest.mark.nojit
def test_overlapping_phrases():
    """Each phrase counts, whatever others share its characters."""
    phrases = {"a": 1.0, "a b": 2.0, "b": 4.0, "b a": 8.0, "a b a": 16.0}
    text = SINGLE.encode("a b a")
    assert compare(phrases, SINGLE, text) == 1 + 2 + 4 + 8 + 1 + 16
    assert compare({"aa": 1.0}, SINGLE, SINGLE.encode("aaaa"), separator=None) == 3
    assert compare({"aa": 1.0}, SINGLE, SINGLE.encode("aaaa")) == 0
    assert compare({"a a": 1.0}, SINGLE, SINGLE.encode("a a a")) == 2


def test_phrases_begin_and_end_with_words():
    for text, count in (("ab", 1), ("abé", 0), ("éab", 0), (".ab.", 1), ("ab ab", 2), ("ab.ab", 2)):
        assert compare({"ab": 1.0}, SINGLE, SINGLE.encode(text)) == count, text
        assert compare({"ab": 1.0}, SINGLE, SINGLE.encode(text), separator=None) == text.count("ab")


@pytest.mark.parametrize(
    ("phrase", "texts"),
    [
        (".", {".": 1, "a.b": 1, "..": 2}),
        ("..", {"..": 1, "...": 2, "a..b": 1}),
        ("a.", {"a.": 1, "a.b": 1, "ba.": 0}),
        (".a", {".a": 1, "b.a": 1, ".ab": 0}),
        (".a.", {"b.a.b": 1, ".ba.": 0}),
    ],
)
def test_phrases_that_begin_or_end_with_other_characters(phrase, texts):
    for text, count in texts.items():
        assert compare({phrase: 1.5}, SINGLE, SINGLE.encode(text)) == 1.5 * count, text


def test_what_an_abandoned_phrase_held_is_gone_exactly():
    rng = np.random.default_rng(3)
    phrases = {"aba": 0.1, "ab é": 1 / 3, "éé.": -0.7, "b.a": 1e-3, "a bab": 123.456}
    held = 0
    for _ in range(300):
        text = "".join(rng.choice(list("abé ."), 30))
        language = WordLanguage(frozenset(), LETTERS, phrases=dict.fromkeys(phrases, 1.0))
        if language.boost(text, held=False):
            continue
        automaton = HotPhrases(phrases, SINGLE, LETTERS, " ")
        going_on, at_end = given(automaton, SINGLE.encode(text))
        assert at_end[-1] == 0.0
        held += np.count_nonzero(going_on)
    assert held > 100


def test_a_weight_below_zero_is_held_by_nobody():
    going_on, at_end = given(HotPhrases({"abé": -3.0}, SINGLE, LETTERS, " "), SINGLE.encode("abé"))
    assert going_on.tolist() == [0.0] * 4
    assert at_end.tolist() == [0.0, 0.0, 0.0, -3.0]
    assert compare({"abé": -3.0, "ab.": 2.0}, SINGLE, SINGLE.encode("ab.abé")) == -1.0


def test_bounds_of_what_may_come():
    """After any state no token gives more than its bound."""
    rng = np.random.default_rng(4)
    for alphabet, separator in ((SINGLE, " "), (SINGLE, None), (PIECES, " "), (MARKED, "▁")):
        tokens = list(alphabet.token_ids.values())
        for _ in range(60):
            phrases = random_phrases(rng, LETTERS + ".")
            if separator is None:
                phrases = {phrase.replace(" ", ""): weight for phrase, weight in phrases.items()}
            automaton = HotPhrases(phrases, alphabet, LETTERS, separator)
            weights = automaton.columns[1]
            text = rng.choice(tokens, 12).tolist()
            going_on, _ = given(automaton, text)
            states = states_of(automaton, text)
            for i, state in enumerate(states[:-1]):
                bound = going_on[i] - weights[state, HELD] + weights[state, MOST]
                assert going_on[i + 1] <= bound + automaton.at_once + 1e-9


@kernel(VOID(PHRASES, I64_1D, U8_1D, OUT_F64_2D, OUT_F64_2D, OUT_I32_2D, OUT_I32_2D))
def all_steps(phrases, class_of, class_apart, kept, followed, kept_states, followed_states):
    """Write what each class gives after each state, and the next: kept for a state, and followed.

    The last row of `kept` is what a look-up says beside `follow_phrases`, at most.
    """
    row_state = np.zeros(1, dtype=np.int64)
    row = np.zeros((1, followed.shape[1]), dtype=np.int32)
    for state in range(followed.shape[0]):
        most = phrases[1][state, MOST]
        row_state[0] = state
        fill_boosts(state, most, kept[state], row[0], phrases, class_of, class_apart)
        for c in range(followed.shape[1]):
            then, earned = follow_phrases(np.int64(state), c, phrases)
            followed[state, c] = np.exp(earned + phrases[1][then, HELD] - most)
            followed_states[state, c] = then
            then, other = follow_kept(np.int64(state), c, row_state, row, class_apart, phrases)
            kept_states[state, c] = then
            kept[-1, c] = max(kept[-1, c], abs(other - earned))


@pytest.mark.nojit
def test_what_is_kept_is_what_is_followed():
    rng = np.random.default_rng(6)
    for alphabet, separator in ((SINGLE, " "), (SINGLE, None), (PIECES, " ")):
        for _ in range(20):
            phrases = random_phrases(rng, LETTERS + ".")
            if separator is None:
                phrases = {phrase.replace(" ", ""): weight for phrase, weight in phrases.items()}
            columns = HotPhrases(phrases, alphabet, LETTERS, separator).columns
            states, _, _, class_characters, class_offsets, in_word = columns
            class_of = np.zeros(len(in_word), dtype=np.int64)
            class_apart = np.zeros(len(alphabet), dtype=np.uint8)
            for c in range(len(alphabet)):
                for character in class_characters[class_offsets[c] : class_offsets[c + 1]]:
                    class_of[character] = c
                    class_apart[c] = not in_word[character]
            if alphabet is PIECES:
                class_of, class_apart = class_of[:0], class_apart[:0]
            kept = np.zeros((len(states) + 1, len(alphabet)))
            followed = np.zeros((len(states), len(alphabet)))
            kept_states, followed_states = np.zeros((2, *followed.shape), dtype=np.int32)
            all_steps(columns, class_of, class_apart, kept, followed, kept_states, followed_states)
            tokens = list(alphabet.token_ids.values())  # all classes but the blank
            np.testing.assert_allclose(kept[:-1, tokens], followed[:, tokens], rtol=1e-9)
            assert followed[:, tokens].max() <= 1 + 1e-9 or alphabet is PIECES
            assert kept[-1, tokens].max() < 1e-12
            reached = slice(None if separator else -1)  # outside of all phrases, where that can be
            assert (kept_states == followed_states)[reached, tokens].all()


def states_of(automaton, token_ids):
    """The states after each token, found by what they hold: the kernel tells sums alone."""
    states = [0]
    follow_one = getattr(follow_phrases, "py_func", follow_phrases)
    for token in token_ids:
        states.append(int(follow_one(np.int64(states[-1]), np.int64(token), automaton.columns)[0]))
    return states


def test_many_phrases():
    rng = np.random.default_rng(5)
    letters = "abcdefghij"
    phrases = {
        " ".join("".join(rng.choice(list(letters), 5)) for _ in range(3)): 1.0
        for _ in range(10_000)
    }
    alphabet = Alphabet([*letters, " ", ""], 11)
    automaton = HotPhrases(phrases, alphabet, letters, " ")
    chosen = list(phrases)[::2000]
    text = " ".join(chosen)
    assert given(automaton, alphabet.encode(text))[1][-1] == len(chosen)


def test_phrases_of_a_file(tmp_path):
    path = tmp_path / "phrases.txt"
    path.write_bytes("\ufefféa  b\t2.5\r\n\n  a.\r\nb\t-1e-1\n\u2028 a\t \n".encode())
    assert read_phrases(path, 7.0) == {"éa b": 2.5, "a.": 7.0, "b": -0.1, "a": 7.0}


def test_phrases_of_python():
    assert read_phrases(["a  b", "c"], 3.0) == {"a b": 3.0, "c": 3.0}
    assert read_phrases(iter(["c"]), 3.0) == {"c": 3.0}
    weights = {"a": 1, "b": np.float32(0.5), "c": np.int64(-2), "d": 0.0}
    assert read_phrases(weights, 3.0) == {"a": 1.0, "b": 0.5, "c": -2.0, "d": 0.0}


@pytest.mark.parametrize(
    ("phrases", "message"),
    [
        ([], "hot phrases must be one at least, got none; leave the option out"),
        (["a", " "], "hot phrases must be strings with some character, got ' '; leave it out"),
        ([3], "hot phrases must be strings with some character, got 3; leave it out"),
        (["a b", "c", "a  b"], "hot phrases must be different, got 'a b' twice, again as 'a  b'; "),
        ({"a": "1"}, "weights of hot phrases must be finite numbers, got '1' for 'a'; 10 is "),
        ({"a": True}, "weights of hot phrases must be finite numbers, got True for 'a'"),
        ({"a": None}, "weights of hot phrases must be finite numbers, got None for 'a'"),
        ({"a": float("nan")}, "weights of hot phrases must be finite numbers, got nan for 'a'"),
        ({"a": float("inf")}, "weights of hot phrases must be finite numbers, got inf for 'a'"),
        ({"a": 1j}, "weights of hot phrases must be finite numbers, got 1j for 'a'"),
    ],
)
def test_phrases_that_are_refused(phrases, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        read_phrases(phrases, 1.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "hot phrases must be one at least, got none"),
        (b"\n \n", "hot phrases must be one at least, got none"),
        (b"a\n\na\t2", "hot phrases must be different, got 'a' twice, again as line 3 of 'PATH'; "),
        (
            b"a\n\n\t3 ",
            "hot phrases must have some character, got '\\t3' in line 3 of 'PATH'; write phra",
        ),
        (
            b"\n\na\tten",
            "weights of hot phrases must be numbers, got 'ten' in line 3 of 'PATH'; wr",
        ),
        (b"a\t1\t2", "weights of hot phrases must be numbers, got '1\\t2' in line 1 of 'PATH'; "),
        (b"a\tnan", "weights of hot phrases must be finite numbers, got nan for line 1 of 'PATH'"),
        (
            b"a\t-inf",
            "weights of hot phrases must be finite numbers, got -inf for line 1 of 'PATH'",
        ),
        (b"a\nb\xe9c", "hot phrases must be UTF-8, got byte 0xe9 in line 2 of 'PATH'; convert it"),
    ],
)
def test_files_that_are_refused(tmp_path, content, message):
    path = tmp_path / "phrases.txt"
    path.write_bytes(content)
    with pytest.raises(InvalidValueError, match=re.escape(message.replace("PATH", str(path)))):
        read_phrases(path, 1.0)


def test_files_that_are_not_there(tmp_path):
    path = tmp_path / "none.txt"
    with pytest.raises(
        NotFoundError,
        match=re.escape(f"hot phrases must be a text file, got '{path}', which does not exist; "),
    ):
        read_phrases(path, 1.0)
    with pytest.raises(InvalidValueError, match="hot phrases must be a readable text file, got "):
        read_phrases(tmp_path, 1.0)


def test_phrases_that_the_alphabet_cannot_spell():
    message = "hot phrases must be spelled in the alphabet, got 'ab xax' with 'x', which it lacks; "
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        HotPhrases({"a": 1.0, "ab xax": 2.0}, SINGLE, LETTERS, " ")
    message = "hot phrases must be spelled in the alphabet, got 'a b' with ' ', which it lacks; "
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        HotPhrases({"a b": 1.0}, Alphabet("ab-", 2), LETTERS, " ")
    HotPhrases({"a b": 1.0}, Alphabet("ab-", 2), LETTERS, None)


def test_phrases_that_differ_in_spaces_alone():
    phrases = {"a b": 1.0, "é": 1.0, "ab": 2.0}
    HotPhrases(phrases, SINGLE, LETTERS, " ")
    message = (
        "hot phrases must be different, got 'a b' and 'ab', both 'ab' without word_separator; "
        "leave one out"
    )
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        HotPhrases(phrases, SINGLE, LETTERS, None)
