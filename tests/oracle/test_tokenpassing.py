"""tokenpassing against every path, and against the slow reference on longer matrices."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch, load_decoder
from ctckit.testing.oracles import path_log_probs, token_passing

TIE = 1e-9
ALONE = "alone"
"""In place of a separator: texts are single words."""
MODES = pytest.mark.parametrize("mode", ["separator", "direct", ALONE])


def spells_words(text, words, separator):
    """Return whether a text is one of the words or several, the separator between two."""
    if text in words:
        return True
    if separator == ALONE:
        return False
    for length in range(1, len(text)):
        if text[:length] in words:
            rest = text[length:]
            if separator is not None:
                if rest[0] != separator:
                    continue
                rest = rest[1:]
            if spells_words(rest, words, separator):
                return True
    return False


def random_words(rng, letters, longest, count):
    return {
        tuple(rng.choice(letters, size=rng.integers(1, longest + 1)).tolist())
        for _ in range(rng.integers(1, count + 1))
    }


def random_matrix(rng, frames, classes, scale):
    """Flat to peaked, with impossible entries in a third of them."""
    logits = rng.normal(size=(frames, classes)) * scale
    if rng.random() < 0.3:
        logits[rng.random(logits.shape) < 0.3] = -np.inf
        logits[np.isneginf(logits).all(axis=1), rng.integers(classes)] = 0
    return logits


def decode(path, matrices, alphabet, words, separator):
    """Decode with a corpus of words, each a tuple of token ids."""
    corpus = ["".join(alphabet.tokens[i] for i in word) for word in sorted(words)]
    path.write_text("\n".join(corpus), encoding="utf-8")
    letters = "".join(sorted(set("".join(corpus))))
    options = {"corpus": path, "word_characters": letters}
    if separator != ALONE:  # else the default, which the alphabet lacks
        options["word_separator"] = None if separator is None else alphabet.tokens[separator]
    decoder = load_decoder("tokenpassing", alphabet, **options)
    batch = MatrixBatch.from_logits(matrices, alphabet)
    return batch, [line[0] for line in decoder.decode_batch(batch)]


def compare_with_every_path(path, rng, classes, mode, count, most):
    """Decode random matrices of up to `most` frames; return how many hold a word."""
    blank = int(rng.integers(classes))
    alphabet = Alphabet([chr(97 + c) for c in range(classes)], blank)
    others = [c for c in range(classes) if c != blank]
    separator = ALONE if mode == ALONE else None
    if mode == "separator":
        separator = others.pop(int(rng.integers(len(others))))
    words = random_words(rng, others, 3, 4)
    scales = rng.choice([0.1, 1, 4, 30, 600], size=count)
    matrices = [random_matrix(rng, rng.integers(0, most + 1), classes, one) for one in scales]
    batch, decoded = decode(path, matrices, alphabet, words, separator)
    spelled = functools.cache(lambda text: spells_words(text, words, separator))
    held = 0
    for matrix, found in zip(batch, decoded, strict=True):
        paths = path_log_probs(matrix, blank)
        possible = {text: score for text, score in paths.items() if text and spelled(text)}
        held += bool(possible)
        if not possible:
            assert found.text == ""
            assert found.score == pytest.approx(found.log_prob, rel=TIE, abs=TIE)
            continue
        best = max(possible.values())
        assert possible[found.token_ids] == pytest.approx(best, rel=TIE, abs=TIE)
        assert found.score == pytest.approx(min(best, 0.0), rel=TIE, abs=TIE)
        assert found.score <= found.log_prob + 1e-9
    return held


@MODES
@pytest.mark.parametrize(("classes", "most"), [(3, 8), (4, 6), (5, 5)])
def test_tiny_matrices(tmp_path, classes, most, mode):
    rng = np.random.default_rng([classes, len(mode)])
    held = [
        compare_with_every_path(tmp_path / "corpus", rng, classes, mode, 20, most)
        for _ in range(20)
    ]
    assert sum(held) > 200


@pytest.mark.nojit
@MODES
def test_a_few_tiny_matrices(tmp_path, mode):
    rng = np.random.default_rng(6)
    assert compare_with_every_path(tmp_path / "corpus", rng, 4, mode, 12, 4) > 1


def test_a_word_may_follow_the_second_best(tmp_path):
    """Without a blank between, the likelier word cannot be followed by its own last letter."""
    alphabet = Alphabet("abc-", 3)
    probs = [[0, 0, 1, 0], [0.5, 0.4, 0, 0.1], [1, 0, 0, 0], [0, 0, 1, 0]]
    with np.errstate(divide="ignore"):
        words = {(2, 0), (2, 1), (0, 2)}
        _, (found,) = decode(tmp_path / "corpus", [np.log(probs)], alphabet, words, None)
    assert found.text == "cbac"
    assert np.exp(found.score) == pytest.approx(0.4)


@pytest.mark.parametrize("with_separator", [False, True])
@pytest.mark.parametrize("scale", [0.5, 3, 40])
def test_longer_matrices(tmp_path, scale, with_separator):
    rng = np.random.default_rng([int(scale), with_separator])
    alphabet = Alphabet("abcd |-", 6)
    separator = 4 if with_separator else None
    words = random_words(rng, range(4), 5, 30)
    matrices = [random_matrix(rng, frames, 7, scale) for frames in (15, 30, 45)]
    for matrix in matrices:
        matrix[rng.random(len(matrix)) < 0.3, 6] += 2 * scale
    batch, decoded = decode(tmp_path / "corpus", matrices, alphabet, words, separator)
    said = 0
    for matrix, found in zip(batch, decoded, strict=True):
        expected, score = token_passing(matrix, 6, words, separator)
        said += len(expected)
        between = () if separator is None else (separator,)
        text = list(itertools.chain.from_iterable((*between, *word) for word in expected))
        assert found.token_ids == tuple(text[len(between) :])
        assert found.score == pytest.approx(score, rel=TIE)
    assert said > 5


def test_the_reference_tries_every_path():
    rng = np.random.default_rng(8)
    for separator in (None, 2):
        for _ in range(30):
            words = random_words(rng, [0, 1], 3, 3)
            logits = rng.normal(size=(6, 4)) * 2
            matrix = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
            paths = path_log_probs(matrix, 3)
            best = max(
                paths[text] for text in paths if text and spells_words(text, words, separator)
            )
            assert token_passing(matrix, 3, words, separator)[1] == pytest.approx(best)


@pytest.mark.parametrize("separator", [None, " "])
def test_many_words(lines, synthetic, tmp_path, separator):
    """A lexicon of all references' words, on some lines, against the reference."""
    alphabet = lines.alphabet
    letters = set(synthetic["word_chars"])
    texts = "".join(c if c in letters else " " for c in " ".join(synthetic["reference"][:6]))
    words = {tuple(alphabet.encode(word).tolist()) for word in texts.split()}
    index = alphabet.token_ids[" "] if separator else None
    (tmp_path / "corpus").write_text(texts, encoding="utf-8")
    decoder = load_decoder(
        "tokenpassing", alphabet, corpus=tmp_path / "corpus", word_separator=separator
    )
    decoded = decoder.decode_batch(lines[:2])
    for matrix, found in zip(lines[:2], decoded, strict=True):
        expected, score = token_passing(matrix, alphabet.blank, words, index)
        assert found[0].text == (separator or "").join(alphabet.decode(word) for word in expected)
        assert found[0].score == pytest.approx(score, rel=TIE)
