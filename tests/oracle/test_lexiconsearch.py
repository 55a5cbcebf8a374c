"""lexiconsearch against trying every word, and its BK-tree against measuring every distance."""

from __future__ import annotations

import editdistance
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctckit import Alphabet, InvalidValueError, MatrixBatch, load_decoder
from ctckit.language import BKTree, Lexicon
from ctckit.testing.oracles import collapse, text_log_prob

ALPHABET = Alphabet("abcde-", 5)


def near(words, text, tolerance):
    """Return the words within a distance of a text, or else all that are nearest."""
    distances = {word: editdistance.eval(word, text) for word in words}
    bound = max(tolerance, min(distances.values()))
    return sorted(word for word, distance in distances.items() if distance <= bound)


@given(
    words=st.sets(st.text("abcde", min_size=1, max_size=9), min_size=1, max_size=60),
    text=st.text("abcde", max_size=9),
    tolerance=st.integers(0, 10),
)
def test_a_tree_finds_what_every_distance_says(words, text, tolerance):
    tree = BKTree(Lexicon(words, ALPHABET))
    assert tree.within(text, tolerance) == sorted(
        word for word in words if editdistance.eval(word, text) <= tolerance
    )
    assert tree.nearest(text) == near(words, text, 0)


@given(data=st.data())
def test_long_words_and_long_texts(data):
    sizes = st.sampled_from([1, 5, 62, 63, 64, 65, 127, 128, 129, 200])
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))

    def string(base=""):
        """A random string, or one a few edits away from another."""
        letters = list(base) or rng.choice(list("ab"), size=data.draw(sizes)).tolist()
        for _ in range(rng.integers(0, 8)):
            at = rng.integers(len(letters) + 1)
            letters[at : at + 1] = rng.choice(["", "a", "ba"])
        return "".join(letters) or "a"

    words = {string() for _ in range(6)}
    words |= {string(word) for word in words for _ in range(4)}
    text = string(data.draw(st.sampled_from(sorted(words))))
    tolerance = data.draw(st.integers(0, 12))
    tree = BKTree(Lexicon(words, ALPHABET))
    assert tree.within(text, tolerance) == sorted(
        word for word in words if editdistance.eval(word, text) <= tolerance
    )
    assert tree.nearest(text) == near(words, text, 0)


def test_distances_are_counted_in_tokens():
    alphabet = Alphabet(["s", "sch", "e", "n", "ö", "-"], 5)
    tree = BKTree(Lexicon(["schön", "schöne", "söne"], alphabet))
    assert tree.within("schön", 0) == ["schön"]
    assert tree.within("schön", 1) == ["schön", "schöne"]
    assert tree.within("schöne", 1) == ["schön", "schöne", "söne"]
    assert repr(tree) == "BKTree(3 words)"


def test_a_tree_refuses():
    tree = BKTree(Lexicon(["ab"], ALPHABET))
    with pytest.raises(InvalidValueError, match="tolerance must be at least 0, got -1; it is a"):
        tree.within("ab", -1)
    with pytest.raises(InvalidValueError, match="text must be spelled in the alphabet, got 'x'"):
        tree.nearest("x")


def random_batch(rng, count, most, words):
    """Matrices in which a word can be seen, more or less, and some that are too short for it."""
    matrices = []
    for word in rng.choice(sorted(words), size=count):
        path = []
        for letter in word:
            path += [ALPHABET.token_ids[letter]] * rng.integers(1, 3) + [5] * rng.integers(0, 3)
        logits = rng.normal(size=(len(path), 6)) * rng.choice([0.3, 1, 2])
        logits[np.arange(len(path)), path] += rng.choice([0, 1, 3])
        if rng.random() < 0.3:
            logits[rng.random(logits.shape) < 0.3] = -np.inf
            logits[np.isneginf(logits).all(axis=1), 5] = 0
        matrices.append(logits[: rng.integers(0, most)])
    return MatrixBatch.from_logits(matrices, ALPHABET)


def compare(path, rng, count, most, words, tolerance, n_best):
    """Decode; return how many matrices there were with words near enough, and with none."""
    path.write_text(" ".join(sorted(words)), encoding="utf-8")
    decoder = load_decoder("lexiconsearch", ALPHABET, corpus=path, tolerance=tolerance)
    batch = random_batch(rng, count, most, words)
    widened, empty = 0, 0
    decoded = decoder.decode_batch(batch, n_best=n_best)
    for matrix, found in zip(batch, decoded, strict=True):
        text = ALPHABET.decode(collapse(matrix.argmax(axis=1).tolist(), 5))
        candidates = near(words, text, tolerance)
        scores = {one: text_log_prob(matrix, ALPHABET.encode(one), 5) for one in candidates}
        possible = sorted((one for one in scores.values() if one > -np.inf), reverse=True)
        if not possible:
            assert [one.text for one in found] == [""]
            assert found[0].score == pytest.approx(found[0].log_prob, abs=1e-6)
            empty += 1
            continue
        widened += editdistance.eval(candidates[0], text) > tolerance
        expected = [min(score, 0.0) for score in possible[:n_best]]
        assert [one.score for one in found] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        for one in found:
            assert one.score == one.log_prob == pytest.approx(scores[one.text], rel=1e-9, abs=1e-6)
    return count - widened - empty, widened, empty


def random_words(rng, count, longest):
    return {
        "".join(rng.choice(list("abcde"), size=rng.integers(1, longest + 1))) for _ in range(count)
    }


@pytest.mark.parametrize("n_best", [1, 3, 20])
@pytest.mark.parametrize("tolerance", [0, 1, 2, 4, 20])
def test_every_word(tmp_path, tolerance, n_best):
    rng = np.random.default_rng([tolerance, n_best])
    counts = []
    for count, longest in ((1, 3), (5, 4), (60, 6), (300, 9)):
        words = random_words(rng, count, longest)
        counts.append(compare(tmp_path / "corpus", rng, 30, 30, words, tolerance, n_best))
    near_enough, widened, empty = np.sum(counts, axis=0)
    assert near_enough > 15
    assert empty
    assert widened or tolerance > 2


@pytest.mark.nojit
def test_a_few_words(tmp_path):
    rng = np.random.default_rng(0)
    words = {"ab", "abc", "bcd", "e", "cab", "abce", "dd"}
    for tolerance in (0, 2):
        assert compare(tmp_path / "corpus", rng, 6, 12, words, tolerance, 2)[0]


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_likelihoods_that_underflow(tmp_path, scale):
    """So flat or so wrong that probabilities are 0 in float64: still the likeliest word."""
    rng = np.random.default_rng(int(scale))
    words = random_words(rng, 40, 8)
    (tmp_path / "corpus").write_text(" ".join(words), encoding="utf-8")
    decoder = load_decoder("lexiconsearch", ALPHABET, corpus=tmp_path / "corpus", tolerance=400)
    matrices = [rng.normal(size=(frames, 6)) * scale for frames in (300, 500, 700)]
    batch = MatrixBatch.from_logits(matrices, ALPHABET)
    for matrix, found in zip(batch, decoder.decode_batch(batch, n_best=4), strict=True):
        scores = [text_log_prob(matrix, ALPHABET.encode(word), 5) for word in words]
        assert [one.score for one in found] == pytest.approx(sorted(scores, reverse=True)[:4])
        assert found[0].score < -250


def test_states_of_too_wide_a_range(tmp_path):
    """Of "a" 200 times there are e^600 times more alignments at the end than where "b" must be."""
    probs = np.zeros((4002, 4))
    probs[:, 0], probs[:, 3] = 0.499, 0.501
    probs[:800:4, 0], probs[:800:4, 3] = 0.501, 0.499
    probs[800] = [0, 1, 0, 0]
    probs[4001] = [0, 0, 1, 0]
    word = 200 * "a" + "bc"
    (tmp_path / "corpus").write_text(f"bc {word}", encoding="utf-8")
    batch = MatrixBatch.from_probs([probs], Alphabet("abc-", 3))
    decoder = load_decoder("lexiconsearch", batch.alphabet, corpus=tmp_path / "corpus")
    assert decoder.decode_batch(batch).texts() == [word]
