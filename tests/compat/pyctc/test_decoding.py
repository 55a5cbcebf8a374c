"""ctckit.compat.pyctcdecode against brute force, its arguments, and what it refuses."""

from __future__ import annotations

import gc
import itertools
import math
import pickle
import warnings
import weakref
from collections import defaultdict

import numpy as np
import pytest

from ctckit import CtckitWarning, InvalidValueError, NotFoundError
from ctckit.compat.pyctcdecode import (
    Alphabet,
    BeamSearchDecoderCTC,
    LanguageModel,
    build_ctcdecoder,
)
from ctckit.compat.pyctcdecode.alphabet import verify_alphabet_coverage
from ctckit.compat.pyctcdecode.constants import LOG_BASE_CHANGE_FACTOR
from ctckit.compat.pyctcdecode.decoder import MOST_TOKENS
from ctckit.compat.pyctcdecode.kenlm import Model, State
from ctckit.compat.pyctcdecode.language_model import AbstractLanguageModel, MultiLanguageModel
from ctckit.language import NGramModel
from ctckit.testing.ngrams import Backoff
from ctckit.testing.oracles import text_probs

WORDS = ["a", "ab", "ba"]
ALL = {"beam_width": 2000, "beam_prune_logp": -math.inf}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The path of a small model, and a plain reading of it."""
    path = tmp_path_factory.mktemp("small") / "small.arpa"
    sentences = ["a ab", "ba a", "ab ab ba", "a a ba"]
    NGramModel.train([one.split() for one in sentences], order=3).write_arpa(path)
    return str(path), Backoff(path.read_text(encoding="utf-8"))


class Oracle:
    """All texts of a matrix, with their probabilities and scores, by all of its paths."""

    def __init__(self, log_probs, shown, blank, backoff=None, hot=(), state=None, **weights):
        self.found, self.paths = defaultdict(float), {}
        by_tokens, best_path = defaultdict(float), {}
        for path in itertools.product(range(len(shown)), repeat=len(log_probs)):
            prob = math.exp(sum(log_probs[t, c] for t, c in enumerate(path)))
            tokens = tuple(c for c, _ in itertools.groupby(path) if c != blank)
            by_tokens[tokens] += prob
            if prob > best_path.get(tokens, (0.0, ()))[0]:
                best_path[tokens] = prob, path
        likeliest = {}
        for tokens, prob in by_tokens.items():
            text = " ".join("".join(shown[c] for c in tokens).split())
            self.found[text] += prob
            if prob > likeliest.get(text, (0.0, ()))[0]:
                likeliest[text] = prob, tokens
        self.frames = {
            text: self._frames(best_path[tokens][1], shown, blank)
            for text, (_, tokens) in likeliest.items()
        }
        self.scores = {
            text: math.log(prob) + self._gain(text.split(), backoff, hot, state, **weights)
            for text, prob in self.found.items()
        }

    @staticmethod
    def _gain(
        words, backoff, hot, state, alpha=0.5, beta=1.5, unk=-10.0, boundary=True, weight=10.0
    ):
        total = weight * sum(word in hot for word in words)
        if backoff is None:
            return total
        begins, before = (boundary, ()) if state is None else (state.begins, state.words)
        scores = backoff.sentence([*before, *words], begin=begins, end=boundary)[len(before) :]
        total += alpha * LOG_BASE_CHANGE_FACTOR * sum(scores)
        unknown = sum(word not in WORDS for word in words)
        return total + beta * len(words) + alpha * unk * LOG_BASE_CHANGE_FACTOR * unknown

    @staticmethod
    def _frames(path, shown, blank):
        """Return the frames of each word on a path."""
        runs, words = [], []
        for c, group in itertools.groupby(enumerate(path), key=lambda pair: pair[1]):
            frames = [t for t, _ in group]
            if c != blank:
                runs.append((shown[c], frames[0], frames[-1] + 1))
        for text, start, end in runs:
            for i, piece in enumerate(text.split(" ")):
                if i == 0 and words and words[-1] is not None and piece:
                    words[-1] = (words[-1][0], end)
                elif piece:
                    words.append((start, end))
                elif i == len(text.split(" ")) - 1 and i > 0:
                    words.append(None)
        return [one for one in words if one is not None]


def matrix(seed, classes, frames=4):
    logits = np.random.default_rng(seed).normal(0, 1.5, (frames, classes))
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def check(beams, oracle):
    """Compare all texts of a matrix with all that there are."""
    found = {one[0]: one for one in beams}
    assert len(found) == len(beams)
    assert found.keys() == oracle.found.keys()
    for text, (_, _, frames, logit_score, lm_score) in found.items():
        assert logit_score == pytest.approx(math.log(oracle.found[text]), abs=1e-4), text
        assert lm_score == pytest.approx(oracle.scores[text], abs=1e-3), text
        assert frames == list(zip(text.split(), oracle.frames[text], strict=True)), text
    scores = [one[4] for one in beams]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("seed", range(3))
def test_without_a_model_all_texts_are_found(seed):
    labels = ["a", " ", "", "b"]
    log_probs = matrix(seed, 4)
    beams = build_ctcdecoder(labels).decode_beams(log_probs, **ALL)
    check(beams, Oracle(log_probs, labels, 2))
    assert {state for _, state, *_ in beams} == {None}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"alpha": 1.25, "beta": -0.5, "unk": -1.0, "boundary": False},
        {"alpha": 0.0, "beta": 2.0},
    ],
)
@pytest.mark.parametrize("hot", [(), ("ab", "b", "bb")])
def test_with_a_model_all_texts_are_found(small, seed, weights, hot):
    labels = ["a", "b", "", "|"]
    log_probs = matrix(seed, 4, frames=5)
    decoder = build_ctcdecoder(
        labels,
        small[0],
        alpha=weights.get("alpha", 0.5),
        beta=weights.get("beta", 1.5),
        unk_score_offset=weights.get("unk", -10.0),
        lm_score_boundary=weights.get("boundary", True),
    )
    beams = decoder.decode_beams(log_probs, hotwords=hot, hotword_weight=3.0, **ALL)
    check(beams, Oracle(log_probs, "ab\0 ", 2, small[1], hot, weight=3.0, **weights))


def test_with_word_pieces_all_texts_are_found(small):
    labels = ["▁a", "b", "", "▁", "a"]
    shown = [" a", "b", "", " ", "a"]
    log_probs = matrix(5, 5)
    for path, backoff in ((None, None), small):
        for hot in ((), ("bb", "a")):
            decoder = build_ctcdecoder(labels, path)
            beams = decoder.decode_beams(log_probs, hotwords=hot, hotword_weight=2.0, **ALL)
            check(beams, Oracle(log_probs, shown, 2, backoff, hot, weight=2.0))


@pytest.mark.parametrize(
    "state",
    [State(), State(("ab",), True), State(("a", "ba")), State(("zz", "a")), State((), True)],
)
@pytest.mark.parametrize("boundary", [True, False])
def test_texts_go_on_after_a_state(small, state, boundary):
    log_probs = matrix(8, 4)
    decoder = build_ctcdecoder(["a", "b", "", " "], small[0], lm_score_boundary=boundary)
    beams = decoder.decode_beams(log_probs, lm_start_state=state, **ALL)
    check(beams, Oracle(log_probs, "ab\0 ", 2, small[1], state=state, boundary=boundary))
    for text, after, *_ in beams:
        words = (*state.words, *text.split())
        assert after == State(words[-2:], state.begins and len(words) < 2)


def test_states_can_be_kept(small):
    decoder = build_ctcdecoder(["a", "b", "", " "], small[0])
    log_probs = matrix(8, 4)
    state = decoder.decode_beams(log_probs)[0][1]
    assert pickle.loads(pickle.dumps(state)) == state
    assert len({state, pickle.loads(pickle.dumps(state))}) == 1
    assert state not in (State(("zz",)), "zz")
    assert repr(State(("a",))) == "State(('a',), begins=False)"


def test_narrow_beams_cut_texts(small):
    decoder = build_ctcdecoder(["a", "b", "", " "], small[0])
    log_probs = matrix(8, 4)
    everything = decoder.decode_beams(log_probs, **ALL)
    near = decoder.decode_beams(log_probs, beam_prune_logp=-2.0)
    assert 0 < len(near) < len(everything)
    assert min(one[4] for one in near) >= near[0][4] - 2.0
    assert len(decoder.decode_beams(log_probs, beam_width=2, beam_prune_logp=-99)) <= 2


def test_a_batch_is_as_one_by_one(labels, arpa, lines):
    decoder = build_ctcdecoder(labels, arpa)
    asked = {"hotwords": ["okafor"], "beam_width": 30}
    alone = [decoder.decode_beams(one, **asked) for one in lines]
    texts = [decoder.decode(one, **asked) for one in lines]
    assert texts == [beams[0][0] for beams in alone]
    for pool in (None, object()):
        batch = decoder.decode_beams_batch(pool, lines, **asked)
        assert batch == [[(a, *rest) for a, _, *rest in beams] for beams in alone]
        assert decoder.decode_batch(pool, lines, **asked) == texts
    stacked = np.stack([lines[0], lines[0]])
    assert decoder.decode_batch(None, stacked, **asked) == [texts[0]] * 2
    assert decoder.decode_batch(None, [], **asked) == []
    assert decoder.decode_beams_batch(None, []) == []


def test_large_batches_are_cut(labels, lines, monkeypatch):
    decoder = build_ctcdecoder(labels)
    texts = decoder.decode_batch(None, lines)
    assert sum(map(len, lines)) * 100 < MOST_TOKENS
    for most in (1, 8000, 12000):
        monkeypatch.setattr("ctckit.compat.pyctcdecode.decoder.MOST_TOKENS", most)
        assert decoder.decode_batch(None, lines) == texts


def test_logits_log_probs_and_probs_are_one(labels, read):
    decoder = build_ctcdecoder(labels)
    logits = read("the night train", noise=0.4).astype(np.float64)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    first = decoder.decode_beams(logits)
    texts = [one[0] for one in first]
    for other in (np.log(probs), probs, probs.astype(np.float32), Tensor(logits)):
        beams = decoder.decode_beams(other)
        assert [one[0] for one in beams[:5]] == texts[:5]
        assert beams[0][4] == pytest.approx(first[0][4], abs=1e-4)
    for other in (probs.astype(np.float16), logits.astype(np.float16), logits.round().astype(int)):
        assert decoder.decode(other) == texts[0]
    mixed = decoder.decode_batch(None, [probs, logits, np.log(probs)])
    assert mixed == [texts[0]] * 3


class Tensor:
    """What torch's tensors look like to NumPy."""

    def __init__(self, values, error=None):
        self.values, self.error = values, error

    def __array__(self, dtype=None, copy=None):
        if self.error is not None:
            raise self.error
        return self.values


def test_no_frames_are_no_text(labels, arpa):
    for decoder in (build_ctcdecoder(labels), build_ctcdecoder(labels, arpa)):
        nothing = np.zeros((0, len(labels)), dtype=np.float32)
        assert decoder.decode(nothing) == ""
        text, _, frames, logit_score, _ = decoder.decode_beams(nothing)[0]
        assert (text, frames, logit_score) == ("", [], 0.0)


def test_an_impossible_text_has_no_frames():
    decoder = build_ctcdecoder(["a", " ", ""])
    only = np.array([[0.0, -np.inf, -np.inf]] * 3)
    assert decoder.decode_beams(only) == [("a", None, [("a", (0, 3))], 0.0, 0.0)]
    blank = np.array([[-np.inf, -np.inf, 0.0]] * 2)
    assert decoder.decode_beams(blank) == [("", None, [], 0.0, 0.0)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((3, 4), np.nan), "logits must not hold NaN, got nan at matrix 0, frame 0"),
        (np.array([[0.0, np.inf, 0, 0]]), "logits must be finite or -inf, got inf"),
        (np.full((2, 4), -np.inf), "logits must allow some class, got only -inf"),
        (np.array([[0.25] * 4, [0.1] * 4]), r"got values from 0 to 1 that sum to 0\.4 in frame 1"),
        (np.zeros((2, 4)), "got values from 0 to 1 that sum to 0 in frame 0; divide"),
        (np.zeros((2, 5)) - 1, "logits.* must have 4 classes.* got 5"),
        (np.zeros(4), r"logits must have shape \(T, C\), got \(4,\); give one matrix"),
        (np.zeros((1, 2, 4)), r"got \(1, 2, 4\); decode a batch with decode_batch"),
        (np.array([["a"] * 4]), "must be float16, float32 or float64, got <U1"),
        ([[1.0, 2.0], [1.0]], r"logits must be an array \(T, C\), got list: "),
        (Tensor(None, RuntimeError("it requires grad")), "got Tensor: it requires grad; convert"),
    ],
)
def test_matrices_that_are_refused(values, message):
    decoder = build_ctcdecoder(["a", "b", " ", ""])
    for call in (decoder.decode, decoder.decode_beams):
        with pytest.raises(ValueError, match=message):
            call(values)


def test_batches_that_are_refused():
    decoder = build_ctcdecoder(["a", "b", " ", ""])
    with pytest.raises(
        InvalidValueError, match=r"logits_list must be a list of .* array of 2 axes"
    ):
        decoder.decode_batch(None, np.zeros((3, 4)))
    with pytest.raises(InvalidValueError, match=r"logits_list\[1\] must have shape"):
        decoder.decode_batch(None, [np.zeros((3, 4)) - 1, np.zeros(4)])
    with pytest.raises(InvalidValueError, match=r"logits_list\[1\] must be logits, log-prob"):
        decoder.decode_beams_batch(None, [np.zeros((3, 4)) - 1, np.zeros((1, 4))])
    for call in (decoder.decode_batch, decoder.decode_beams_batch):
        with pytest.raises(InvalidValueError, match="logits_list must be a list, got None; the po"):
            call([np.zeros((3, 4)) - 1], None)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"beam_width": 0}, "beam_width must be an integer from 1"),
        ({"beam_width": 2.5}, "beam_width must be an integer, got 2.5; the default is 100"),
        ({"beam_prune_logp": 10}, "beam_prune_logp must be a number of at most 0, got 10"),
        ({"beam_prune_logp": None}, "beam_prune_logp must be a number of at most 0, got None"),
        ({"hotwords": "abba"}, r"hotwords must be a list of words, got the string 'abba'"),
        ({"hotwords": ["a", 3]}, "hotwords must be strings, got 3"),
        ({"hotwords": 3}, "hotwords must be a list, got 3; give the words in one"),
        ({"hotwords": b"ab"}, "hotwords must be a list of words, got the bytes b'ab'; give a list"),
        ({"token_min_logp": None}, "token_min_logp must be a number, got None; the default is -5"),
        ({"token_min_logp": "-5"}, "token_min_logp must be a number, got '-5'; the default is -5"),
        ({"hotwords": ["a"], "hotword_weight": None}, "hotword_weight must be a finite number"),
        ({"hotwords": ["a"], "hotword_weight": math.inf}, "hotword_weight must be a finite number"),
        ({"lm_start_state": State()}, "lm_start_state must be None without a language model"),
        ({"lm_start_state": object()}, "must be a state that this decoder returned, got object"),
    ],
)
def test_arguments_that_are_refused(asked, message):
    decoder = build_ctcdecoder(["a", "b", " ", ""])
    with pytest.raises(InvalidValueError, match=message):
        decoder.decode(matrix(1, 4), **asked)


@pytest.mark.parametrize("hot", [None, ["b"]])
def test_classes_below_token_min_logp_are_not_tried(hot):
    decoder = build_ctcdecoder(["a", "b", " ", ""])
    probs = np.array([[0.6, 0.001, 0.0, 0.399], [0.001, 0.3, 0.3, 0.399]])
    log_probs = np.log(np.maximum(probs, 1e-30))
    asked = {"hotwords": hot, "hotword_weight": 8.0, **ALL}
    least = float(np.log(0.01))
    found = {
        one[0]: one[3] for one in decoder.decode_beams(log_probs, token_min_logp=least, **asked)
    }
    # Of the first frame a and the blank are left, of the second b, the space and the blank.
    masked = np.where(log_probs < least, -np.inf, log_probs)
    with np.errstate(divide="ignore"):
        every = text_probs(masked, 3)
    sums: dict[str, float] = {}
    for ids, prob in every.items():
        text = " ".join("".join("ab "[i] for i in ids).split())
        sums[text] = sums.get(text, 0.0) + prob
    possible = {text for text, prob in sums.items() if prob > 0}
    assert set(found) == possible if hot is None else set(found) <= possible
    for text, score in found.items():
        assert score == pytest.approx(np.log(sums[text]), abs=1e-5)


def test_the_default_of_token_min_logp_counts_with_hot_words_only():
    decoder = build_ctcdecoder(["a", "b", " ", ""])
    log_probs = np.log(np.array([[0.997, 0.001, 0.001, 0.001]]))
    assert {one[0] for one in decoder.decode_beams(log_probs)} == {"a", "b", ""}
    assert decoder.decode(log_probs, hotwords=["b"]) == "a"
    assert decoder.decode(log_probs, hotwords=["b"], token_min_logp=-20.0) == "b"
    assert {one[0] for one in decoder.decode_beams(log_probs, token_min_logp=-3)} == {"a"}


def test_the_likeliest_class_of_a_frame_is_tried_however_unlikely():
    decoder = build_ctcdecoder(["a", "b", " ", ""])
    log_probs = np.log(np.array([[0.3, 0.25, 0.25, 0.2]] * 2))
    assert [one[0] for one in decoder.decode_beams(log_probs, token_min_logp=-0.1)] == ["a"]


@pytest.mark.parametrize("token_min_logp", [None, "low", math.nan])
def test_a_token_min_logp_that_is_no_number(token_min_logp):
    with pytest.raises(InvalidValueError, match="token_min_logp must be a number, got"):
        build_ctcdecoder(["a", ""]).decode(matrix(1, 4)[:, :2], token_min_logp=token_min_logp)


@pytest.mark.parametrize("seed", range(30))
def test_the_text_alone_is_that_of_the_best_beam(seed):
    rng = np.random.default_rng(seed)
    labels = ["a", " ", "b", ""]
    decoder = build_ctcdecoder(labels)
    logits = rng.normal(0, (0.3, 1.5, 4)[seed % 3], (rng.integers(0, 9), 4))
    for width in (2, 100):
        best = decoder.decode_beams(logits, beam_width=width)[0][0]
        assert decoder.decode(logits, beam_width=width) == best
        assert decoder.decode_batch(None, [logits, logits], beam_width=width) == [best, best]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"labels": None}, "labels must be a list, got None; give one string a class"),
        ({"unigrams": 3}, "unigrams must be a list, got 3; give the words in one"),
        ({"unigrams": ["noon", 1]}, "unigrams must be strings, got 1; give words"),
    ],
)
def test_what_decoders_are_not_built_of(labels, arpa, asked, message):
    with pytest.raises(InvalidValueError, match=message):
        build_ctcdecoder(**{"labels": labels, "kenlm_model_path": arpa, **asked})
    with pytest.raises(InvalidValueError, match="alphabet must be an Alphabet, got list; make one"):
        BeamSearchDecoderCTC(labels)


def test_arguments_that_do_nothing_say_so():
    decoder = build_ctcdecoder(["a", "b", " ", ""])
    log_probs = matrix(1, 4)
    plain = decoder.decode_beams(log_probs)
    with pytest.warns(CtckitWarning, match="prune_history does nothing here"):
        assert decoder.decode_beams(log_probs, prune_history=True) == plain
    with pytest.warns(CtckitWarning, match="prune_history does nothing here"):
        decoder.decode_beams_batch(None, [log_probs], prune_history=True)
    with pytest.warns(CtckitWarning, match="unigrams do nothing without a language model"):
        build_ctcdecoder(["a", " ", ""], unigrams=["a"])


def test_hot_words(labels, arpa, lines):
    decoder = build_ctcdecoder(labels, arpa)
    assert decoder.decode(lines[1]) == "call mister ocafer at noon"
    for hotwords in (["okafor"], ["  okafor noon ", "okafor"], ("okafor",), iter(["okafor"])):
        found = decoder.decode(lines[1], hotwords=hotwords, hotword_weight=20)
        assert found == "call mister okafor at noon"
    for nothing in ([], ["", "  "]):
        assert decoder.decode(lines[1], hotwords=nothing) == "call mister ocafer at noon"
    with pytest.warns(CtckitWarning, match="1 of 2 hotwords cannot be spelled .*'Okafor'; check"):
        decoder.decode(lines[1], hotwords=["Okafor", "noon"])
    with pytest.warns(CtckitWarning, match="1 of 1 hotwords cannot be spelled"):
        assert decoder.decode(lines[1], hotwords=["Okafor"]) == "call mister ocafer at noon"


def test_an_unknown_word_piece_stands_alone(arpa):
    labels = ["<unk>", "▁the", "re", "▁night", "", *"abcdefghiklmnorstuwyv"]
    decoder = build_ctcdecoder(labels, arpa)
    logits = np.full((6, len(labels)), -8.0)
    logits[range(6), [1, 0, 4, 2, 3, 4]] = 8.0
    beams = decoder.decode_beams(logits)
    assert beams[0][0] == "the ⁇ re night"
    assert beams[0][2] == [("the", (0, 1)), ("⁇", (1, 2)), ("re", (3, 4)), ("night", (4, 5))]


def test_weights_can_be_set(labels, arpa, lines):
    decoder = build_ctcdecoder(labels, arpa)
    first = decoder.decode_beams(lines[1])
    decoder.reset_params(alpha=1.5, beta=0, unk_score_offset=-2, lm_score_boundary=False)
    fresh = build_ctcdecoder(
        labels, arpa, alpha=1.5, beta=0.0, unk_score_offset=-2.0, lm_score_boundary=False
    )
    changed = decoder.decode_beams(lines[1])
    assert changed == fresh.decode_beams(lines[1])
    assert changed[0][4] != first[0][4]
    decoder.reset_params()
    assert decoder.decode_beams(lines[1]) == changed
    for name, value in (("alpha", 0.5), ("beta", 1.5), ("unk_score_offset", -10.0)):
        setattr(decoder.model_container[decoder._model_key], name, value)
    decoder._language_model.score_boundary = True
    assert decoder.decode_beams(lines[1]) == first
    build_ctcdecoder(labels).reset_params(alpha=3.0)  # nothing without a model


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": -1.0}, "alpha must be a finite number of at least 0, got -1.0; the default is"),
        ({"alpha": math.nan}, "alpha must be a finite number"),
        ({"beta": "much"}, "beta must be a finite number, got 'much'; the default is 1.5"),
        ({"beta": True}, "beta must be a finite number, got True"),
        ({"unk_score_offset": 2.0}, "unk_score_offset must be a finite number of at most 0, got 2"),
        ({"lm_score_boundary": "yes"}, "score_boundary must be True or False, got 'yes'"),
    ],
)
def test_weights_that_are_refused(labels, arpa, params, message):
    with pytest.raises(InvalidValueError, match=message):
        build_ctcdecoder(labels, arpa, **params)
    decoder = build_ctcdecoder(labels, arpa)
    with pytest.raises(InvalidValueError, match=message):
        decoder.reset_params(alpha=params.pop("alpha", 0.9), **params)
    assert decoder._language_model.alpha == 0.5
    with pytest.raises(InvalidValueError, match=r"params must be of alpha, .*, got 'gamma'"):
        decoder._language_model.reset_params(gamma=1.0)
    decoder._language_model.alpha = -3.0
    with pytest.raises(InvalidValueError, match="alpha must be a finite number of at least 0"):
        decoder.decode(np.zeros((2, len(labels))) - 1)


def test_models_of_characters_are_refused(labels, tmp_path):
    path = tmp_path / "characters.arpa"
    NGramModel.train([["a", "<space>", "b"]], order=2).write_arpa(path)
    with pytest.raises(InvalidValueError, match="kenlm_model must be a model of words, got one wi"):
        build_ctcdecoder(labels, str(path))


def test_language_models_of_all_kinds(labels, arpa, lines):
    class Kenlm:
        path = arpa.encode()

    ngrams = NGramModel.load(arpa)
    wanted = build_ctcdecoder(labels, arpa).decode_beams(lines[0])
    for given in (arpa, Model(arpa), ngrams, Kenlm()):
        model = LanguageModel(given)
        decoder = BeamSearchDecoderCTC(Alphabet.build_alphabet(labels), model)
        assert decoder.decode_beams(lines[0]) == wanted
        assert decoder._language_model is model
        assert model.order == 3
        assert repr(model).startswith("LanguageModel(NGramModel(order 3, ")
    decoder.model_container[decoder._model_key] = LanguageModel(arpa, alpha=0.0, beta=0.0)
    assert decoder.decode(lines[0]).startswith("the nit")


def test_language_models_that_are_refused(labels, arpa, tmp_path):
    class Own(AbstractLanguageModel):
        order = 1

        def get_start_state(self):
            return None

        def score_partial_token(self, partial_token):
            return 0.0

        def score(self, prev_state, word, is_last_word=False):
            return 0.0, None

    alphabet = Alphabet.build_alphabet(labels)
    with pytest.raises(InvalidValueError, match=r"must be a LanguageModel of .* got .*Own; the se"):
        BeamSearchDecoderCTC(alphabet, Own())
    with pytest.raises(InvalidValueError, match="a decoder must have one language model, got 2"):
        MultiLanguageModel([LanguageModel(arpa), LanguageModel(arpa)])
    with pytest.raises(NotImplementedError):
        Own().save_to_dir("somewhere")
    with pytest.raises(NotImplementedError):
        Own.load_from_dir("somewhere")
    assert Own().reset_params(alpha=2.0) is None
    with pytest.raises(InvalidValueError, match=r"kenlm_model must be a kenlm.Model or the path"):
        LanguageModel(3)
    binary = tmp_path / "lm.bin"
    binary.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(100))
    with pytest.raises(
        InvalidValueError, match=r"KenLM's binary format in .*lm\.bin'; give the AR"
    ):
        build_ctcdecoder(labels, str(binary))
    with pytest.raises(NotFoundError, match="does not exist"):
        build_ctcdecoder(labels, str(tmp_path / "none.arpa"))
    with pytest.raises(InvalidValueError, match="unigrams must be a list of words, got the string"):
        LanguageModel(arpa, "the night")
    with pytest.raises(InvalidValueError, match="unigrams must be words of the language model, go"):
        LanguageModel(arpa, ["NIGHT", "<s>"])
    with pytest.warns(CtckitWarning, match="knows 1 of the 12 unigrams"):
        LanguageModel(arpa, ["night", *"bcdefghijkl"])
    with pytest.raises(InvalidValueError, match="in upper case some can be spelled"):
        BeamSearchDecoderCTC(
            Alphabet(["A", *map(chr, range(66, 91)), " ", ""], False), LanguageModel(arpa)
        )


def test_labels_that_go_badly_with_a_model_are_told(arpa):
    with pytest.warns(CtckitWarning, match="labels have no space: each text is one word"):
        build_ctcdecoder([*"abcdefghijklmnopqrstuvwxyz", ""], arpa)
    alphabet = Alphabet.build_alphabet([*"atenoihlr", " "])
    with pytest.warns(
        CtckitWarning, match="13 of 22 words of the language model cannot be spelled"
    ):
        BeamSearchDecoderCTC(alphabet, LanguageModel(arpa))
    with pytest.warns(CtckitWarning, match="labels have no 'x', 'y', and lack 2 of the 4 chara"):
        verify_alphabet_coverage(alphabet, ["ax", "ty"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verify_alphabet_coverage(alphabet, ["at", "ten"])
        verify_alphabet_coverage(alphabet, [])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("abc", r"labels must be a list of strings, .* got the string 'abc'; give list\(labels\)"),
        (["a", 3], "labels must be strings, got 3 at index 1"),
        (["a", "b", "a"], "labels must be unique, got 'a' twice, again at index 2"),
        (["▁a", "b c"], "labels must not hold spaces where they are word pieces, got 'b c'"),
        (["a", "", "<pad>"], "labels must have one blank, '', got 2 of them"),
        (["a", "<unk>", "[UNK]"], "tokens must be unique, got '⁇'"),
    ],
)
def test_labels_that_are_refused(labels, message):
    with pytest.raises(InvalidValueError, match=message):
        build_ctcdecoder(labels)


def test_alphabets_that_are_refused():
    with pytest.raises(InvalidValueError, match="an alphabet must be JSON, got"):
        Alphabet.loads("{")
    with pytest.raises(InvalidValueError, match=r"must have the keys is_bpe and labels, got \['x'"):
        Alphabet.loads('{"x": 1}')
    with pytest.raises(InvalidValueError, match="got list"):
        Alphabet.loads("[]")
    with pytest.raises(InvalidValueError, match="must have one blank, '', got 0 of them"):
        BeamSearchDecoderCTC(Alphabet(["a", "b"], False))


def test_the_labels_are_a_copy():
    given = ["a", " "]
    alphabet = Alphabet.build_alphabet(given)
    alphabet.labels.append("b")
    assert alphabet.labels == ["a", " ", ""]
    assert given == ["a", " "]


def test_a_pickled_decoder_has_its_model(labels, arpa, lines):
    for decoder in (build_ctcdecoder(labels), build_ctcdecoder(labels, arpa, ["the", "night"])):
        decoder.reset_params(alpha=0.75)
        copy = pickle.loads(pickle.dumps(decoder))
        assert copy._model_key != decoder._model_key
        assert copy.decode_beams(lines[0]) == decoder.decode_beams(lines[0])
        decode = pickle.loads(pickle.dumps(decoder.decode))
        assert decode(lines[2]) == decoder.decode(lines[2])
    in_memory = LanguageModel(NGramModel.load(arpa))
    assert pickle.loads(pickle.dumps(in_memory)).words == in_memory.words
    assert pickle.loads(pickle.dumps(Model(arpa))).path == Model(arpa).path


def test_models_are_let_go(labels, arpa):
    container = BeamSearchDecoderCTC.model_container
    decoder = build_ctcdecoder(labels, arpa)
    key = decoder._model_key
    assert container[key] is decoder._language_model
    model = weakref.ref(decoder._language_model)
    shown = repr(decoder)
    assert shown.startswith("BeamSearchDecoderCTC(Alphabet(")
    assert repr(model()) in shown
    decoder.cleanup()
    decoder.cleanup()
    gc.collect()
    assert model() is None
    assert key not in container
    with pytest.raises(NotFoundError, match=r"must have its language model, got one after cleanup"):
        decoder.decode(np.zeros((1, len(labels))) - 1)
    decoder = build_ctcdecoder(labels, arpa)
    key = decoder._model_key
    del decoder
    gc.collect()
    assert key not in container
    decoder = build_ctcdecoder(labels)
    BeamSearchDecoderCTC.clear_class_models()
    assert BeamSearchDecoderCTC.model_container == {}
    with pytest.raises(NotFoundError, match="build another decoder"):
        decoder.reset_params(alpha=1.0)


def test_the_stand_in_of_kenlm(arpa):
    lm = Model(arpa.encode())
    assert repr(lm) == f"Model({arpa!r})"
    assert [word in lm for word in ("night", "zzz", 3)] == [True, False, False]
    with pytest.raises(
        InvalidValueError, match=r"a state must be one of ctckit.compat.pyctcdecode"
    ):
        lm.BaseScore(object(), "night", State())
    total, state = 0.0, State()
    lm.BeginSentenceWrite(state)
    for word in ("the", "night", "</s>"):
        total += lm.BaseScore(state, word, state)
    assert lm.score("the night") == pytest.approx(total)
    assert lm.score("the night", eos=False) > total


def test_unigrams_are_what_is_known(labels, arpa, lines):
    known = ["call", "mister", "at", "noon", "nowhere"]
    decoder = build_ctcdecoder(labels, arpa, known)
    assert decoder._language_model.words == known[:-1]
    every = build_ctcdecoder(labels, arpa)
    assert build_ctcdecoder(labels, arpa, []).decode_beams(lines[0]) == every.decode_beams(lines[0])
    here, there = (one.decode_beams(lines[3])[0] for one in (decoder, every))
    assert here[0] == there[0] == "late"
    assert here[4] < there[4] - 5  # it is unknown now
