"""Words that stand for the likeliest of others: `ctckit.language.alternatives`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ctckit import Alphabet
from ctckit.language import Lexicon, NGramModel
from ctckit.language.alternatives import with_alternatives
from ctckit.language.tables import LanguageTables

WORDS = ["the", "a", "there", "their", "cat", "cats", "is", "read"]
GROUPS = {"THEIR": ["there", "their"], "READ": ["read"], "RED": ["read"], "ALL": WORDS}


@pytest.fixture(params=[1, 2, 3, 4])
def model(request):
    rng = np.random.default_rng(request.param)
    sentences = [rng.choice(WORDS, rng.integers(1, 7)).tolist() for _ in range(60)]
    return NGramModel.train(sentences, request.param)


@pytest.fixture
def longer(model):
    members = [model.words.numbers(group, unknown=-1) for group in GROUPS.values()]
    return with_alternatives(model, list(GROUPS), [one.tolist() for one in members])


def histories():
    rng = np.random.default_rng(0)
    return [rng.choice(WORDS, size).tolist() for size in (0, 1, 2, 3, 4) for _ in range(8)]


def test_it_has_the_probability_of_the_likeliest(model, longer):
    for history in histories():
        for name, group in GROUPS.items():
            found = longer.word_scores([*history, name], end=False)[0][-1]
            expected = [model.word_scores([*history, one], end=False)[0][-1] for one in group]
            assert found == pytest.approx(max(expected), abs=1e-5)


def test_what_follows_is_that_ones(model, longer):
    for history, name in itertools.product(histories(), GROUPS):
        group = GROUPS[name]
        scores = [model.word_scores([*history, one], end=False)[0][-1] for one in group]
        best = [one for one, score in zip(group, scores, strict=True) if score == max(scores)]
        found = longer.word_scores([*history, name, "cat", "is"])[0][-3:]
        expected = [model.word_scores([*history, one, "cat", "is"])[0][-3:] for one in best]
        assert any(found == pytest.approx(one, abs=1e-5) for one in expected)


def test_the_other_words_keep_theirs(model, longer):
    assert list(longer.words) == [*model.words, *GROUPS]
    assert (longer.unknown, longer.begin, longer.end) == (model.unknown, model.begin, model.end)
    for history in histories():
        assert longer.score([*history, "owl"]) == pytest.approx(model.score([*history, "owl"]))


def test_a_model_of_other_words_than_the_lexicons(model, longer):
    """A lexicon of the new words alone: what they stand for is in the histories."""
    alphabet = Alphabet([*"ADEHILRT", ""], blank=8)
    lexicon = Lexicon(["THEIR", "READ", "RED"], alphabet)
    numbers = longer.words.numbers(lexicon.words, unknown=-1)
    members = model.words.numbers(["there", "their", "read"], unknown=-1)
    tables = LanguageTables(longer, numbers, histories=members)
    from ctckit.kernels.language import score_word

    for texts in itertools.product(lexicon.words, repeat=3):
        state, scores = tables.first_state, []
        for text in texts:
            at = tables.columns[-2][lexicon.number(text)]
            value, state = score_word.py_func(state, int(at), tables.columns)
            scores.append(value)
        assert scores == pytest.approx(longer.word_scores(texts, end=False)[0], abs=1e-5)


def test_no_member_in_a_context():
    model = NGramModel.train([["a", "b"], ["a", "c"]], 2)
    more = with_alternatives(model, ["X"], [[model.word_id("b"), model.word_id("c")]])
    assert more.counts == [7, 6]
    assert more.score(["a", "X"]) == pytest.approx(model.score(["a", "b"]))
    assert more.score(["X"]) == pytest.approx(model.score(["b"]))
