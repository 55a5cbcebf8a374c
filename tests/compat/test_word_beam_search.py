"""`ctckit.compat.word_beam_search` against the texts that CTCWordBeamSearch 1.0.1 gave."""

from __future__ import annotations

import inspect
import pickle

import editdistance
import numpy as np
import pytest

from ctckit import CtckitError, InvalidValueError, MissingExtraError, load_decoder
from ctckit.compat import word_beam_search
from ctckit.compat.word_beam_search import WordBeamSearch

MAT = np.array([[[0.9, 0.1, 0.0, 0.0]], [[0.0, 0.0, 0.0, 1.0]], [[0.6, 0.4, 0.0, 0.0]]])
"""The example of its README; the text is "ba"."""


def make(**changed):
    arguments = {
        "beam_width": 25,
        "lm_type": "Words",
        "lm_smoothing": 0.0,
        "corpus": "a ba",
        "chars": "ab ",
        "word_chars": "ab",
        **changed,
    }
    return WordBeamSearch(*arguments.values())


def texts_of(labels, chars):
    return ["".join(chars[label] for label in line) for line in labels]


def probs_of(batch):
    """Return a batch of equally long matrices as the original takes it: (T, N, C)."""
    probs = np.exp(np.stack(list(batch)).astype(np.float64))
    return (probs / probs.sum(axis=2, keepdims=True)).transpose(1, 0, 2)


@pytest.fixture(scope="module")
def corpus(golden):
    return (golden / "corpus.txt").read_text(encoding="utf-8")


def test_the_example_of_the_readme():
    assert make().compute(MAT) == [[1, 0]]


@pytest.mark.parametrize(("mode", "count"), [("Words", 60), ("NGrams", 60), ("NGramsForecast", 8)])
def test_the_texts_are_the_originals(mode, count, lines, synthetic, corpus):
    expected = synthetic["expected"][mode]
    decoder = WordBeamSearch(
        expected["beam_width"],
        mode,
        expected["smoothing"],
        corpus.encode("utf8"),
        synthetic["chars"].encode("utf8"),
        synthetic["word_chars"].encode("utf8"),
    )
    labels = decoder.compute(probs_of(lines[:count]))
    assert texts_of(labels, synthetic["chars"]) == expected["texts"]


def test_the_real_line(bentham, golden):
    folder = golden / "scheidl" / "bentham"
    corpus, chars, word_chars = (
        (folder / name).read_text(encoding="utf-8")
        for name in ("corpus.txt", "chars.txt", "wordChars.txt")
    )
    chars, word_chars = chars.strip("\r\n"), word_chars.strip("\r\n")
    labels = WordBeamSearch(25, "Words", 0.0, corpus, chars, word_chars).compute(probs_of(bentham))
    assert texts_of(labels, chars) == ["submitt both mental and corporeal, is far beyond any idea"]


def test_a_batch_is_its_matrices(lines, synthetic, corpus):
    decoder = make(corpus=corpus, chars=synthetic["chars"], word_chars=synthetic["word_chars"])
    mat = probs_of(lines[:6])
    together = decoder.compute(mat)
    assert together == [decoder.compute(mat[:, i : i + 1])[0] for i in range(6)]
    assert all(type(label) is int for line in together for label in line)


def test_sampling_gives_the_same_each_time(lines, synthetic, corpus):
    def labels(mode):
        decoder = make(
            beam_width=10,
            lm_type=mode,
            lm_smoothing=0.1,
            corpus=corpus,
            chars=synthetic["chars"],
            word_chars=synthetic["word_chars"],
        )
        return [decoder.compute(probs_of(lines[:4])) for _ in range(2)]

    first, second = labels("NGramsForecastAndSample")
    assert first == second == labels("NGramsForecast")[0]


def test_long_lines_do_not_underflow(long_line, synthetic, corpus):
    batch, reference = long_line
    best = load_decoder("bestpath", batch.alphabet).decode_batch(batch).texts()[0]
    decoder = make(corpus=corpus, chars=synthetic["chars"], word_chars=synthetic["word_chars"])
    (text,) = texts_of(decoder.compute(probs_of(batch)), synthetic["chars"])
    assert editdistance.eval(text, reference) <= (
        editdistance.eval(best, reference) + 0.03 * len(reference)
    )


def test_the_last_word_is_completed_and_not_scored():
    certain = np.eye(4)[[0, 1]][:, None]
    assert make(corpus="abbb").compute(certain) == [[0, 1, 1, 1]]
    # "a ab" has a bigram of probability 0, and is written all the same.
    line = np.eye(4)[[0, 2, 0, 1]][:, None]
    assert make(corpus="a b ab", lm_type="NGrams").compute(line) == [[0, 2, 0, 1]]


def test_words_alone_need_no_separator():
    assert make(chars="ab", word_chars="ab").compute(MAT[:, :, [0, 1, 3]]) == [[1, 0]]


@pytest.mark.parametrize("mode", ["words", "NGRAMS", "nGramsForecast", "ngramsforecastandsample"])
def test_modes_in_any_case(mode):
    assert make(lm_type=mode, lm_smoothing=0.1).compute(MAT) == [[1, 0]]


def test_characters_beyond_ascii():
    decoder = make(corpus="ä bä".encode(), chars="äb ".encode(), word_chars="äb".encode())
    assert decoder.compute(MAT) == [[1, 0]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
def test_other_types(dtype):
    assert make().compute(np.eye(4)[[1, 3, 0]][:, None].astype(dtype)) == [[1, 0]]
    assert make().compute(np.eye(4)[[1, 3, 0]][:, None].tolist()) == [[1, 0]]


def test_nothing():
    assert make().compute(np.zeros((0, 2, 4))) == [[], []]
    assert make().compute(np.zeros((3, 0, 4))) == []


def test_it_can_be_pickled():
    decoder = pickle.loads(pickle.dumps(make(lm_type="ngrams", lm_smoothing=0.5)))
    assert decoder.compute(MAT) == [[1, 0]]
    assert repr(decoder) == "WordBeamSearch(25, 'NGrams', 0.5, ...)"


def test_the_signature():
    names = list(inspect.signature(WordBeamSearch).parameters)
    assert names == ["beam_width", "lm_type", "lm_smoothing", "corpus", "chars", "word_chars"]
    assert list(inspect.signature(make().compute).parameters) == ["mat"]


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"beam_width": 0}, r"beam_width must be an integer from 1 to 100000, got 0"),
        ({"beam_width": 2.5}, r"beam_width must be an integer from 1 to 100000, got 2.5"),
        ({"lm_type": "Word"}, r"lm_type must be one of .*, got 'Word'; did you mean 'Words'"),
        ({"lm_type": None}, r"lm_type must be one of Words, NGrams, .*, got None"),
        ({"lm_smoothing": -1}, r"lm_smoothing must be a finite number of at least 0, got -1"),
        ({"lm_smoothing": np.nan}, r"lm_smoothing must be a finite number .*, got nan"),
        ({"corpus": " \n"}, r"corpus must hold some words, got none; give the text itself"),
        ({"corpus": "x 1"}, r"corpus must share word characters .* of 'ab'; words are runs of"),
        ({"corpus": ["a"]}, r"corpus must be a string or bytes, got list; give the text"),
        ({"chars": b"a\xff"}, r"chars must be UTF-8, got byte 0xff at position 1; encode it"),
        ({"chars": "aba "}, r"chars must be unique, got 'a' twice; there is one class for each"),
        ({"chars": ""}, r"chars must hold at least one character, got ''"),
        ({"word_chars": ""}, r"word_chars must hold at least one character, got ''"),
        ({"word_chars": "abxy"}, r"word_chars must be in chars, got 'xy', which is not"),
    ],
)
def test_wrong_arguments(changed, match):
    with pytest.raises(InvalidValueError, match=match):
        make(**changed)


@pytest.mark.parametrize(
    ("mat", "match"),
    [
        (MAT[:, 0], r"mat must have shape \(T, N, 4\), .* got \(3, 4\); check chars"),
        (MAT[:, :, :3], r"a class for each of the 3 characters .* got \(3, 1, 3\)"),
        (MAT * np.nan, r"mat must not hold NaN, got nan at matrix 0, frame 0, class 0; check the"),
        (MAT * 2, r"mat must sum to 1 in each frame, got 2 at matrix 0, frame 0; the softmax must"),
        (MAT - 0.5, r"mat must be 0 to 1, got -0.5 at matrix 0, frame 0; the softmax must"),
        (np.log(MAT + 1e-9), r"mat must be 0 to 1, got .*; the softmax must have been applied"),
        (np.zeros((2, 1, 4)), r"mat must sum to 1 in each frame, got 0"),
        (MAT + 0j, r"mat must be float16, float32 or float64, got complex128; convert it first"),
        ([[[1.0]], [[0.5, 0.5]]], r"mat must be a rectangular array with values, got list; pad"),
    ],
)
def test_what_is_no_probabilities(mat, match):
    with pytest.raises(InvalidValueError, match=match):
        make().compute(mat)


def test_tensors_with_gradients():
    class Tensor:
        """Behaves as PyTorch's: NumPy can read it only once it is detached, and on the CPU."""

        dtype = "torch.float64"

        def __init__(self, values, where="gpu", gradient=True):
            self.values, self.where, self.gradient = values, where, gradient

        def detach(self):
            return Tensor(self.values, self.where, gradient=False)

        def cpu(self):
            return Tensor(self.values, "cpu", self.gradient)

        def __array__(self, dtype=None, copy=None):
            if self.gradient or self.where == "gpu":
                raise RuntimeError("Can't call numpy() on Tensor")
            return self.values

    assert make().compute(Tensor(MAT)) == make().compute(MAT)


def test_the_plugin_must_be_installed(monkeypatch):
    monkeypatch.setattr(word_beam_search, "list_decoders", list)
    with pytest.raises(MissingExtraError, match=r"install its distribution, ctcwordbeamsearch"):
        make()


def test_the_plugin_takes_texts_in_place_of_a_file(alphabet):
    def load(corpus):
        return load_decoder("wordbeamsearch", alphabet, corpus=corpus, word_characters="ab")

    with pytest.raises(InvalidValueError, match=r"corpus must hold strings, got 1; give a list"):
        load(["a", 1])
    with pytest.raises(CtckitError, match=r"corpus must share .*, got \['x', 'y'\] without any"):
        load(["x", "y"])
    assert load(["a", "ba"]).corpus == ["a", "ba"]
