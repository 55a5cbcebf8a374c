"""Kernels over an n-gram model as a decoder uses it: scores of words, and of all words of a range.

The tables are those of `ctckit.language.tables.LanguageTables`: entry 0 is the empty context,
entry 1 + w the unigram of word w, and the children of an entry (its context and one word more) are
neighbours that rise by their word. So the words below a lexicon's node, whose numbers are a range,
are a range of children in every context.
"""

from __future__ import annotations

import numpy as np
from numba import types

from ctckit.kernels.jit import (
    F32_1D,
    F64_1D,
    I32_1D,
    I64,
    OUT_F64_1D,
    VOID,
    inline,
    kernel,
    outline,
)
from ctckit.kernels.lexicon import PACKED, first_at_least, first_word_of
from ctckit.kernels.search import fast_exp

MODEL = types.Tuple(
    (I32_1D, I32_1D, F32_1D, F32_1D, F64_1D, I32_1D, I32_1D, F64_1D, F64_1D, I32_1D, I32_1D)
)
"""word, first_child, log_prob, backoff, backed_off, suffix, state, cumulated, unknown; then of the
lexicon's words: known_before, known. All but the last two are of entries."""
LEAST = 1e-300
"""Stands for a probability of 0, so that it has a logarithm."""


@inline
def score_word(context, word, model):
    """Return the log-probability of a word in a context, and the context after it.

    Katz backoff: where the context's row lacks the word, the context's backoff counts and the
    context without its first word is tried.
    """
    words, first_child, log_prob, backoff, _, suffix, state, _, _, _, _ = model
    total = np.float64(0.0)
    entry = np.int64(context)
    while entry != 0:
        stop = np.int64(first_child[entry + 1])
        at = first_at_least(words, np.int64(first_child[entry]), stop, word)
        if at < stop and words[at] == word:
            return total + log_prob[at], np.int64(state[at])
        total += backoff[entry]
        entry = np.int64(suffix[entry])
    return total + log_prob[1 + word], np.int64(state[1 + word])


@inline
def open_rows(context, row, lows, highs, model):
    """Set a row of ranges to all children of a context, of its suffix, and so on."""
    first_child, suffix = model[1], model[5]
    entry = np.int64(context)
    level = 0
    while entry != 0:
        lows[row, level] = first_child[entry]
        highs[row, level] = first_child[entry + 1]
        entry = np.int64(suffix[entry])
        level += 1


@inline
def narrow_rows(
    context, everything, begin, end, source, row, lows, highs, new_lows, new_highs, model
):
    """Write to a row of new ranges what words begin to end are of another row of the context.

    everything : take them as they are.
    """
    words, suffix = model[0], model[5]
    entry = np.int64(context)
    level = 0
    while entry != 0:
        low, high = lows[source, level], highs[source, level]
        if low < high and not everything:
            low = first_at_least(words, low, high, begin)
            high = first_at_least(words, low, high, end)
        new_lows[row, level], new_highs[row, level] = low, high
        entry = np.int64(suffix[entry])
        level += 1


@inline
def words_below(node, nodes, word_end, model):
    """Return the range of the model's words that begin like a node of the lexicon."""
    known_before, known = model[9], model[10]
    begin = np.int64(known_before[first_word_of(nodes[node, PACKED])])
    end = np.int64(known_before[word_end[node]])
    if begin == end:
        return np.int64(0), np.int64(0)
    return np.int64(known[begin]), np.int64(known[end - 1]) + 1


@inline
def _range_probability(context, begin, end, row, lows, highs, model):
    """Return the probability that one of the words begin to end follows a context, exactly.

    Each context adds what its own row has over what it would have by backing off.
    """
    words, first_child, _, _, backed_off, suffix, _, cumulated, _, _, _ = model
    total = 0.0
    scale = 1.0
    entry = np.int64(context)
    level = 0
    while entry != 0:
        low, high = lows[row, level], highs[row, level]
        if low < high:
            low = first_at_least(words, low, high, begin)
            high = first_at_least(words, low, high, end)
            if low < high:
                before = cumulated[low - 1] if low > first_child[entry] else 0.0
                total += scale * (cumulated[high - 1] - before)
        scale *= backed_off[entry]
        entry = np.int64(suffix[entry])
        level += 1
    return total + scale * (cumulated[end] - (cumulated[begin] if begin > 0 else 0.0))


@inline
def log_look_ahead(context, begin_word, end_word, row, lows, highs, model):
    """Return the log of the probability that a lexicon's words begin_word to end_word are next.

    Those that the model does not know count as its unknown word, once together.
    """
    unknown, known_before, known = model[8], model[9], model[10]
    begin, end = np.int64(known_before[begin_word]), np.int64(known_before[end_word])
    if end_word - begin_word == 1 and end > begin:
        return score_word(context, np.int64(known[begin]), model)[0]
    total = 0.0
    if end > begin:
        first, last = np.int64(known[begin]), np.int64(known[end - 1])
        total = _range_probability(context, first, last + 1, row, lows, highs, model)
    if end - begin < end_word - begin_word:
        total += np.exp(unknown[context])
    return np.log(min(max(total, LEAST), 1.0))


@outline
def fill_row(context, lm_weight, row, rows, model):
    """Write exp(lm_weight * log-probability) of each word after a context to a row."""
    words, first_child, log_prob, backoff, _, suffix, _, _, _, _, _ = model
    out = rows[row]
    total = np.float64(0.0)
    entry = np.int64(context)
    while entry != 0:
        total += backoff[entry]
        entry = np.int64(suffix[entry])
    for w in range(out.size):
        out[w] = log_prob[1 + w] + total
    # From the shortest context to the longest: what is known better overwrites.
    while entry != context:
        longer = np.int64(context)
        total = 0.0
        while np.int64(suffix[longer]) != entry:
            total += backoff[longer]
            longer = np.int64(suffix[longer])
        entry = longer
        for child in range(first_child[entry], first_child[entry + 1]):
            out[words[child]] = log_prob[child] + total
    for w in range(out.size):
        out[w] = fast_exp(max(lm_weight * out[w], -700.0))


@inline
def word_below(packed, unknown_word, model):
    """Return the model's number of the word that ends at a lexicon's node."""
    known_before, known = model[9], model[10]
    word = first_word_of(packed)
    at = known_before[word]
    return np.int64(known[at]) if known_before[word + 1] > at else np.int64(unknown_word)


@kernel(VOID(I32_1D, I32_1D, F32_1D, F32_1D, I32_1D, I64, OUT_F64_1D, OUT_F64_1D))
def fill_tables(words, first_child, log_prob, backoff, suffix, unknown_word, cumulated, unknown):
    """Fill `cumulated` and `unknown` of `MODEL`.

    Each row's sum begins anew: in a sum over all of them small probabilities would drown.
    """
    unknown[0] = log_prob[1 + unknown_word]
    for entry in range(words.size):
        total = 0.0
        start, stop = np.int64(first_child[entry]), np.int64(first_child[entry + 1])
        for child in range(start, stop):
            total += np.exp(np.float64(log_prob[child]))
            if entry > 0:
                total -= np.exp(np.float64(backoff[entry]) + log_prob[suffix[child]])
            cumulated[child] = total
        if entry > 0:
            at = first_at_least(words, start, stop, unknown_word)
            if at < stop and words[at] == unknown_word:
                unknown[entry] = log_prob[at]
            else:
                unknown[entry] = backoff[entry] + unknown[suffix[entry]]
