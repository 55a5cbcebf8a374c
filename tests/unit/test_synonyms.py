"""Words under several names: `ctckit.language.synonyms`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ctckit import Alphabet
from ctckit.kernels.language import score_word
from ctckit.language import Lexicon, NGramModel
from ctckit.language.synonyms import with_synonyms
from ctckit.language.tables import LanguageTables

WORDS = ["the", "a", "cat", "cats", "is", "read"]
NAMES = {"READ": "read", "CATS": "cats", "RED": "read", "A": "a"}


@pytest.fixture(params=[1, 2, 3, 4])
def model(request):
    rng = np.random.default_rng(request.param)
    sentences = [rng.choice(WORDS, rng.integers(1, 7)).tolist() for _ in range(60)]
    return NGramModel.train(sentences, request.param)


@pytest.fixture
def longer(model):
    numbers = model.words.numbers(NAMES.values(), unknown=-1)
    return with_synonyms(model, list(NAMES), numbers.tolist())


def texts():
    rng = np.random.default_rng(0)
    words = [*WORDS, *NAMES, "owl"]
    return [rng.choice(words, size).tolist() for size in (1, 2, 3, 4, 6) for _ in range(20)]


def test_a_name_is_as_good_as_the_word(model, longer):
    for words in texts():
        expected, _ = model.word_scores([NAMES.get(word, word) for word in words])
        assert longer.word_scores(words)[0] == pytest.approx(expected, abs=1e-6)


def test_it_has_both(model, longer):
    assert list(longer.words) == [*model.words, *NAMES]
    assert (longer.unknown, longer.begin, longer.end) == (model.unknown, model.begin, model.end)
    assert longer.counts[0] == model.counts[0] + len(NAMES)
    assert all(np.diff(longer.first_child) >= 0)
    for start, stop in itertools.pairwise(longer.first_child.tolist()):
        assert all(np.diff(longer.word[start:stop]) > 0)


def test_no_names(model):
    same = with_synonyms(model, [], [])
    assert same.counts == model.counts
    for mine, theirs in zip(same.arrays, model.arrays, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.nojit
def test_tables_of_names_alone(model, longer):
    """The words that they are names of are in the histories."""
    lexicon = Lexicon(["READ", "RED", "CATS"], Alphabet([*"ACDERST", ""], blank=7))
    numbers = longer.words.numbers(lexicon.words, unknown=-1)
    histories = model.words.numbers(["read", "cats"], unknown=-1)
    tables = LanguageTables(longer, numbers, histories)
    for words in itertools.product(lexicon.words, repeat=3):
        state, scores = tables.first_state, []
        for word in words:
            at = int(tables.columns[-2][lexicon.number(word)])
            value, state = getattr(score_word, "py_func", score_word)(state, at, tables.columns)
            scores.append(value)
        assert scores == pytest.approx(longer.word_scores(words, end=False)[0], abs=1e-5)
