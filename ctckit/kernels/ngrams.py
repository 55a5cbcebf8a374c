"""Kernels that look up and score n-grams in the trie of a language model.

The trie (see `ctckit.language.NGramModel`): entry 0 is the root, entry 1 + w the unigram of word w,
and the children of entry e, the n-grams that are one word longer, are the entries
first_child[e] to first_child[e + 1], their words rising. Probabilities are natural logarithms.
"""

from __future__ import annotations

import numpy as np
from numba import types

from ctckit.kernels.jit import (
    F32_1D,
    I32_1D,
    I64,
    I64_1D,
    OUT_F64_1D,
    OUT_I32_1D,
    VOID,
    inline,
    kernel,
)

NGRAMS = types.Tuple((I32_1D, I32_1D, F32_1D, F32_1D, I32_1D, I32_1D))
"""For signatures: word, first_child, log_prob, backoff, suffix, state (`NGramModel.arrays`)."""


@inline
def find_ngram(entry, word, words, first_child):
    """Return the entry of an n-gram followed by a word, or 0. words: of all entries."""
    if entry == 0:
        return np.int64(1 + word)
    low = np.int64(first_child[entry])
    stop = np.int64(first_child[entry + 1])
    high = stop
    while low < high:
        middle = (low + high) >> 1
        if words[middle] < word:
            low = middle + 1
        else:
            high = middle
    if low < stop and words[low] == word:
        return low
    return np.int64(0)


@inline
def match_word(state, word, model):
    """Return a word's log-probability after a state, float64, and the entry that gave it."""
    words, first_child, log_prob, backoff, suffix, _ = model
    entry = np.int64(state)
    total = 0.0
    found = find_ngram(entry, word, words, first_child)
    while found == 0:
        total += np.float64(backoff[entry])
        entry = np.int64(suffix[entry])
        found = find_ngram(entry, word, words, first_child)
    return total + np.float64(log_prob[found]), found


@inline
def score_word(state, word, model):
    """Return a word's log-probability after a state, float64, and the next state.

    Backs off until an n-gram is found, which every word's unigram is at the latest. state: an
    entry, 0 for no context; word: its number; model: `NGramModel.arrays`.
    """
    total, found = match_word(state, word, model)
    return total, np.int64(model[5][found])


@kernel(VOID(I32_1D, I64_1D, I64, NGRAMS, OUT_F64_1D, OUT_I32_1D))
def score_sentences(words, offsets, first_state, model, log_probs, entries):
    """Score each word of N sentences after those before it in its sentence.

    words, offsets (N + 1): word numbers; first_state: of every sentence; log_probs, entries: each
    word's, and the entry that gave it, out.
    """
    for i in range(offsets.size - 1):
        state = first_state
        for k in range(offsets[i], offsets[i + 1]):
            log_probs[k], found = match_word(state, np.int64(words[k]), model)
            entries[k] = found
            state = np.int64(model[5][found])
