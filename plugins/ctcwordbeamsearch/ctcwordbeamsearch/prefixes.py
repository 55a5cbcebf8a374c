"""What the kernels of word beam search share beside the weights of texts."""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import inline, outline
from ctckit.kernels.lexicon import PACKED, first_child_of, first_word_of, is_word
from ctckit.kernels.search import (
    LOG_2,
    NONE,
    PARENT,
    RESCALE_BELOW,
    SLOT,
    candidate_classes,
    fast_exp,
    rescale,
)

UNUSED = 2
"""Marks a word character that no word holds, in an array of 0 (no word character) and 1."""


@inline
def open_children(size, node, label, trie, mask, in_words, bit_of, open_inside, open_after):
    """Take the children that survive themselves from the bits of those that a prefix may have."""
    for j in range(size):
        open_inside[j] = mask[j]
        open_after[j] = -1
    for j in range(size):
        above = trie[trie[node[j], PARENT], SLOT]
        if node[j] != 0 and above != NONE:
            bit = ~(np.int64(1) << bit_of[label[j]])
            if in_words[label[j]]:
                open_inside[above] &= bit
            else:
                open_after[above] &= bit


@inline
def go_on(row, blank, cells, other, mass, mass_bits, ends_token, label, source, emit, inflow):
    """Let each prefix go on with its last token, or as its parent's child, into `ends_token`.

    Returns the blank's probability, and what is to be added to the log of the scale. The masses
    become the totals before the frame; `source` is that of `link_parents`.
    """
    strongest = np.int64(0)
    for j in range(cells):
        mass[j] = mass[other + j] + ends_token[j]
        strongest = max(strongest, mass_bits[j])
    top = np.int64(strongest).view(np.float64)
    log_scale = 0.0
    if 0.0 < top < RESCALE_BELOW:
        log_scale = rescale(top, cells, other, mass, ends_token) * LOG_2
    at_blank = fast_exp(np.float64(row[blank]))
    for j in range(cells):
        emit[j] = np.float64(row[label[j]])
        inflow[j] = mass[source[j]]
    for j in range(cells):
        ends_token[j] = (ends_token[j] + inflow[j]) * fast_exp(emit[j])
    return at_blank, log_scale


@inline
def likely_classes(row, log_threshold, blank, in_words, classes, probs):
    """Collect the classes above a log-probability that a text may hold; returns how many.

    The likeliest comes first: with its children there, few others can survive.
    """
    found = candidate_classes(row, log_threshold, blank, classes)
    kept = 0
    for k in range(found):
        classes[kept] = classes[k]
        kept += np.int64(in_words[classes[k]] != UNUSED)
    for k in range(kept):
        probs[k] = np.float64(row[classes[k]])
    for k in range(kept):
        probs[k] = fast_exp(probs[k])
    likeliest = 0
    for k in range(1, kept):
        if probs[k] > probs[likeliest]:
            likeliest = k
    classes[0], classes[likeliest] = classes[likeliest], classes[0]
    probs[0], probs[likeliest] = probs[likeliest], probs[0]
    return kept


@outline
def write_completed(at, stop, lexicon, token_ids):
    """Write what leads from a node to the only word below it; returns where that ends."""
    nodes, token, word_end = lexicon
    if at != 0 and word_end[at] - first_word_of(nodes[at, PACKED]) == 1:
        while is_word(nodes[at, PACKED]) == 0:
            at = np.int64(first_child_of(nodes[at, PACKED]))
            token_ids[stop] = token[at]
            stop += 1
    return stop


@outline
def is_fresh(token_ids, token_offsets, first, hypotheses, start, stop):
    """Return whether none of the hypotheses from `first` on has the tokens from start to stop."""
    for h in range(first, hypotheses):
        begin = token_offsets[h]
        if token_offsets[h + 1] - begin == stop - start:
            same = True
            for k in range(stop - start):
                same = same and token_ids[begin + k] == token_ids[start + k]
            if same:
                return False
    return True
