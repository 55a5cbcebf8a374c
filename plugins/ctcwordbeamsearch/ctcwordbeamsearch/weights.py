"""What a prefix's text counts in word beam search: helpers of its kernel.

A prefix is ranked by its mass times a weight: the geometric mean of its words' probabilities.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import inline, outline
from ctckit.kernels.lexicon import (
    PACKED,
    bigram_probability,
    first_at_least,
    first_word_of,
    is_word,
)

WORDS, NGRAMS, FORECAST = range(3)
STANDS_AT, FINISHED, LAST_WORD = 5, 6, 7
"""More columns of the table of prefixes: lexicon node, words finished, the last of them."""
SLACK = 1.0 + 1e-9
"""On upper bounds, for what rounding may add."""


@inline
def word_probability(begin, end, finished, last_word, low, high, smoothing, bigrams):
    """Return the probability that the next word is one of begin to end."""
    counts, unigrams, _, second, cumulated = bigrams
    if finished == 0:
        return unigrams[end] - unigrams[begin]
    return bigram_probability(
        last_word, begin, end, low, high, smoothing, counts, second, cumulated
    )


@inline
def mean(log_product, words):
    """Return the geometric mean of the probabilities of so many words."""
    return np.exp(log_product / words) if words > 0 else 1.0


@outline
def forecast(prefix, at, low, high, trie, log_product, smoothing, lexicon, bigrams):
    """Return a prefix's weight if its open word stands at a node: by all that it may become."""
    nodes, _, word_end = lexicon
    finished = np.int64(trie[prefix, FINISHED])
    begin, end = first_word_of(nodes[at, PACKED]), np.int64(word_end[at])
    last = np.int64(trie[prefix, LAST_WORD])
    chance = word_probability(begin, end, finished, last, low, high, smoothing, bigrams)
    return mean(log_product[prefix] + np.log(min(chance, 1.0)), finished + 1)


@inline
def _finished_product(prefix, low, high, trie, log_product, smoothing, lexicon, bigrams):
    """Return the log of a prefix's product with its open word, which is one, finished."""
    word = first_word_of(lexicon[0][trie[prefix, STANDS_AT], PACKED])
    finished = np.int64(trie[prefix, FINISHED])
    last = np.int64(trie[prefix, LAST_WORD])
    chance = word_probability(word, word + 1, finished, last, low, high, smoothing, bigrams)
    return log_product[prefix] + np.log(chance)


@inline
def followers(prefix, trie, mode, lexicon, bigrams):
    """Return a range of bigram entries in which all words are that may come next in a prefix.

    With forecasts it is worth the search for the least such range.
    """
    nodes, _, word_end = lexicon
    _, _, row_start, second, _ = bigrams
    if trie[prefix, FINISHED] == 0:
        return np.int64(0), np.int64(0)
    last = np.int64(trie[prefix, LAST_WORD])
    low, high = row_start[last], row_start[last + 1]
    stands_at = np.int64(trie[prefix, STANDS_AT])
    if mode == FORECAST and stands_at != 0:
        low = first_at_least(second, low, high, first_word_of(nodes[stands_at, PACKED]))
        high = first_at_least(second, low, high, np.int64(word_end[stands_at]))
    return low, high


@inline
def weigh(prefix, low, high, trie, log_product, mode, smoothing, lexicon, bigrams):
    """Return a prefix's weight, a bound of its children's inside a word, and theirs after one.

    And the log of its product once its open word has ended.
    """
    nodes = lexicon[0]
    stands_at = np.int64(trie[prefix, STANDS_AT])
    may_end = stands_at == 0 or is_word(nodes[stands_at, PACKED]) == 1
    product = log_product[prefix]
    if mode == WORDS:
        return 1.0, 1.0, (1.0 if may_end else 0.0), product
    finished = np.int64(trie[prefix, FINISHED])
    now = mean(product, finished)
    if stands_at == 0:
        inside = now if mode == NGRAMS else mean(product, finished + 1)
        return now, inside * SLACK, now, product
    if mode == FORECAST:
        now = forecast(prefix, stands_at, low, high, trie, log_product, smoothing, lexicon, bigrams)
    after = 0.0
    if may_end:
        product = _finished_product(
            prefix, low, high, trie, log_product, smoothing, lexicon, bigrams
        )
        after = mean(product, finished + 1)
    return now, now * SLACK, after, product
