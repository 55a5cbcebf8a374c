"""N-gram models against dictionaries: what is looked up, what is backed off to, what is trained."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctckit.language import NGramModel
from ctckit.language.kneser_ney import FALLBACK, estimate
from ctckit.testing.ngrams import Backoff, KneserNey

LOG_10 = math.log(10)
WORDS = ("a", "b", "é", "longer", "</s>", "<s>", "<unk>")
FEW = r"""\data\
ngram 1=3
ngram 2=2
ngram 3=1
\1-grams:
-1.5	a -0.25
-1e-1 b
-0.75	</s>
\2-grams:
-.5	a a	-0.5
-0.3	b a
\3-grams:
-0.125	a b b
\end\
"""
numbers = st.integers(0, 40_000).map(lambda value: -value / 10_000)


@st.composite
def arpa_texts(draw, longest=4):
    """ARPA files with any n-grams over any unigrams: contexts and suffixes may be missing."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, unique=True))
    order = draw(st.integers(1, longest))
    lists = [[(word,) for word in words]]
    for n in range(2, order + 1):
        ngrams = st.tuples(*[st.sampled_from(words)] * n)
        lists.append(draw(st.lists(ngrams, max_size=12, unique=True)))
    lines = ["\\data\\", *(f"ngram {n}={len(own)}" for n, own in enumerate(lists, 1))]
    for n, own in enumerate(lists, start=1):
        lines += ["", f"\\{n}-grams:"]
        for ngram in own:
            line = f"{draw(numbers)}\t{' '.join(ngram)}"
            lines.append(f"{line}\t{draw(numbers)}" if n < order and draw(st.booleans()) else line)
    return "\n".join([*lines, "", "\\end\\", ""])


def load(text, folder):
    path = folder / "model.arpa"
    path.write_text(text, encoding="utf-8")
    return NGramModel.load(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("CTCKIT_CACHE_DIR", "")


def ngrams_of(model):
    """Return the words of each entry."""
    words = list(model.words)
    found = [()]
    parents = np.repeat(np.arange(len(model.word)), np.diff(model.first_child))
    for entry in range(1, len(model.word)):
        found.append((*found[parents[entry - 1]], words[model.word[entry]]))
    return found


sentences = st.lists(st.sampled_from(("a", "b", "é", "longer", "new")), max_size=7)


@given(text=arpa_texts(), words=sentences, begin=st.booleans(), end=st.booleans())
def test_scores_are_those_of_the_dictionary(text, words, begin, end, place):
    compare_scores(text, words, begin, end, place)


@pytest.mark.nojit
@pytest.mark.parametrize("order", [1, 2, 3])
def test_scores_are_those_of_the_dictionary_on_a_few(order, tmp_path):
    compare_scores(FEW, ["a", "a", "b", "x", "b", "a"][: 2 * order], True, True, tmp_path)


def compare_scores(text, words, begin, end, place):
    model, oracle = load(text, place), Backoff(text)
    log_probs, orders = model.word_scores(words, begin=begin, end=end)
    expected = oracle.sentence(words, begin=begin, end=end)
    assert log_probs / LOG_10 == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert model.score(words, begin=begin, end=end) == pytest.approx(log_probs.sum(), abs=1e-9)
    start = ("<s>",) if begin and model.begin >= 0 else ()
    whole = (*start, *words, *(["</s>"] if end and model.end >= 0 else []))
    for k, order in enumerate(orders, start=len(start)):
        matched = oracle.matched(whole[:k], whole[k])
        assert matched <= order if sum(model.added) else matched == order


@given(text=arpa_texts())
def test_the_trie_is_in_order(text, place):
    model, oracle = load(text, place), Backoff(text)
    ngrams = ngrams_of(model)
    assert len(set(ngrams)) == len(ngrams) == 1 + sum(model.counts)
    assert [len(one) for one in ngrams] == sorted(len(one) for one in ngrams)
    assert (model.first_child[0], model.first_child[-1]) == (1, len(ngrams))
    entry_of = {one: entry for entry, one in enumerate(ngrams)}
    for start, stop in itertools.pairwise(model.first_child.tolist()):
        assert (np.diff(model.word[start:stop]) > 0).all()
    given_ngrams = set(oracle.log_probs)
    assert given_ngrams <= entry_of.keys()
    needed = set(given_ngrams)
    for one in sorted(given_ngrams, key=len, reverse=True):
        for i, j in itertools.combinations(range(len(one) + 1), 2):
            needed.add(one[i:j])
    assert set(ngrams[1:]) == needed
    contexts = {one[:-1] for one in ngrams[1:]}
    for entry, one in enumerate(ngrams[1:], start=1):
        assert model.suffix[entry] == entry_of[one[1:]]
        shorter = [one[i:] for i in range(len(one)) if len(one) - i < model.order]
        kept = [some for some in shorter if some in contexts or oracle.weights.get(some)]
        assert model.state[entry] == entry_of[kept[0] if kept else ()]
        if one not in given_ngrams:
            assert model.backoff[entry] == 0
    assert (model.state[0], model.suffix[0], model.word[0]) == (0, 0, -1)


@given(text=arpa_texts(longest=3), words=sentences, more=sentences)
def test_a_state_is_all_that_counts(text, words, more, place):
    from ctckit.kernels.ngrams import score_sentences

    model = load(text, place)
    state = model.state_after(words)
    numbers = model.word_ids(more)
    log_probs, entries = np.zeros(len(more)), np.zeros(len(more), dtype=np.int32)
    score_sentences(numbers, np.array([0, len(more)]), state, model.arrays, log_probs, entries)
    whole = model.word_scores([*words, *more], end=False)[0]
    np.testing.assert_allclose(log_probs, whole[len(words) :], atol=1e-5)


@given(text=arpa_texts())
def test_what_is_written_reads_the_same(text, place):
    model = load(text, place)
    model.write_arpa(place / "again.arpa.gz")
    model.save(place / "again.model")
    again, saved = (NGramModel.load(place / f"again.{end}") for end in ("arpa.gz", "model"))
    for one, other, same in zip(model.arrays, again.arrays, saved.arrays, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
        np.testing.assert_array_equal(one, same)
    assert list(model.words) == list(again.words) == list(saved.words)
    assert (again.counts, sum(again.added)) == (model.counts, 0)
    assert (saved.counts, saved.added) == (model.counts, model.added)


texts = st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=9), min_size=1)


@given(text=texts, order=st.integers(1, 4), min_count=st.integers(1, 3))
def test_training_is_what_it_is_defined_as(text, order, min_count):
    compare_training(text, min(order, 2 + max(map(len, text))), min_count)


@pytest.mark.nojit
def test_training_is_what_it_is_defined_as_on_a_few():
    compare_training([list("abab"), list("ab"), list("ca")], 3, 1)


@pytest.mark.parametrize("order", [2, 4])
def test_training_is_what_it_is_defined_as_with_estimated_discounts(order):
    rng = np.random.default_rng(order)
    letters = list("abcdefghijklmnopqrstuvwx")
    weights = 1 / np.arange(1, 25)
    text = [
        rng.choice(letters, p=weights / weights.sum(), size=rng.integers(1, 9)).tolist()
        for _ in range(150)
    ]
    made = compare_training(text, order, 1)
    assert len(made.fallback) < order
    compare_training(text, order, 2)


def compare_training(text, order, min_count):
    made = estimate(text, order, min_count=min_count)
    model, oracle = NGramModel.of_lists(made.lists), KneserNey(text, order, min_count)
    assert [tuple(one) for one in oracle.discounts] == [pytest.approx(d) for d in made.discounts]
    assert all((made.discounts[n - 1] == FALLBACK) for n in made.fallback)
    assert sum(model.added) == 0
    assert set(model.words) == {*oracle.words, "<s>"}
    grams = {one for kept in oracle.kept for one in kept} | {("<unk>",)}
    assert set(ngrams_of(model)[1:]) == grams
    contexts = {one[:-1] for one in grams} | {("<s>",), ("<unk>",), ("<s>", "<unk>")}
    for number, context in enumerate(sorted(contexts)):
        probs = distribution(model, context)
        assert sum(probs.values()) == pytest.approx(1, abs=1e-5)
        assert probs.keys() == set(oracle.words)
        if len(contexts) < 60 or number % 7 == 0:
            for word in oracle.words:
                expected = oracle.prob(context[max(0, len(context) - order + 1) :], word)
                assert probs[word] == pytest.approx(expected, rel=2e-5)
    return made


def distribution(model, context):
    """Return the probability of each word but ``<s>`` after a context."""
    state = 0
    for word in context:
        state = step(model, state, word)[1]
    return {word: math.exp(step(model, state, word)[0]) for word in model.words if word != "<s>"}


def step(model, state, word):
    from ctckit.kernels.ngrams import score_sentences

    log_probs, entries = np.zeros(1), np.zeros(1, dtype=np.int32)
    numbers = model.word_ids([word])
    score_sentences(numbers, np.array([0, 1]), state, model.arrays, log_probs, entries)
    return log_probs[0], int(model.state[entries[0]])
