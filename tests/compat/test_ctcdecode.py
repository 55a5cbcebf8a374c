"""`ctckit.compat.ctcdecode` beside brute force, since the original cannot be installed."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

from ctckit import CtckitWarning, InvalidValueError, NotFoundError
from ctckit.compat.ctcdecode import CTCBeamDecoder, DecoderState, OnlineCTCBeamDecoder
from ctckit.testing.language import arpa_text, random_model
from ctckit.testing.oracles import alignments, text_log_prob, text_probs

LABELS = ["_", "a", "b", " "]
ARGUMENTS = {
    "labels": inspect.Parameter.empty,
    "model_path": None,
    "alpha": 0,
    "beta": 0,
    "cutoff_top_n": 40,
    "cutoff_prob": 1.0,
    "beam_width": 100,
    "num_processes": 4,
    "blank_id": 0,
    "log_probs_input": False,
    "is_bpe_based": False,
}
"""Of the original, and of its forks the last one."""


def random_log_probs(seed, count=3, frames=5, classes=4, scale=1.0):
    logits = np.random.default_rng(seed).normal(size=(count, frames, classes)) * scale
    return (logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))).astype(np.float32)


def beams(result, line):
    """Return the results of a line as (classes, score) pairs."""
    results, scores, _, lengths = result
    return [
        (tuple(results[line, beam, : lengths[line, beam]].tolist()), float(scores[line, beam]))
        for beam in range(len(scores[line]))
        if np.isfinite(scores[line, beam])
    ]


def test_arguments_are_the_originals():
    for decoder in (CTCBeamDecoder, OnlineCTCBeamDecoder):
        found = inspect.signature(decoder).parameters.values()
        assert {one.name: one.default for one in found} == ARGUMENTS
    assert list(inspect.signature(CTCBeamDecoder.decode).parameters)[1:] == ["probs", "seq_lens"]
    online = list(inspect.signature(OnlineCTCBeamDecoder.decode).parameters)
    assert online[1:] == ["probs", "states", "is_eos_s", "seq_lens"]


@pytest.mark.parametrize("blank", [0, 2, 3])
@pytest.mark.parametrize("log_probs_input", [True, False])
def test_without_a_model_all_texts_are_found_by_their_probability(blank, log_probs_input):
    log_probs = random_log_probs(blank, scale=0.5)
    decoder = CTCBeamDecoder(
        LABELS, beam_width=1000, blank_id=blank, log_probs_input=log_probs_input
    )
    result = decoder.decode(log_probs if log_probs_input else np.exp(log_probs))
    assert [one.dtype for one in result] == [np.int32, np.float32, np.int32, np.int32]
    assert [one.shape for one in result] == [(3, 1000, 5), (3, 1000), (3, 1000, 5), (3, 1000)]
    for line, matrix in enumerate(log_probs):
        expected = text_probs(matrix, blank)
        found = beams(result, line)
        assert {text for text, _ in found} == set(expected)
        for text, score in found:
            assert np.exp(-score) == pytest.approx(expected[text], rel=1e-4)
        assert [score for _, score in found] == sorted(score for _, score in found)


def test_what_is_not_there_is_empty_and_inf():
    log_probs = random_log_probs(1, frames=1)
    results, scores, timesteps, lengths = CTCBeamDecoder(LABELS, log_probs_input=True).decode(
        log_probs
    )
    assert np.isfinite(scores).sum(axis=1).tolist() == [4, 4, 4]
    assert (scores[:, 4:] == np.inf).all()
    assert not lengths[:, 4:].any()
    assert not results[:, 4:].any()
    assert not timesteps[:, 4:].any()


def test_scores_are_exact_whatever_left_the_beam(lines):
    decoder = CTCBeamDecoder(
        lines.alphabet.tokens, beam_width=5, blank_id=lines.alphabet.blank, log_probs_input=True
    )
    log_probs = lines.log_probs.reshape(60, 100, 80)[:5]
    result = decoder.decode(log_probs)
    for line, matrix in enumerate(log_probs):
        found = beams(result, line)
        assert len(found) == 5
        for text, score in found:
            assert score == pytest.approx(-text_log_prob(matrix, text, 79), rel=1e-5)


def test_timesteps_are_peaks_within_the_likeliest_alignment():
    for seed in range(5):
        log_probs = random_log_probs(seed, frames=5)
        decoder = CTCBeamDecoder(LABELS, beam_width=30, log_probs_input=True)
        _, _, timesteps, _ = result = decoder.decode(log_probs)
        for line, matrix in enumerate(log_probs):
            for beam, (text, _) in enumerate(beams(result, line)):
                starts = max(alignments(matrix, text, 0).items(), key=lambda one: one[1])[0]
                ends = [*starts[1:], 5]
                peaks = [
                    start + int(matrix[start:end, token].argmax())
                    for token, start, end in zip(text, starts, ends, strict=False)
                ]
                assert timesteps[line, beam, : len(text)].tolist() == peaks


def test_lengths_are_kept_and_a_batch_is_its_lines_one_by_one():
    log_probs = random_log_probs(3, count=4, frames=9)
    lengths = [9, 0, 4, 6]
    decoder = CTCBeamDecoder(LABELS, beam_width=20, log_probs_input=True)
    dirty = log_probs.copy()
    for line, length in enumerate(lengths):
        dirty[line, length:] = np.nan
    together = decoder.decode(dirty, seq_lens=np.array(lengths))
    assert beams(together, 1) == [((), 0.0)]
    for line, length in enumerate(lengths):
        alone = decoder.decode(log_probs[line : line + 1, :length])
        assert beams(alone, 0) == beams(together, line)
        width = alone[2].shape[2]
        np.testing.assert_array_equal(alone[2][0], together[2][line, :, :width])


def test_without_a_model_labels_may_be_anything():
    decoder = CTCBeamDecoder(["", "", "x", "x"], alpha=3, beta=9, log_probs_input=True)
    plain = CTCBeamDecoder(LABELS, log_probs_input=True)
    log_probs = random_log_probs(0)
    for one, other in zip(decoder.decode(log_probs), plain.decode(log_probs), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (decoder.character_based(), decoder.max_order(), decoder.dict_size()) == (None,) * 3
    decoder.reset_params(1, 1)


def test_no_lines_and_no_frames():
    decoder = CTCBeamDecoder(LABELS, beam_width=3)
    assert [one.shape for one in decoder.decode(np.zeros((0, 5, 4)))] == [
        (0, 3, 5),
        (0, 3),
        (0, 3, 5),
        (0, 3),
    ]
    result = decoder.decode(np.zeros((2, 0, 4)))
    assert beams(result, 1) == [((), 0.0)]


# ------------------------------------------------------------------ with a model


@pytest.fixture
def write_model(tmp_path):
    """Write an n-gram model without ``</s>``, which the original does not score."""

    def write(seed, words, order=2):
        grams, log_prob = random_model(np.random.default_rng(seed), words, order, 40)
        path = tmp_path / f"model{seed}.arpa"
        kept = {gram: numbers for gram, numbers in grams.items() if "</s>" not in gram}
        path.write_text(arpa_text(kept), encoding="utf-8")
        return str(path), log_prob

    return write


def original_scores(probs, units, log_prob, alpha, beta):
    """Return the scores that the original ranks texts by, best first.

    units : from a text to its words, or None where the original does not write it
    """
    scores = {}
    for text, prob in probs.items():
        words = units("".join(LABELS[c] for c in text))
        if words is not None:
            sentence = ["<s>", *words]
            lm = sum(log_prob(tuple(sentence[:i]), sentence[i]) for i in range(1, len(sentence)))
            scores[text] = np.log(prob) + alpha * lm + beta * len(words)
    return sorted(scores, key=lambda text: -scores[text]), scores


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("alpha", "beta"), [(0.6, 0.5), (0, 1.5), (2, -1)])
def test_a_model_of_words_ranks_as_the_original(write_model, seed, alpha, beta):
    words = ["a", "ab", "ba", "b"]
    path, log_prob = write_model(seed, words, order=3)

    def units(text):
        if text.startswith(" ") or "  " in text:
            return None  # the original writes no spaces there
        return text.split() if set(text.split()) <= set(words) else None

    log_probs = random_log_probs(seed)
    decoder = CTCBeamDecoder(
        LABELS, path, alpha=alpha, beta=beta, beam_width=2000, log_probs_input=True
    )
    assert (decoder.character_based(), decoder.max_order(), decoder.dict_size()) == (False, 3, 4)
    result = decoder.decode(log_probs)
    for line, matrix in enumerate(log_probs):
        probs = text_probs(matrix, 0)
        order, scores = original_scores(probs, units, log_prob, alpha, beta)
        found = [(text, score) for text, score in beams(result, line) if text in scores]
        assert {text for text, _ in found} == set(order)
        for (text, score), expected in zip(found, order, strict=True):
            assert scores[text] == pytest.approx(scores[expected], abs=1e-4)
            assert np.exp(-score) == pytest.approx(probs[text], rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_a_model_of_characters_ranks_as_the_original(write_model, seed):
    path, log_prob = write_model(seed, ["a", "b", "<space>"])
    log_probs = random_log_probs(seed, frames=4)
    decoder = CTCBeamDecoder(LABELS, path, 0.8, 0.4, beam_width=500, log_probs_input=True)
    assert (decoder.character_based(), decoder.max_order(), decoder.dict_size()) == (True, 2, 0)
    result = decoder.decode(log_probs)
    for line, matrix in enumerate(log_probs):
        probs = text_probs(matrix, 0)

        def units(text):
            return ["<space>" if one == " " else one for one in text]

        order, scores = original_scores(probs, units, log_prob, 0.8, 0.4)
        found = beams(result, line)
        assert len(found) == len(order)
        for (text, score), expected in zip(found, order, strict=True):
            assert scores[text] == pytest.approx(scores[expected], abs=1e-4)
            assert np.exp(-score) == pytest.approx(probs[text], rel=1e-4)


def test_alpha_weighs_natural_logarithms(tmp_path):
    # b is ten times as likely for the model, a by e for the matrix.
    path = tmp_path / "model.arpa"
    path.write_text(
        "\\data\\\nngram 1=3\n\n\\1-grams:\n-9\t<unk>\n-2\ta\n-1\tb\n\n\\end\\\n", encoding="utf-8"
    )
    probs = np.array([[[0, np.e, 1, 0]]]) / (1 + np.e)
    for alpha, best in ((0.42, 1), (0.45, 2)):
        result = CTCBeamDecoder(LABELS, path, alpha).decode(probs)
        assert beams(result, 0)[0][0] == (best,)


def test_weights_can_be_reset(write_model):
    path, _ = write_model(0, ["a", "ab", "ba", "b"])
    log_probs = random_log_probs(7)
    decoder = CTCBeamDecoder(LABELS, path, 0.1, 0.2, beam_width=50, log_probs_input=True)
    decoder.reset_params(1.5, 2.0)
    fresh = CTCBeamDecoder(LABELS, path, 1.5, 2.0, beam_width=50, log_probs_input=True)
    for one, other in zip(decoder.decode(log_probs), fresh.decode(log_probs), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InvalidValueError, match="alpha must be a finite number of at least 0, got"):
        decoder.reset_params(-1, 0)


def test_labels_can_be_the_words_of_a_model(write_model):
    path, log_prob = write_model(1, ["th", "e"])
    labels = ["_", "th", "e"]
    log_probs = random_log_probs(2, classes=3, frames=3)
    decoder = CTCBeamDecoder(
        labels, path, 1.0, beam_width=500, log_probs_input=True, is_bpe_based=True
    )
    assert (decoder.character_based(), decoder.max_order(), decoder.dict_size()) == (False, 2, 0)
    for line, matrix in enumerate(log_probs):
        scores = {}
        for text, prob in text_probs(matrix, 0).items():
            sentence = ["<s>", *(labels[c] for c in text)]
            lm = sum(log_prob(tuple(sentence[:i]), sentence[i]) for i in range(1, len(sentence)))
            scores[text] = np.log(prob) + lm
        best = max(scores, key=lambda text: scores[text])
        assert beams(decoder.decode(log_probs), line)[0][0] == best


def test_a_line_in_which_no_word_can_end_has_no_results(write_model):
    path, _ = write_model(0, ["abab", "baba"])
    probs = np.array([[[0, 1, 0, 0]], [[1, 0, 0, 0]]], dtype=float)
    _, scores, _, lengths = result = CTCBeamDecoder(LABELS, path, 1.0).decode(probs)
    assert beams(result, 0) == []
    assert (scores[0] == np.inf).all()
    assert not lengths[0].any()
    assert beams(result, 1) == [((), 0.0)]


# ------------------------------------------------------------------ in chunks


@pytest.mark.parametrize("with_model", [True, False])
def test_chunks_give_what_the_whole_gives(write_model, with_model):
    model = write_model(0, ["a", "ab", "ba", "b"])[0] if with_model else None
    options = {"model_path": model, "alpha": 0.5, "beam_width": 20, "log_probs_input": True}
    log_probs = random_log_probs(4, count=2, frames=10)
    decoder = OnlineCTCBeamDecoder(LABELS, **options)
    whole = CTCBeamDecoder(LABELS, **options)
    states = [DecoderState(decoder) for _ in range(2)]
    taken = np.zeros(2, dtype=int)
    for lengths in ([3, 2], [0, 3], [3, 1]):
        chunk = np.zeros((2, 3, 4), dtype=np.float32)
        for line, length in enumerate(lengths):
            chunk[line, :length] = log_probs[line, taken[line] : taken[line] + length]
        taken += lengths
        last = lengths == [3, 1]
        found = decoder.decode(chunk, states, [last, last], seq_lens=np.array(lengths))
        expected = whole.decode(log_probs, seq_lens=taken)
        width = int(taken.max())
        assert found[0].shape == (2, 20, width)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other[..., :width] if other.ndim == 3 else other)
    with pytest.raises(InvalidValueError, match="states must be of lines that go on, got one that"):
        decoder.decode(log_probs, states, [True, True])
    assert decoder.max_order() == (2 if with_model else None)


def test_errors_of_chunks():
    decoder = OnlineCTCBeamDecoder(LABELS)
    probs = np.full((2, 3, 4), 0.25)
    state = DecoderState(decoder)
    with pytest.raises(InvalidValueError, match="states must be 2, one a line, got 1; keep them"):
        decoder.decode(probs, [state], [True, True])
    with pytest.raises(InvalidValueError, match="is_eos_s must be 2, one a line, got 1; keep them"):
        decoder.decode(probs, [state, DecoderState(decoder)], [True])
    assert state.frames is None


# ------------------------------------------------------------------ tensors


def test_tensors_in_tensors_out():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    log_probs = random_log_probs(5)
    tensor = torch.tensor(log_probs, requires_grad=True)
    decoder = CTCBeamDecoder(LABELS, log_probs_input=True)
    found = decoder.decode(tensor, seq_lens=torch.tensor([5, 2, 0], dtype=torch.int32))
    assert [one.dtype for one in found] == [torch.int32, torch.float32, torch.int32, torch.int32]
    for one, other in zip(found, decoder.decode(log_probs, [5, 2, 0]), strict=True):
        np.testing.assert_array_equal(one.numpy(), other)
    half = CTCBeamDecoder(LABELS).decode(tensor.exp().to(torch.bfloat16))
    assert isinstance(half[0], torch.Tensor)
    online = OnlineCTCBeamDecoder(LABELS, log_probs_input=True)
    states = [DecoderState(online) for _ in range(3)]
    again = online.decode(tensor, states, [True] * 3)
    assert torch.equal(again[1], decoder.decode(tensor)[1])


def test_without_tensors_torch_is_not_imported():
    code = """
import sys, numpy as np
from ctckit.compat.ctcdecode import CTCBeamDecoder
assert "numba" not in sys.modules
CTCBeamDecoder("-a", beam_width=2).decode(np.full((1, 2, 2), 0.5))
assert not {"torch", "tensorflow", "keras"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": []}, "labels must hold at least the blank, got none"),
        ({"blank_id": 4}, "blank_id must be 0 to 3, got 4; the alphabet has 4 tokens"),
        ({"blank_id": -1}, "blank_id must be 0 to 3, got -1"),
        ({"blank_id": [0]}, r"blank_id must be an integer, got \[0\]; give the class index"),
        ({"labels": None}, "labels must be a list, got None; give one string a class"),
        ({"model_path": 3}, "model_path must be a path, got int; give that of an ARPA file"),
        ({"cutoff_prob": "1"}, "cutoff_prob must be over 0 and at most 1, got '1'; leave it out"),
        ({"cutoff_prob": None}, "cutoff_prob must be over 0 and at most 1, got None"),
        ({"beam_width": 0}, "beam_width must be an integer of at least 1, got 0; it is how many"),
        ({"num_processes": 0}, "num_processes must be an integer of at least 1, got 0; it is how"),
        ({"cutoff_top_n": 0}, "cutoff_top_n must be an integer of at least 1, got 0; it is how"),
        ({"cutoff_prob": 1.5}, "cutoff_prob must be over 0 and at most 1, got 1.5; leave it out"),
        ({"cutoff_prob": 0}, "cutoff_prob must be over 0 and at most 1, got 0; leave it out"),
    ],
)
def test_errors_of_options(options, message):
    with pytest.raises(InvalidValueError, match=message):
        CTCBeamDecoder(**{"labels": LABELS, **options})


def test_a_certain_text_has_a_score_of_0():
    scores = CTCBeamDecoder(["_"], beam_width=1).decode(np.ones((1, 3, 1)))[1]
    assert scores.tolist() == [[0.0]]
    assert not np.signbit(scores).any()


@pytest.mark.parametrize("options", [{"cutoff_top_n": 20}, {"cutoff_prob": 0.99}])
def test_what_is_not_needed_is_said_and_changes_nothing(options):
    log_probs = random_log_probs(6, classes=60)
    with pytest.warns(CtckitWarning, match="are not used: every class is tried in every frame"):
        decoder = CTCBeamDecoder("_" * 60, log_probs_input=True, **options)
    plain = CTCBeamDecoder("_" * 60, log_probs_input=True)
    for one, other in zip(decoder.decode(log_probs), plain.decode(log_probs), strict=True):
        np.testing.assert_array_equal(one, other)


def test_errors_of_models(write_model, tmp_path):
    path, _ = write_model(0, ["a", "ab", "b"])
    with pytest.raises(InvalidValueError, match="labels must be unique, got 'a' at index 1 and 2"):
        CTCBeamDecoder(["", "a", "a", "b"], path)
    with pytest.raises(InvalidValueError, match="alpha must be a finite number of at least 0, got"):
        CTCBeamDecoder(LABELS, path, alpha=-0.5)
    with pytest.raises(InvalidValueError, match="beta must be a finite number"):
        CTCBeamDecoder(LABELS, path, beta=float("nan"))
    with pytest.raises(NotFoundError, match=r"elsewhere\.arpa"):
        CTCBeamDecoder(LABELS, str(tmp_path / "elsewhere.arpa"))
    with pytest.raises(
        InvalidValueError, match=r"model_path must be a model of.*leave is_bpe_based"
    ):
        CTCBeamDecoder(["_", "th", "e"], path, is_bpe_based=True)
    binary = tmp_path / "model.bin"
    binary.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0" + bytes(80))
    with pytest.raises(InvalidValueError, match=r"KenLM's binary format in .*; give the ARPA file"):
        CTCBeamDecoder(LABELS, binary)


def test_a_model_of_words_without_a_space_among_the_labels(write_model):
    path, _ = write_model(0, ["a", "ab", "b"])
    with pytest.warns(CtckitWarning, match="labels have no space: each text is one word for the"):
        CTCBeamDecoder(["_", "a", "b", "|"], path)


@pytest.mark.parametrize(
    ("states", "ends", "message"),
    [
        (None, [False] * 2, "states must be a list, got None; make a DecoderState for each line"),
        (["a", "b"], [False] * 2, "states must be of DecoderState, got str for line 0; make one"),
        ("same", [False] * 2, "states must be one for each line, got that of line 1 twice; make a"),
        ("new", None, "is_eos_s must be a list, got None; say of each line whether it ends"),
        ("new", [True], "is_eos_s must be 2, one a line, got 1; keep them with the lines"),
    ],
)
def test_errors_of_states(states, ends, message):
    decoder = OnlineCTCBeamDecoder(LABELS)
    if states == "same":
        states = [DecoderState(decoder)] * 2
    elif states == "new":
        states = [DecoderState(decoder), DecoderState(decoder)]
    with pytest.raises(InvalidValueError, match=message):
        decoder.decode(np.full((2, 5, 4), 0.25), states, ends)


@pytest.mark.parametrize(
    ("log_probs_input", "probs", "message"),
    [
        (False, np.zeros((5, 4)), r"probs must have shape \(N, T, C\), got \(5, 4\); add or drop"),
        (False, np.zeros((1, 5, 3)), r"probs must have 4 classes, one a label, got 3 in shape"),
        (
            False,
            np.full((1, 5, 4), np.nan),
            "probs must not hold NaN, got nan at matrix 0, frame 0",
        ),
        (
            False,
            np.full((1, 5, 4), np.log(0.25)),
            "probs must be 0 to 1.*give log_probs_input=True",
        ),
        (True, np.full((1, 5, 4), 0.25), r"probs must be 0 or below.*leave log_probs_input out if"),
        (True, np.full((1, 5, 4), -3.0), r"exp\(probs\) must sum to 1.*apply softmax if these are"),
        (
            False,
            np.array([[[3.0, -1, 0, 0]]]),
            "probs must be 0 to 1, got -1.*apply softmax if these",
        ),
    ],
)
def test_errors_of_probabilities(log_probs_input, probs, message):
    with pytest.raises(InvalidValueError, match=message):
        CTCBeamDecoder(LABELS, log_probs_input=log_probs_input).decode(probs)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([6], "seq_lens must be 0 to 5, got 6 for line 0; give the valid frames of each"),
        ([5, 5], r"seq_lens must be 1 integers, one a line, got int64 of shape \(2,\); give"),
    ],
)
def test_errors_of_lengths(lengths, message):
    with pytest.raises(InvalidValueError, match=message):
        CTCBeamDecoder(LABELS).decode(np.full((1, 5, 4), 0.25), lengths)
