from __future__ import annotations

import pickle
import re
import threading
from types import MappingProxyType

import numpy as np
import pytest

from ctckit import (
    Alphabet,
    AlphabetMismatchError,
    CtckitError,
    Decoder,
    InvalidValueError,
    MatrixBatch,
    PluginError,
    SearchResult,
    decoder,
    load_decoder,
    option,
)
from ctckit.parallel import split

pytestmark = pytest.mark.nojit


class Given(Decoder):
    """Returns what the test gives it."""

    def search(self, batch, n_best):
        return self.answer(batch, n_best)


@pytest.fixture
def decode(alphabet):
    """Return a function that decodes with a given search."""

    def run(batch, answer, **keywords):
        decoder = Given(alphabet)
        decoder.answer = answer
        return decoder.decode_batch(batch, **keywords)

    return run


class Named(Decoder):
    """Has an option and something to prepare."""

    beam_width: int = option(25, minimum=1, help="width")

    def prepare(self):
        self.prepared_with = self.beam_width

    def search(self, batch, n_best):
        return SearchResult.from_best([[0] * self.beam_width] * len(batch))

    def check_n_best(self, n_best):
        if n_best > self.beam_width:
            raise InvalidValueError(f"n_best must be at most {self.beam_width}, got {n_best}")


def test_prepare_runs_after_the_options_are_set(alphabet):
    assert Named(alphabet, beam_width=3).prepared_with == 3


def test_a_labels_only_decoder_is_complete(batch, decode):
    decoded = decode(batch, lambda batch, n_best: SearchResult.from_best([[0]] * len(batch)))
    assert decoded.texts() == ["a"] * 5
    best = decoded[0][0]
    assert best.score == best.log_prob < 0
    assert len(best.timesteps) == 1


def test_search_sees_valid_chunks_of_the_batch(alphabet, decode):
    seen = []
    lock = threading.Lock()

    def answer(batch, n_best):
        with lock:
            seen.append((batch.ids[0], len(batch), batch.offsets[0], n_best))
        return SearchResult.from_best([[0]] * len(batch))

    batch = MatrixBatch.from_logits(np.zeros((16, 1000, 4)), alphabet)
    assert len(decode(batch, answer, n_best=3, threads=2)) == 16
    expected = [(str(a), b - a, 0, 3) for a, b in split(batch.offsets, 2)]
    assert sorted(seen) == sorted(expected)
    assert len(seen) > 2
    seen.clear()
    decode(batch, answer, threads=1)
    assert seen == [("0", 16, 0, 1)]


def test_columns_of_other_types_are_converted(batch, decode):
    def answer(batch, n_best):
        count = len(batch)
        return SearchResult(
            np.arange(4 * count, dtype=np.int64)[::2] % 3,
            np.arange(0, 2 * count + 1, 2, dtype=np.int32),
            np.arange(count + 1, dtype=np.uint16),
            np.zeros(count, dtype=np.float32),
        )

    decoded = decode(batch, answer)
    assert decoded.token_ids.dtype == np.int32
    assert decoded.hypothesis_offsets.dtype == decoded.token_offsets.dtype == np.int64
    assert decoded.scores.dtype == np.float64
    assert decoded[0][0].token_ids == (0, 2)
    assert decoded[0][0].log_prob < 0
    assert decoded[0][0].timesteps is not None


def test_an_empty_batch(alphabet, decode):
    empty = MatrixBatch.from_log_probs([], alphabet)
    assert decode(empty, lambda batch, n_best: SearchResult.from_best([])).texts() == []


def columns(token_ids, token_offsets, hypothesis_offsets, scores=None):
    return SearchResult(
        np.array(token_ids, dtype=np.int32),
        np.array(token_offsets),
        np.array(hypothesis_offsets),
        None if scores is None else np.array(scores, dtype=np.float64),
    )


FLOAT_IDS = SearchResult(np.zeros(2), np.arange(3), np.arange(3))
LIST_OFFSETS = SearchResult(np.zeros(2, dtype=np.int32), [0, 1, 2], np.arange(3))
SQUARE_OFFSETS = SearchResult(np.zeros(2, dtype=np.int32), np.arange(3), np.zeros((1, 3), int))
INTEGER_SCORES = SearchResult(np.zeros(2, dtype=np.int32), np.arange(3), np.arange(3), np.arange(2))
LIST_SCORES = SearchResult(np.zeros(2, dtype=np.int32), np.arange(3), np.arange(3), [0.0, 0.0])


X, Y = "matrix 'x' (line 1 of 2)", "matrix 'page-7' (line 2 of 2)"


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        (None, "NoneType instead of a SearchResult"),
        (["a", "b"], "list instead of a SearchResult"),
        (FLOAT_IDS, "token_ids that is not a one-dimensional integer array"),
        (LIST_OFFSETS, "token_offsets that is not a one-dimensional integer array"),
        (SQUARE_OFFSETS, "hypothesis_offsets that is not a one-dimensional integer array"),
        (
            columns([], [0], np.zeros(0, int)),
            "hypothesis_offsets without an entry, where the first is 0",
        ),
        (columns([], np.zeros(0, int), [0]), "token_offsets without an entry, where the first is"),
        (
            SearchResult.from_best([[0]]),
            "1 line for matrices 'x' to 'page-7' (lines 1 to 2 of 2), where 2 must come",
        ),
        (SearchResult.from_best([[0]] * 3), f"3 lines for {X}, where 1 must come"),
        (SearchResult.from_best([]), f"no lines for {X}, where 1 must come"),
        (columns([0], [0, 1], [0, 1, 2]), "hypothesis_offsets that do not span the 1 hypotheses"),
        (columns([0], [0, 1], [1, 1, 1]), "hypothesis_offsets that do not span the 1 hypotheses"),
        (
            SearchResult.from_lists([[[0]], []]),
            f"0 hypotheses for {Y}, where 1 to 2 were asked",
        ),
        (
            SearchResult.from_lists([[[0]] * 3, [[0]]], [[-1.0] * 3, [-1.0]]),
            f"3 hypotheses for {X}, where 1 to 2 were asked",
        ),
        (columns([0], [0, 1, 2], [0, 1, 2]), "token_offsets that do not span the 1 token ids"),
        (columns([0], [1, 1, 1], [0, 1, 2]), "token_offsets that do not span the 1 token ids"),
        (columns([0], [0, 2, 1], [0, 1, 2]), f"token_offsets that fall for {Y}"),
        (
            columns([0], np.array([0, 2, 1], dtype=np.uint64), [0, 1, 2]),
            f"token_offsets that fall for {Y}",
        ),
        (
            SearchResult.from_best([[0], [1, 4]]),
            f"token id 4 for {Y}, where 0 to 3 without the blank 3 are allowed",
        ),
        (SearchResult.from_best([[-1], [1]]), f"token id -1 for {X}, where 0 to 3 without"),
        (
            SearchResult.from_best([[0, 1], [1, 3]]),
            f"token id 3 for {Y}, where 0 to 3 without the blank 3 are allowed",
        ),
        (
            SearchResult.from_lists([[[0]], [[0], [1]]]),
            f"several hypotheses without scores for {Y}",
        ),
        (INTEGER_SCORES, "scores that are not a float array"),
        (LIST_SCORES, "scores that are not a float array"),
        (columns([], [0, 0, 0], [0, 1, 2], [-1.0]), "scores of shape (1,) for 2 hypotheses"),
        (SearchResult.from_best([[0], [0]], [-1.0, np.nan]), f"a score that is NaN for {Y}"),
        (
            SearchResult.from_lists([[[0], [1]], [[0], [1]]], [[-2.0, -3.0], [-2.0, -1.0]]),
            f"scores that rise for {Y}",
        ),
        (
            SearchResult.from_lists([[[0]], [[0], [0]]], [[-2.0], [-2.0, -2.5]]),
            f"a text twice for {Y}",
        ),
    ],
)
def test_what_a_plugin_must_not_return(alphabet, decode, result, fault):
    batch = MatrixBatch.from_logits(np.zeros((2, 3, 4)), alphabet, ids=["x", "page-7"])
    message = re.escape(f"decoder Given returned {fault}")
    with pytest.raises(PluginError, match=message + ".*; this is a fault of it"):
        decode(batch, lambda batch, n_best: result, n_best=2)


def test_unsigned_offsets_of_several_texts(batch, decode):
    def answer(batch, n_best):
        made = SearchResult.from_lists([[[0], [1, 1]]] * len(batch), [[-1.0, -2.0]] * len(batch))
        offsets = made.token_offsets.astype(np.uint64), made.hypothesis_offsets.astype(np.uint64)
        return SearchResult(made.token_ids.astype(np.uint64), *offsets, made.scores)

    decoded = decode(batch, answer, n_best=2)
    assert decoded.all_texts() == ["a", "bb"] * 5
    assert decoded.token_offsets.dtype == np.int64


def test_the_matrix_that_a_search_leaves_out_is_found(batch, decode):
    def answer(batch, n_best):
        return SearchResult.from_best([[0] for matrix in batch if len(matrix)])

    with pytest.raises(
        PluginError,
        match=r"decoder Given returned no lines for matrix '1' \(line 2 of 5\), where 1 must come",
    ):
        decode(batch, answer)


def test_a_checker_that_stumbles_over_a_result_blames_it(batch, decode):
    class Odd(dict):
        def __iter__(self):
            raise RuntimeError("not now")

    def answer(batch, n_best):
        made = SearchResult.from_best([[0]] * len(batch), [-1.0] * len(batch))
        return SearchResult(
            made.token_ids, made.token_offsets, made.hypothesis_offsets, made.scores, Odd(x=1)
        )

    with pytest.raises(PluginError, match=r"decoder Given failed on .*: RuntimeError: not now"):
        decode(batch, answer)


def test_an_empty_result_for_an_empty_batch_is_checked(alphabet, decode):
    empty = MatrixBatch.from_log_probs([], alphabet)
    with pytest.raises(PluginError, match="returned 1 line for no matrices, where 0 must come"):
        decode(empty, lambda batch, n_best: SearchResult.from_best([[0]]))


def test_scores_may_rise_from_one_matrix_to_the_next_and_be_minus_infinity(alphabet, decode):
    batch = MatrixBatch.from_logits(np.zeros((2, 3, 4)), alphabet)
    result = SearchResult.from_lists([[[0], [1]], [[0], [1]]], [[-2.0, -np.inf], [-1.0, -1.0]])
    decoded = decode(batch, lambda batch, n_best: result, n_best=2)
    assert decoded.scores.tolist() == [-2.0, -np.inf, -1.0, -1.0]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_plugin_that_raises(alphabet, decode, threads):
    def answer(batch, n_best):
        if "line-9" in batch.ids:
            raise ZeroDivisionError("by nothing")
        return SearchResult.from_best([[0]] * len(batch))

    ids = [f"line-{i}" for i in range(16)]
    batch = MatrixBatch.from_logits(np.zeros((16, 1000, 4)), alphabet, ids=ids)
    with pytest.raises(
        PluginError,
        match=r"decoder Given failed on matrix 'line-9' \(line 10 of 16\): ZeroDivisionError: by ",
    ) as caught:
        decode(batch, answer, threads=threads)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_the_matrix_to_blame_is_found_in_few_calls(alphabet, decode):
    calls = []

    def answer(batch, n_best):
        calls.append(len(batch))
        if "700" in batch.ids:
            raise ValueError
        return SearchResult.from_best([[0]] * len(batch))

    batch = MatrixBatch.from_logits(np.zeros((1024, 1, 4)), alphabet)
    with pytest.raises(PluginError, match=r"matrix '700' \(line 701 of 1024\): ValueError$"):
        decode(batch, answer, threads=1)
    assert len(calls) <= 21
    assert sum(calls) <= 3 * 1024


def test_a_failure_of_several_together(alphabet, decode):
    def answer(batch, n_best):
        if {"2", "5"} <= set(batch.ids):
            raise RuntimeError("too many")
        return SearchResult.from_best([[0]] * len(batch))

    batch = MatrixBatch.from_logits(np.zeros((16, 1, 4)), alphabet)
    with pytest.raises(
        PluginError,
        match=r"decoder Given failed on matrices '0' to '7' \(lines 1 to 8 of 16\), but on neither "
        "half of them: RuntimeError: too many",
    ):
        decode(batch, answer)


def test_a_failure_without_matrices(alphabet, decode):
    def answer(batch, n_best):
        raise IndexError("nothing there")

    with pytest.raises(PluginError, match="Given failed on no matrices: IndexError: nothing th"):
        decode(MatrixBatch.from_log_probs([], alphabet), answer)


def test_our_own_errors_keep_their_class(batch, decode):
    def answer(batch, n_best):
        if "2" in batch.ids:
            raise InvalidValueError("hint must be known for '2', got none")
        return SearchResult.from_best([[0]] * len(batch))

    with pytest.raises(
        InvalidValueError,
        match=r"^decoder Given failed on matrix '2' \(line 3 of 5\): hint must be known for '2', ",
    ):
        decode(batch, answer)


def test_an_error_of_a_class_like_ours_is_the_plugins(batch, decode):
    class InvalidValueError(CtckitError):
        """Of the same name."""

    def answer(batch, n_best):
        raise InvalidValueError("odd")

    with pytest.raises(PluginError, match="InvalidValueError: odd"):
        decode(batch, answer)


@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_what_is_no_exception_is_a_failure_too(batch, decode, kind):
    """As the panics of Rust."""

    class Panic(BaseException):
        def __str__(self):
            raise kind

    def answer(batch, n_best):
        raise Panic

    with pytest.raises(PluginError, match=r"decoder Given failed on matrix '0' .*: Panic$"):
        decode(batch, answer)


def test_interrupts_come_through(batch, decode):
    def answer(batch, n_best):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(batch, answer)


@pytest.mark.parametrize("made_by", ["class", "function"])
def test_an_interrupt_that_became_another_error_is_one(batch, alphabet, decode, made_by):
    calls = []

    def fail():
        calls.append(1)
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise RuntimeError("woken up") from None

    def answer(batch, n_best):
        fail()

    @decoder
    def hasty(log_probs, alphabet):
        fail()

    run = {
        "class": lambda: decode(batch, answer),
        "function": lambda: hasty(alphabet).decode_batch(batch),
    }[made_by]
    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(calls) == 1


def test_a_check_of_n_best_that_fails(batch):
    class Careless(Named):
        """Checks by what is not there."""

        def check_n_best(self, n_best):
            return self.most < n_best

    with pytest.raises(
        PluginError,
        match=r"decoder Careless must say whether n_best 2 can be had, got AttributeError: .*most",
    ):
        Careless(batch.alphabet).decode_batch(batch, n_best=2)


@pytest.mark.parametrize("n_best", [0, -1, 1.5, "1", None, True])
def test_bad_n_best(batch, alphabet, n_best):
    with pytest.raises(
        InvalidValueError, match=rf"n_best must be an integer of at least 1, got {n_best!r}"
    ):
        Named(alphabet).decode_batch(batch, n_best=n_best)


def test_n_best_of_numpy_and_beyond_the_decoder(batch, alphabet):
    assert len(Named(alphabet).decode_batch(batch, n_best=np.int32(2))) == 5
    with pytest.raises(InvalidValueError, match="n_best must be at most 2, got 3"):
        Named(alphabet, beam_width=2).decode_batch(batch, n_best=3)


def test_bad_threads(batch, alphabet):
    with pytest.raises(InvalidValueError, match="threads must be an integer of at least 1, got 0"):
        Named(alphabet).decode_batch(batch, threads=0)


def test_what_is_no_batch(alphabet):
    with pytest.raises(
        InvalidValueError,
        match=r"batch must be a ctckit.MatrixBatch, got ndarray; make one with MatrixBatch\.from_",
    ):
        Named(alphabet).decode_batch(np.zeros((1, 2, 4)))


def test_what_is_no_alphabet():
    with pytest.raises(
        InvalidValueError, match=r"alphabet must be a ctckit\.Alphabet, got str; make one with"
    ):
        Named("ab ")


@pytest.mark.parametrize(
    ("tokens", "blank", "difference"),
    [
        (["a", "b", ""], 2, "3 tokens instead of 4"),
        (["a", "b", "", " "], 2, "blank 2 instead of 3"),
        (["a", "c", " ", ""], 3, "'c' instead of 'b' at index 1"),
    ],
)
def test_another_alphabet(alphabet, tokens, blank, difference):
    other = Alphabet(tokens, blank)
    batch = MatrixBatch.from_logits(np.zeros((1, 2, len(other))), other)
    with pytest.raises(
        AlphabetMismatchError,
        match=re.escape(
            f"batch must have the decoder's alphabet, got another one ({difference}); "
            "load the decoder with the alphabet of the matrices"
        ),
    ):
        Named(alphabet).decode_batch(batch)


def test_the_difference_of_alphabets_is_not_the_blanks_string():
    batch = MatrixBatch.from_logits(np.zeros((1, 2, 2)), Alphabet(["<b>", "x"], 0))
    with pytest.raises(AlphabetMismatchError, match="'x' instead of 'y' at index 1"):
        Named(Alphabet(["", "y"], 0)).decode_batch(batch)


def test_an_equal_alphabet_is_enough(alphabet):
    same = Alphabet(["a", "b", " ", "another blank"], 3)
    batch = MatrixBatch.from_logits(np.zeros((1, 2, 4)), same)
    assert Named(alphabet).decode_batch(batch).texts() == ["a" * 25]


def test_pickle(alphabet, batch):
    decoder = Named(alphabet, beam_width=2)
    decoder.label = "'named' of somebody 1.0"
    again = pickle.loads(pickle.dumps(decoder))
    assert again.beam_width == again.prepared_with == 2
    assert again.label == "'named' of somebody 1.0"
    assert again.alphabet == alphabet
    assert again.decode_batch(batch).texts() == decoder.decode_batch(batch).texts()


def test_repr(alphabet):
    assert re.fullmatch(
        r"Named\(Alphabet\(4 tokens, blank=3, \w+\), beam_width=7\)",
        repr(Named(alphabet, beam_width=7)),
    )


CLAIMS = [
    (
        {"score_parts": "matrix"},
        "Claims.score_parts must be a tuple of names, got 'matrix'; write ('matrix',)",
    ),
    (
        {"score_parts": (1,)},
        "Claims.score_parts must be a tuple of names, got (1,); write a tuple of strings",
    ),
    (
        {"at_least_one": "beam_width"},
        "Claims.at_least_one must be a tuple of options' names, got 'beam_width'; "
        "write ('beam_width',)",
    ),
    (
        {"at_least_one": ("beam_with",)},
        "Claims.at_least_one must name options of the class, got 'beam_with'; did you mean "
        "'beam_width'? options: beam_width",
    ),
    (
        {"exhaustive": ["beam_width"]},
        "Claims.exhaustive must be a mapping of options, or None, got ['beam_width']; write {} if "
        "no option is needed",
    ),
    (
        {"exhaustive": {"width": 9}},
        "Claims.exhaustive must name options of the class, got 'width'; did you mean "
        "'beam_width'? options: beam_width",
    ),
    (
        {"known_failings": None},
        "Claims.known_failings must be a mapping of checks' names to reasons, got None; "
        'write {"check": "why it fails"}',
    ),
    (
        {"known_failings": {"quiet": True}},
        "Claims.known_failings must be a mapping of checks' names to reasons, got "
        '{\'quiet\': True}; write {"check": "why it fails"}',
    ),
]


@pytest.mark.parametrize(("attributes", "message"), CLAIMS)
def test_what_a_class_says_of_itself_is_checked(attributes, message):
    with pytest.raises(InvalidValueError) as caught:
        type("Claims", (Named,), attributes)
    assert str(caught.value) == message


def test_what_a_class_may_say_of_itself():
    class Claims(Named):
        """All that there is."""

        score_parts = ("matrix", "lm")
        at_least_one = ("beam_width",)
        exhaustive = MappingProxyType({"beam_width": 9})

        @property
        def known_failings(self):
            return {"quiet": f"it tells the width, {self.beam_width}"}

    class Heir(Claims):
        """As much."""

        exhaustive = None

    assert Heir.at_least_one == ("beam_width",)


def test_what_a_function_says_of_itself_is_checked():
    with pytest.raises(InvalidValueError, match=r"^read\.known_failings must be a mapping of"):

        @decoder(known_failings=["quiet"])
        def read(log_probs, alphabet):
            return ""


def test_search_must_be_there(alphabet):
    class Incomplete(Decoder):
        """Has no search."""

    with pytest.raises(TypeError, match=r"abstract method '?search"):
        Incomplete(alphabet)


# bestpath


def best_path(matrix, tokens="ab ", blank=3):
    alphabet = Alphabet([*tokens[:blank], "", *tokens[blank:]], blank)
    with np.errstate(divide="ignore"):
        batch = MatrixBatch.from_probs([np.array(matrix)], alphabet)
    return load_decoder("bestpath", alphabet).decode_batch(batch)[0][0]


def test_best_path_collapses_repeats_then_blanks():
    rows = np.full((8, 4), 0.1)
    for t, c in enumerate([0, 0, 3, 0, 1, 1, 2, 3]):
        rows[t, c] = 0.7
    found = best_path(rows)
    assert found.text == "aab "
    assert found.timesteps == (0, 3, 4, 6)
    assert found.score == pytest.approx(8 * np.log(0.7))
    assert found.log_prob > found.score


def test_best_path_takes_the_first_of_equals():
    assert best_path([[0.4, 0.4, 0.2, 0.0]]).text == "a"
    assert best_path([[0.1, 0.4, 0.4, 0.1]]).text == "b"
    assert best_path([[0.25] * 4], blank=0).text == ""
    assert best_path([[0.5, 0.0, 0.0, 0.5]]).text == "a"
    assert best_path([[0.5, 0.5, 0.0, 0.0]], blank=0).text == ""


@pytest.mark.parametrize("blank", [0, 2, 3])
def test_best_path_equals_numpy(blank):
    rng = np.random.default_rng(blank)
    for scale in (0.1, 1, 5):
        logits = rng.normal(size=(1, 60, 4)) * scale
        logits[0, rng.random((60, 4)) < 0.2] = -np.inf
        logits[0, :, 1] = 0
        alphabet = Alphabet([*"ab "[:blank], "", *"ab "[blank:]], blank)
        batch = MatrixBatch.from_logits(logits, alphabet)
        path = batch[0].argmax(axis=1)
        expected = [c for i, c in enumerate(path) if c != blank and (i == 0 or path[i - 1] != c)]
        found = load_decoder("bestpath", alphabet).decode_batch(batch)[0][0]
        assert list(found.token_ids) == expected
        assert found.score == pytest.approx(batch[0].max(axis=1).sum(), rel=1e-5)


def test_a_text_that_comes_twice_is_refused():
    class Twice(Decoder):
        """Say the same again."""

        def search(self, batch, n_best):
            texts = [[[0, 1], [1], [0, 1]] for _ in batch]
            return SearchResult.from_lists(texts, [[-1.0, -2.0, -3.0] for _ in batch])

    batch = MatrixBatch.from_probs(np.full((2, 3, 3), 1 / 3), Alphabet("ab-", 2))
    with pytest.raises(
        PluginError, match=r"decoder Twice returned a text twice for matrix '0' \(line"
    ):
        Twice(batch.alphabet).decode_batch(batch, n_best=3)


def test_a_plugin_that_exits_is_named():
    class Quitter(Decoder):
        """Exit."""

        def search(self, batch, n_best):
            raise SystemExit(3)

    batch = MatrixBatch.from_probs(np.full((2, 3, 3), 1 / 3), Alphabet("ab-", 2))
    with pytest.raises(
        PluginError, match=r"Quitter failed on matrix '0' \(line 1 of 2\): SystemEx"
    ):
        Quitter(batch.alphabet).decode_batch(batch)
