"""The references themselves: by hand, against one another and against the golden texts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ctckit.testing import oracles

pytestmark = pytest.mark.nojit


def log(probs):
    with np.errstate(divide="ignore"):
        return np.log(np.array(probs, dtype=np.float64))


def test_collapse():
    assert oracles.collapse([], 0) == ()
    assert oracles.collapse([0, 0], 0) == ()
    assert oracles.collapse([1, 1, 0, 1, 2, 2], 0) == (1, 1, 2)


def test_text_probs_by_hand():
    found = oracles.text_probs(log([[0.4, 0.0, 0.6], [0.4, 0.0, 0.6]]), 2)
    assert found == {(0,): pytest.approx(0.64), (): pytest.approx(0.36)}
    assert oracles.text_probs(np.zeros((0, 3)), 0) == {(): 1.0}


def test_alignments_by_hand():
    found = oracles.alignments(log([[0.4, 0.6], [0.7, 0.3]]), [0], 1)
    assert found == {
        (0,): pytest.approx(math.log(0.4 * 0.7)),
        (1,): pytest.approx(math.log(0.6 * 0.7)),
    }
    assert oracles.alignments(log([[0.4, 0.6], [0.7, 0.3]]), [0, 0], 1) == {}


@pytest.mark.parametrize("seed", range(20))
def test_the_references_agree_with_one_another(seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        classes, frames = rng.integers(2, 5), rng.integers(0, 5)
        blank = int(rng.integers(classes))
        matrix = log(rng.dirichlet(np.full(classes, 0.7), size=frames).reshape(frames, classes))
        probs = oracles.text_probs(matrix, blank)
        assert math.fsum(probs.values()) == pytest.approx(1)
        found = oracles.prefix_beam_search(matrix, blank, beam_width=5000, n_best=5000)
        assert found.closest > 0
        assert [text for text, _ in found.hypotheses] == sorted(
            probs, key=lambda text: -probs[text]
        )
        for text, score in found.hypotheses:
            assert score == pytest.approx(math.log(probs[text]))
            assert oracles.text_log_prob(matrix, text, blank) == pytest.approx(score)


def test_the_narrow_beam_of_the_reference_by_hand():
    # "a" leads after one frame and alone survives W = 1, though "" would have won.
    matrix = log([[0.5, 0.1, 0.4], [0.0, 0.1, 0.9]])
    wide = oracles.prefix_beam_search(matrix, 2, beam_width=9)
    assert wide.hypotheses[0] == ((0,), pytest.approx(math.log(0.45)))
    matrix = log([[0.3, 0.3, 0.4], [0.5, 0.0, 0.5]])
    narrow = oracles.prefix_beam_search(matrix, 2, beam_width=1)
    assert narrow.hypotheses == [((), pytest.approx(math.log(0.2)))]
    assert narrow.closest == 0  # "" and "a" tie in the end, and the smaller is taken
    assert oracles.prefix_beam_search(matrix, 2, beam_width=2).hypotheses[0][0] == (0,)


def test_ties_go_to_the_smaller_text():
    matrix = log([[0.4, 0.4, 0.2]])
    found = oracles.prefix_beam_search(matrix, 2, beam_width=1)
    assert found.hypotheses == [((0,), pytest.approx(math.log(0.4)))]
    assert found.closest == 0


def test_word_model_by_hand():
    model = oracles.WordModel("the cat, the dog! a cat", "acdeghot", smoothing=0.5)
    assert model.words == ["the", "cat", "the", "dog", "a", "cat"]
    assert model.next_characters("") == set("tcda")
    assert model.next_characters("th") == {"e"}
    assert model.next_characters("cat") == set()
    assert model.is_word("a")
    assert not model.is_word("th")
    assert model.completion("do") == "dog"
    assert model.completion("") == ""
    assert model.prob(None, "the") == pytest.approx(2 / 6)
    assert model.prob("the", "cat") == pytest.approx((1 + 0.5) / (2 + 0.5 * 4))
    assert model.prob("cat", "a") == pytest.approx(0.5 / (2 + 0.5 * 4))
    assert model.forecast(None, "c") == pytest.approx(2 / 6)
    assert model.forecast("the", "") == pytest.approx(1)


def test_word_beam_search_of_the_paper():
    matrix = log([[0.9, 0.1, 0, 0], [0, 0, 0, 1], [0.6, 0.4, 0, 0]])
    found = oracles.word_beam_search(matrix, "ab -", 3, oracles.WordModel("a ba", "ab"))
    assert found.hypotheses[0] == ((1, 0), pytest.approx(math.log(0.06)))


@pytest.mark.parametrize(("complete", "text"), [(True, "abbb"), (False, "ab")])
def test_completion_of_the_last_word(complete, text):
    matrix = log([[0.9, 0.0, 0.0, 0.1], [0.0, 0.9, 0.0, 0.1]])
    model = oracles.WordModel("abbb", "ab")
    found = oracles.word_beam_search(matrix, "ab -", 3, model, complete_last_word=complete)
    assert "".join("ab -"[i] for i in found.hypotheses[0][0]) == text


@pytest.mark.parametrize(
    ("score_last", "weight"),
    [
        (True, math.sqrt(0.4)),  # "a" and after it "b", which always follows it; "ab" has 0.2
        (False, 1.0),  # nothing counts in "ab"
    ],
)
def test_words_without_separators(score_last, weight):
    matrix = log([[0.9, 0.0, 0.0, 0.1], [0.0, 0.9, 0.0, 0.1]])
    model = oracles.WordModel("a b ab a b", "ab")
    options = {"mode": "NGrams", "score_last_word": score_last}
    found = oracles.word_beam_search(matrix, "ab -", 3, model, word_separator=None, **options)
    assert found.hypotheses == [((0, 1), pytest.approx(math.log(0.81 * weight)))]
    found = oracles.word_beam_search(matrix, "ab -", 3, model, **options)
    assert found.hypotheses[0] == (
        (0, 1),
        pytest.approx(math.log(0.81 * (0.2 if score_last else 1))),
    )


@pytest.mark.parametrize("mode", ["Words", "NGrams", "NGramsForecast"])
def test_the_reference_of_word_beam_search_gives_the_golden_texts(
    mode, synthetic, lines, line_alphabet, golden
):
    expected = synthetic["expected"][mode]
    corpus = (golden / "corpus.txt").read_text(encoding="utf-8")
    model = oracles.WordModel(corpus, synthetic["word_chars"], expected["smoothing"])
    for matrix, text in list(zip(lines, expected["texts"], strict=False))[:2]:
        found = oracles.word_beam_search(
            matrix,
            line_alphabet.tokens,
            79,
            model,
            mode=mode,
            beam_width=expected["beam_width"],
        )
        assert line_alphabet.decode(found.hypotheses[0][0]) == text
