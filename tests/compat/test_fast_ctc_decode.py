"""`ctckit.compat.fast_ctc_decode` beside the package of that name, and beside brute force."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from ctckit import CtckitError, InvalidValueError
from ctckit.compat import fast_ctc_decode as ours
from ctckit.testing.oracles import alignments, prefix_beam_search, text_probs

LABELS = ["", "a", "b", "cd", "e"]


@pytest.fixture(scope="module")
def original():
    return pytest.importorskip("fast_ctc_decode", reason="fast-ctc-decode is not installed")


def random_probs(seed, frames=8, classes=5, scale=2.0):
    logits = np.random.default_rng(seed).normal(size=(frames, classes)) * scale
    probs = np.exp(logits)
    return (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def golden_probs(lines):
    """The golden lines with the blank first, and their alphabet."""
    matrices = [np.ascontiguousarray(np.roll(np.exp(one), 1, axis=1)) for one in lines]
    return matrices, ["", *lines.alphabet.tokens[:-1]]


def test_signatures_are_the_originals(original):
    for name in ours.__all__:
        theirs = inspect.signature(getattr(original, name)).parameters.values()
        mine = inspect.signature(getattr(ours, name)).parameters.values()
        assert [(one.name, one.default) for one in mine] == [
            (one.name, one.default) for one in theirs
        ]
    offered = {name for name in vars(original) if callable(getattr(original, name))}
    assert offered == set(ours.__all__)


@pytest.mark.parametrize("collapse_repeats", [True, False])
@pytest.mark.parametrize("qstring", [True, False])
def test_viterbi_search_agrees(original, golden_probs, qstring, collapse_repeats):
    matrices, labels = golden_probs
    cases = [(one, labels) for one in matrices[:20]]
    cases += [(random_probs(seed), LABELS) for seed in range(40)]
    for probs, alphabet in cases:
        for scale, bias in ((1.0, 0.0), (0.7, 3.5), (-1.0, 2.0)):
            arguments = alphabet, qstring, scale, bias, collapse_repeats
            found = ours.viterbi_search(probs, *arguments)
            assert found == original.viterbi_search(probs, *arguments)
            assert all(type(frame) is int for frame in found[1])


def test_qualities_end_at_one_error_in_ten_thousand_and_stay_printable(original):
    probs = np.array([[0, 1], [1, 0], [0.01, 0.99], [1, 0], [0.1, 0.9]], dtype=np.float32)
    found = ours.viterbi_search(probs, "-a", qstring=True)
    assert found == original.viterbi_search(probs, "-a", qstring=True) == ("aaaI5+", [0, 2, 4])
    assert ours.viterbi_search(probs, "-a", True, 1.0, 90.0)[0] == "aaa~~~"
    assert ours.viterbi_search(probs, "-a", True, 1.0, -25.0)[0] == "aaa0!!"
    certain = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert ours.viterbi_search(certain, "-a", qstring=True) == ("", [])


@pytest.mark.parametrize(
    "options",
    [{}, {"beam_size": 25}, {"beam_cut_threshold": 0.01}, {"collapse_repeats": False}],
    ids=str,
)
def test_sequences_of_the_beam_search_agree(original, golden_probs, options):
    matrices, labels = golden_probs
    cases = [(one, labels) for one in matrices[:20]]
    cases += [(random_probs(seed), LABELS) for seed in range(40)]
    for probs, alphabet in cases:
        sequence, path = ours.beam_search(probs, alphabet, **options)
        assert sequence == original.beam_search(probs, alphabet, **options)[0]
        assert path == sorted(set(path))
        assert all(type(frame) is int for frame in path)


def test_on_flat_matrices_it_is_prefix_search_as_the_original(original):
    for seed in range(20):
        probs = random_probs(seed, frames=30, scale=0.5)
        reference = prefix_beam_search(np.log(probs), 0, beam_width=8)
        assert reference.closest > 1e-6
        text = "".join(LABELS[c] for c in reference.hypotheses[0][0])
        assert ours.beam_search(probs, LABELS, 8)[0] == text
        assert original.beam_search(probs, LABELS, 8)[0] == text


@pytest.mark.parametrize("seed", range(10))
def test_tiny_matrices_are_searched_in_full(seed):
    probs = random_probs(seed, frames=4, classes=4, scale=0.3)
    log_probs = np.log(probs)
    best = max(text_probs(log_probs, 0).items(), key=lambda pair: pair[1])[0]
    sequence, path = ours.beam_search(probs, LABELS[:4], beam_size=500)
    assert sequence == "".join(LABELS[c] for c in best)
    likeliest = max(alignments(log_probs, best, 0).items(), key=lambda pair: pair[1])[0]
    assert tuple(path) == likeliest


@pytest.mark.parametrize("seed", range(10))
def test_without_collapsing_all_ways_to_drop_blanks_are_summed(seed):
    probs = random_probs(seed, frames=4, classes=3, scale=0.3)
    totals: dict[str, float] = {}
    for path in np.ndindex(*[3] * 4):
        text = "".join("-ab"[c] for c in path if c)
        totals[text] = totals.get(text, 0) + np.prod(probs[np.arange(4), path], dtype=np.float64)
    sequence, path = ours.beam_search(probs, "-ab", 500, collapse_repeats=False)
    assert sequence == max(totals, key=lambda text: totals[text])
    assert len(path) == len(sequence)
    assert path == sorted(set(path))
    assert all(0 <= frame < 4 for frame in path)


def test_a_path_starts_where_the_evidence_is(original):
    probs = np.array([[1, 0, 0]] * 3 + [[0, 1, 0]] * 2 + [[1, 0, 0]] + [[0, 0, 1]], np.float32)
    assert ours.beam_search(probs, "-ab") == ours.viterbi_search(probs, "-ab") == ("ab", [3, 6])
    sequence, path = original.beam_search(probs, "-ab")
    assert sequence == "ab"
    assert path[0] < 3


def test_no_frames_and_the_blank_alone_give_nothing():
    for search in (ours.viterbi_search, ours.beam_search):
        assert search(np.zeros((0, 3)), "-ab") == ("", [])
        assert search(np.ones((4, 1)), "-") == ("", [])
    assert ours.viterbi_search(np.zeros((0, 3)), "-ab", qstring=True) == ("", [])
    assert ours.beam_search(np.zeros((0, 3)), "-ab", 5, 0.1, collapse_repeats=False) == ("", [])


def test_any_floats_in_any_layout_are_taken():
    probs = random_probs(1)
    wide = np.zeros((16, 10), dtype=np.float64)
    wide[::2, ::2] = probs
    for search in (ours.viterbi_search, ours.beam_search):
        expected = search(probs, LABELS)
        for same in (wide[::2, ::2], np.asfortranarray(probs), probs.tolist()):
            assert search(same, tuple(LABELS)) == expected
        assert search(probs.astype(np.float16), LABELS)[0] == expected[0]
    assert ours.viterbi_search(probs, [0, 1, 2, 3, 4])[0].isdigit()


def test_frames_at_the_edge_of_what_is_taken():
    # Whether they are is found by sums in two ways, which may differ by rounding.
    taken = 0
    for seed in range(300):
        probs = random_probs(seed, scale=0.5)
        probs *= np.float32(1.005 if seed % 2 else 0.995)
        try:
            sequence, path = ours.viterbi_search(probs, LABELS, collapse_repeats=False)
        except InvalidValueError:
            continue
        taken += 1
        best = probs.argmax(axis=1)
        assert path == np.flatnonzero(best).tolist()
        assert sequence == "".join(LABELS[c] for c in best)
    assert 0 < taken < 300


@pytest.mark.parametrize(
    ("kind", "message"), [(np.float64, "must sum to 1"), (np.int64, "must be float16, float32 or")]
)
def test_what_is_wrong_in_other_types_is_said_without_warnings(kind, message):
    probs = np.zeros((3, 5), dtype=kind)
    probs[:, 0] = 10**9 if kind is np.int64 else 1e300
    with pytest.raises(InvalidValueError, match=message):
        ours.viterbi_search(probs, LABELS)


def test_labels_may_repeat():
    probs = np.array([[0.0, 0.9, 0.1], [0.0, 0.1, 0.9]])
    assert ours.beam_search(probs, ["", "x", "x"]) == ("xx", [0, 1])


@pytest.mark.parametrize("search", [ours.viterbi_search, ours.beam_search])
@pytest.mark.parametrize(
    ("probs", "message"),
    [
        (np.ones(3), r"network_output must have shape \(T, C\), got \(3,\); add or drop axes"),
        (np.ones((2, 3, 3)), r"network_output must have shape \(T, C\), got \(2, 3, 3\)"),
        (np.ones((2, 4)) / 4, "alphabet must hold 4 labels, one a class of network_output, got 3"),
        (np.full((2, 3), np.nan), "network_output must not hold NaN, got nan at frame 0, class 0"),
        (np.log([[0.2, 0.3, 0.5]]), "network_output must be 0 to 1.*pass np.exp of them if these"),
        (
            np.array([[3.0, -2.0, 1.0]]),
            "network_output must be 0 to 1.*pass their softmax if these",
        ),
        (
            np.ones((2, 3)) / 2,
            "network_output must sum to 1 in each frame, got 1.5 at frame 0; div",
        ),
        (np.ones((2, 3), dtype=int), "network_output must be float16, float32 or float64"),
    ],
)
def test_errors_of_both(search, probs, message):
    with pytest.raises(InvalidValueError, match=message):
        search(probs, "-ab")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 0}, "beam_size must be an integer of at least 1, got 0; it is how many"),
        ({"beam_size": 2.0}, "beam_size must be an integer of at least 1, got 2.0"),
        ({"beam_size": 10**6}, "beam_size must be an integer from 1 to 100000, got 1000000"),
        (
            {"beam_cut_threshold": 0.2},
            "beam_cut_threshold must be at least 0 and less than 1 / 5, got 0.2; leave it out",
        ),
        ({"beam_cut_threshold": -0.1}, "beam_cut_threshold must be at least 0 and less than"),
        ({"beam_cut_threshold": float("nan")}, "beam_cut_threshold must be at least 0"),
        ({"beam_cut_threshold": "0.1"}, "beam_cut_threshold must be at least 0 .* got '0.1'"),
        ({"beam_cut_threshold": None}, "beam_cut_threshold must be at least 0 .* got None"),
    ],
)
def test_errors_of_the_beam_search(options, message):
    with pytest.raises(InvalidValueError, match=message):
        ours.beam_search(random_probs(0), LABELS, **options)


def test_a_threshold_that_leaves_nothing():
    probs = np.full((2, 5), 0.1995)
    with pytest.raises(InvalidValueError, match="beam_cut_threshold must leave some class, got"):
        ours.beam_search(probs, LABELS, beam_cut_threshold=0.1999)


@pytest.mark.parametrize("value", [float("nan"), "2", None])
@pytest.mark.parametrize("name", ["qscale", "qbias"])
def test_errors_of_the_qualities(name, value):
    with pytest.raises(InvalidValueError, match=f"{name} must be a finite number, got {value!r}"):
        ours.viterbi_search(random_probs(0), LABELS, qstring=True, **{name: value})


@pytest.mark.parametrize("alphabet", [None, 5, set("abcde")])
def test_labels_that_have_no_order(alphabet):
    for search in (ours.viterbi_search, ours.beam_search):
        with pytest.raises(InvalidValueError, match="alphabet must be a string or a list of lab"):
            search(random_probs(0), alphabet)


def test_what_is_not_offered_says_so():
    with pytest.raises(CtckitError, match="crf_greedy_search must be called in fast_ctc_decode"):
        ours.crf_greedy_search(None, None, "-ab")
    with pytest.raises(CtckitError, match=r"crf_beam_search must be called.*takes a CRF's"):
        ours.crf_beam_search(None, None, "-ab", 5, 0.0)
    with pytest.raises(CtckitError, match="crf_beam_search_duplex must be called"):
        ours.crf_beam_search_duplex(None, None, None, None, "-ab")
    with pytest.raises(CtckitError, match=r"beam_search_duplex must.*decode each by beam_search"):
        ours.beam_search_duplex(None, None, "-ab")
