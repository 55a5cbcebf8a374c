"""Decoders that are made of a function."""

from __future__ import annotations

import pickle
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from ctckit import (
    REQUIRED,
    Alphabet,
    CtckitWarning,
    Decoder,
    InvalidValueError,
    MatrixBatch,
    NotFoundError,
    PluginError,
    decoder,
    option,
)

if TYPE_CHECKING:
    from nowhere import Matrix

pytestmark = pytest.mark.nojit


@decoder
def greedy(log_probs: Matrix, alphabet):
    """Take the likeliest class of each frame.

    More is said here.
    """
    best = log_probs.argmax(axis=1)
    best = best[np.diff(best, prepend=-1) != 0]
    return alphabet.decode(best[best != alphabet.blank])


@decoder
def tuned(
    log_probs,
    alphabet,
    /,
    *,
    size: int,
    floor: float = 0.5,
    mode: str = option("fast", choices=["fast", "slow"], help="How to go."),
    lexicon: Path | None = None,
    loud: bool = False,
    most: int = option(help="At most.", minimum=1),
):
    """Say what it was given."""
    return f"{size} {floor} {mode} {lexicon} {loud} {most}"


def test_it_is_a_class_by_the_functions_name():
    assert issubclass(greedy, Decoder)
    assert (greedy.__name__, greedy.__qualname__, greedy.__module__) == (
        "greedy",
        "greedy",
        __name__,
    )
    assert greedy.__doc__.splitlines()[0] == "Take the likeliest class of each frame."
    assert greedy.options == {}
    assert (greedy.contract, greedy.scores_are_log_probs) == (1, True)
    assert (greedy.exhaustive, greedy.known_failings) == (None, {})


def test_it_reads_each_matrix(batch, alphabet):
    decoded = greedy(alphabet).decode_batch(batch, n_best=3)
    for line, matrix in zip(decoded, batch, strict=True):
        path = matrix.argmax(axis=1).tolist()
        collapsed = [c for i, c in enumerate(path) if i == 0 or path[i - 1] != c]
        assert [list(one.token_ids) for one in line] == [[c for c in collapsed if c != 3]]
        assert line[0].score == line[0].log_prob


def test_what_the_function_gets(batch, alphabet):
    seen = []

    @decoder
    def looks(log_probs, alphabet):
        seen.append((log_probs.dtype, log_probs.shape, log_probs.flags.writeable, alphabet))
        return ""

    looks(alphabet).decode_batch(batch, threads=1)
    assert seen == [(np.float32, matrix.shape, False, alphabet) for matrix in batch]


def test_options(batch, alphabet):
    one = tuned.options["floor"]
    assert (one.name, one.type, one.default, one.help) == (
        "floor",
        float,
        0.5,
        "The parameter floor.",
    )
    assert list(tuned.options) == ["size", "floor", "mode", "lexicon", "loud", "most"]
    assert tuned.options["size"].default is tuned.options["most"].default is REQUIRED
    assert tuned.options["mode"].choices == ("fast", "slow")
    assert tuned.options["lexicon"].optional

    @decoder
    def tells(log_probs, alphabet, *, times: int = 2):
        return "a" * times

    assert tells(alphabet).decode_batch(batch).texts() == ["aa"] * 5
    assert tells(alphabet, times=np.int64(3)).decode_batch(batch).texts() == ["aaa"] * 5
    assert tells(alphabet, times=3).times == 3
    with pytest.raises(
        NotFoundError, match=r"the decoder tells's, got 'time'; did you mean 'times'"
    ):
        tells(alphabet, time=3)
    with pytest.raises(
        InvalidValueError, match="times must be an integer, got 'x'; it is: The par"
    ):
        tells(alphabet, times="x")
    with pytest.raises(
        InvalidValueError, match="size must be given to the decoder tuned, got noth"
    ):
        tuned(alphabet, most=1)
    with pytest.raises(
        InvalidValueError, match="most must be an integer of at least 1, got 0; it i"
    ):
        tuned(alphabet, size=3, most=0)


def test_claims():
    @decoder(
        contract=7,
        scores_are_log_probs=False,
        exhaustive={"most": 9},
        known_failings={"quiet": "x"},
    )
    def claims(log_probs, alphabet, *, most: int = 1):
        return ""

    assert issubclass(claims, Decoder)
    assert (claims.contract, claims.scores_are_log_probs) == (7, False)
    assert (claims.exhaustive, claims.known_failings) == ({"most": 9}, {"quiet": "x"})


def test_tokens_of_several_characters():
    alphabet = Alphabet(["a", "ab", "c", ""], blank=3)

    @decoder
    def says(log_probs, alphabet):
        return "abca"

    batch = MatrixBatch.from_logits(np.zeros((1, 2, 4)), alphabet)
    assert says(alphabet).decode_batch(batch)[0][0].token_ids == (1, 2, 0)


def test_it_can_be_pickled(batch, alphabet):
    made = pickle.loads(pickle.dumps(tuned(alphabet, size=3, most=4, floor=0.25)))
    assert type(made) is tuned
    assert (made.size, made.floor, made.most) == (3, 0.25, 4)
    assert pickle.loads(pickle.dumps(greedy)) is greedy


def test_threads_and_one_by_one(alphabet):
    rng = np.random.default_rng(0)
    batch = MatrixBatch.from_logits(rng.normal(size=(16, 1000, 4)), alphabet)
    names = set()

    @decoder
    def notes(log_probs, alphabet):
        names.add(threading.current_thread().name)
        return alphabet.tokens[log_probs[0, :3].argmax()]

    made = notes(alphabet)
    texts = made.decode_batch(batch, threads=2).texts()
    assert all("ctckit" in name for name in names)
    assert texts == [made.decode_batch(batch[i : i + 1]).texts()[0] for i in range(16)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("5", "5 (int) instead of a text"),
        ("None", "None (NoneType) instead of a text"),
        ("b'a'", "b'a' (bytes) instead of a text"),
        ("[0] * 1000", r"[0, 0, 0, 0, 0, 0, ...] (list) instead of a text"),
    ],
)
def test_what_is_no_text(batch, alphabet, text, fault):
    @decoder
    def odd(log_probs, alphabet):
        return eval(text) if len(log_probs) == 7 else ""

    with pytest.raises(
        PluginError,
        match=re.escape(
            f"decoder odd returned {fault} for matrix '2' (line 3 of 5); this is a fault of it"
        ),
    ):
        odd(alphabet).decode_batch(batch)


def test_a_character_that_the_alphabet_lacks(batch, alphabet):
    @decoder
    def odd(log_probs, alphabet):
        return "ab<b" if len(log_probs) == 7 else "ab"

    with pytest.raises(
        PluginError,
        match=re.escape(
            "decoder odd returned the text 'ab<b' for matrix '2' (line 3 of 5), whose '<' at "
            "position 2 the alphabet lacks; this is a fault of it"
        ),
    ):
        odd(alphabet).decode_batch(batch)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_the_function_raises_names_the_matrix_without_a_second_try(alphabet, threads):
    calls = []

    @decoder
    def fails(log_probs, alphabet):
        calls.append(1)
        if len(log_probs) == 1001:
            raise KeyError("lost")
        return ""

    logits = [np.zeros((1000 + (i == 9), 4)) for i in range(16)]
    batch = MatrixBatch.from_logits(logits, alphabet, ids=[f"p{i}" for i in range(16)])
    with pytest.raises(
        PluginError,
        match=r"decoder fails failed on matrix 'p9' \(line 10 of 16\): KeyError: 'lost'",
    ) as caught:
        fails(alphabet).decode_batch(batch, threads=threads)
    assert isinstance(caught.value.__cause__, KeyError)
    assert len(calls) <= 16


def test_our_errors_keep_their_class_and_interrupts_and_warnings_pass(batch, alphabet):
    @decoder
    def fails(log_probs, alphabet, *, kind: str):
        if kind == "interrupt":
            raise KeyboardInterrupt
        if kind == "warning":
            raise CtckitWarning("be careful")
        return alphabet.decode([alphabet.blank])

    with pytest.raises(
        InvalidValueError,
        match=r"^decoder fails failed on matrix '0' \(line 1 of 5\): token_ids must",
    ):
        fails(alphabet, kind="error").decode_batch(batch)
    with pytest.raises(KeyboardInterrupt):
        fails(alphabet, kind="interrupt").decode_batch(batch)
    with pytest.raises(CtckitWarning, match="be careful"):
        fails(alphabet, kind="warning").decode_batch(batch)


async def coroutine(log_probs, alphabet):
    return ""


def generator(log_probs, alphabet):
    yield ""


async def both(log_probs, alphabet):
    yield ""


def nothing():
    return ""


def one(log_probs):
    return ""


def three(log_probs, alphabet, floor=0.5):
    return ""


def swapped(alphabet, log_probs):
    return ""


def several(log_probs, alphabet, *others):
    return ""


def anything(log_probs, alphabet, **options):
    return ""


def untyped(log_probs, alphabet, *, floor=0.5):
    return ""


def oddly_typed(log_probs, alphabet, *, floor: list[int] = 3):
    return ""


def unknown_type(log_probs, alphabet, *, floor: Matrix = 3):
    return ""


def bad_default(log_probs, alphabet, *, floor: int = "x"):
    return ""


def reserved(log_probs, alphabet, *, n_best: int = 3):
    return ""


RETURNS = "decoder must be a function that returns a text, got "
TAKES = "must take log_probs and alphabet, and options by keyword only (after a *), got "


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (coroutine, RETURNS + "coroutine, which is a coroutine; write it without async and yield"),
        (generator, RETURNS + "generator, which is a generator; "),
        (both, RETURNS + "both, which is an asynchronous generator; "),
        (lambda log_probs, alphabet: "", "decoder must be a function that has a name, got "),
        (greedy, "decoder must be a function that has a name, got greedy; write it with def"),
        (5, "decoder must be a function that has a name, got 5; "),
        (nothing, f"decoder nothing {TAKES}(); change its parameters"),
        (one, f"decoder one {TAKES}(log_probs); "),
        (three, f"decoder three {TAKES}(log_probs, alphabet, floor); "),
        (swapped, f"decoder swapped {TAKES}(alphabet, log_probs); "),
        (several, "parameters of the decoder several must be declared, got *others; what is not"),
        (anything, "parameters of the decoder anything must be declared, got **options; "),
        (
            untyped,
            "option untyped.floor must be annotated as int, float, bool, str or Path, got no",
        ),
        (oddly_typed, "option oddly_typed.floor must be annotated as int, float, bool, str or Pa"),
        (
            unknown_type,
            "options of the decoder unknown_type must be annotated with types that are known when "
            "it is made, got NameError: name 'Matrix' is not defined; import them",
        ),
        (bad_default, "floor must be an integer, got 'x'; it is: The parameter floor."),
        (reserved, "option reserved.n_best must have another name, got one that every decoder "),
    ],
)
def test_what_is_refused_at_decoration(function, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        decoder(function)
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        decoder(known_failings={})(function)


def test_the_module_of_the_function_is_the_classs():
    assert sys.modules[greedy.__module__].greedy is greedy
