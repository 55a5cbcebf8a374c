"""What holds of every matrix, whatever is in it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ctckit.parallel
from ctckit import Alphabet, MatrixBatch, load_decoder
from ctckit.testing.conformance import assert_same
from ctckit.testing.strategies import alphabets, batches

CORPUS = "a ab ba abba cab, bad; a'b dé éa ad"
NO_TIES = ("flat", "peaked", "path")
LETTERS = alphabets(min_size=2).filter(lambda alphabet: "a" in alphabet.token_ids)
WITH_CORPUS = ["lexiconsearch", "tokenpassing", "wordbeamsearch"]
BEAMS = ["beamsearch", "wordbeamsearch", "unseparated"]
NAMES = ["bestpath", "prefixsearch", "lexiconsearch", "tokenpassing", *BEAMS]


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """Return a function that loads a decoder, with a corpus where it needs one.

    "unseparated" is wordbeamsearch where no separator need stand between words.
    """
    corpus = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    corpus.write_text(CORPUS, encoding="utf-8")

    def load(name, alphabet, **options):
        if name == "unseparated":
            name, options["word_separator"] = "wordbeamsearch", None
        if name in WITH_CORPUS:
            options["corpus"] = corpus
        return load_decoder(name, alphabet, **options)

    return load


def permuted(batch, order):
    """Return the batch with its classes in another order: new class i is old class order[i]."""
    tokens = [batch.alphabet.tokens[i] for i in order]
    alphabet = Alphabet(tokens, order.index(batch.alphabet.blank))
    return MatrixBatch.from_log_probs([matrix[:, order] for matrix in batch], alphabet)


@pytest.mark.parametrize("name", BEAMS)
@given(batch=batches(alphabet=LETTERS), width=st.integers(1, 12), data=st.data())
def test_n_best_is_sorted_and_unique(load, name, batch, width, data):
    n_best = data.draw(st.integers(1, width))
    decoded = load(name, batch.alphabet, beam_width=width).decode_batch(batch, n_best=n_best)
    for line in decoded:
        assert 1 <= len(line) <= n_best
        assert len({one.text for one in line}) == len(line)
        assert all(a.score >= b.score for a, b in itertools.pairwise(line))


@given(batch=batches(), width=st.integers(1, 30))
def test_scores_of_beam_search_are_at_most_the_exact_ones(load, batch, width):
    decoded = load("beamsearch", batch.alphabet, beam_width=width).decode_batch(
        batch, n_best=min(width, 5)
    )
    for line in decoded:
        assert math.fsum(math.exp(one.log_prob) for one in line) <= 1 + 1e-5
        for one in line:
            assert one.score <= one.log_prob + 1e-5
            assert one.score > -math.inf


@given(batch=batches(max_frames=4, alphabet=alphabets(max_size=4)))
def test_a_wide_beam_finds_what_is_at_least_as_likely_as_the_best_path(load, batch):
    best = load("bestpath", batch.alphabet).decode_batch(batch)
    beam = load("beamsearch", batch.alphabet, beam_width=300).decode_batch(batch)
    for (one,), (other,) in zip(beam, best, strict=True):
        assert one.log_prob >= other.log_prob - 1e-6
        assert other.score <= other.log_prob + 1e-6


@pytest.mark.parametrize("name", NAMES)
@given(batch=batches(alphabet=LETTERS, styles=NO_TIES), data=st.data())
def test_relabelled_classes_relabel_the_output(load, name, batch, data):
    order = data.draw(st.permutations(range(len(batch.alphabet))))
    other = permuted(batch, list(order))
    one, two = (load(name, each.alphabet).decode_batch(each, n_best=4) for each in (batch, other))
    assert [[h.text for h in line] for line in one] == [[h.text for h in line] for line in two]
    np.testing.assert_allclose(one.scores, two.scores, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(one.log_probs, two.log_probs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@given(
    batch=batches(alphabet=LETTERS, styles=NO_TIES),
    before=st.integers(0, 3),
    after=st.integers(0, 3),
)
def test_frames_of_certain_blank_at_either_end_change_nothing(load, name, batch, before, after):
    certain = np.full((1, len(batch.alphabet)), -np.inf, dtype=np.float32)
    certain[0, batch.alphabet.blank] = 0
    longer = MatrixBatch.from_log_probs(
        [np.concatenate([certain] * before + [m] + [certain] * after) for m in batch],
        batch.alphabet,
    )
    decoder = load(name, batch.alphabet)
    one, two = (decoder.decode_batch(each, n_best=3) for each in (batch, longer))
    assert one.all_texts() == two.all_texts()
    np.testing.assert_allclose(two.scores, one.scores, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(two.log_probs, one.log_probs, rtol=1e-9, atol=1e-9)
    for line, shifted in zip(one, two, strict=True):
        for a, b in zip(line, shifted, strict=True):
            if a.timesteps is None:
                assert b.timesteps is None
            else:
                assert b.timesteps == tuple(t + before for t in a.timesteps)


@pytest.mark.parametrize("name", NAMES)
@given(batch=batches(alphabet=LETTERS), data=st.data())
def test_neither_batch_nor_order_nor_threads_matter(load, name, batch, data):
    few = dict.fromkeys(BEAMS, "beam_width")
    few["prefixsearch"] = "max_prefixes"
    decoder = load(name, batch.alphabet, **({few[name]: 4} if name in few else {}))
    whole = decoder.decode_batch(batch, n_best=3, threads=1)
    singles = [batch[i : i + 1] for i in range(len(batch))]
    assert [decoder.decode_batch(one, n_best=3)[0] for one in singles] == list(whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctckit.parallel, "SMALLEST_CHUNK", 1)
        assert_same(decoder.decode_batch(batch, n_best=3, threads=2), whole)
    if singles:
        order = data.draw(st.permutations(range(len(singles))))
        mixed = decoder.decode_batch(MatrixBatch.concatenate([singles[i] for i in order]), n_best=3)
        assert list(mixed) == [whole[i] for i in order]


@pytest.mark.parametrize("name", BEAMS)
@given(batch=batches(alphabet=LETTERS), width=st.integers(4, 9))
def test_a_longer_list_begins_with_the_shorter(load, name, batch, width):
    decoder = load(name, batch.alphabet, beam_width=width)
    longest = decoder.decode_batch(batch, n_best=4)
    for n_best in (1, 2, 3):
        found = decoder.decode_batch(batch, n_best=n_best)
        assert list(found) == [line[:n_best] for line in longest]


@pytest.mark.parametrize("name", BEAMS[1:])
@pytest.mark.parametrize("mode", ["NGrams", "NGramsForecast"])
@settings(max_examples=25)
@given(batch=batches(alphabet=LETTERS), width=st.integers(1, 6))
def test_word_models_keep_the_rules_too(load, name, mode, batch, width):
    decoder = load(name, batch.alphabet, mode=mode, beam_width=width, smoothing=0.1)
    whole = decoder.decode_batch(batch, n_best=width, threads=1)
    singles = [batch[i : i + 1] for i in range(len(batch))]
    assert [decoder.decode_batch(one, n_best=width)[0] for one in singles] == list(whole)
    for line in whole:
        assert len({one.text for one in line}) == len(line)
        assert all(a.score >= b.score for a, b in itertools.pairwise(line))
