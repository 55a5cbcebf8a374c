"""Kernels over a lexicon's trie and its words' bigrams: build them, and look things up.

Words are numbered in the order of their tokens, so that those below a node are a range. Nodes are
numbered by depth, and within a depth in the order of the words, so that the children of a node
are neighbours and their tokens rise. Node 0 is the root. A search needs 16 bytes of a node, a
row of an int64 table: a mask with a bit for each child (see `Lexicon.bits`), and the first child,
the first word and whether a word ends there, packed.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import (
    I32_1D,
    I64,
    I64_1D,
    OUT_I32_1D,
    OUT_I64_2D,
    inline,
    kernel,
)

NO_NODE = np.uint32(0xFFFFFFFF)
MASK, PACKED = range(2)
"""Columns of the table of nodes."""


@inline
def first_child_of(packed):
    """Return a node's first child; without children, where one would be."""
    return packed >> 32


@inline
def first_word_of(packed):
    """Return the number of the first word that begins like the node."""
    return (packed & 0xFFFFFFFF) >> 1


@inline
def is_word(packed):
    """Return 1 if the node's first word ends there, else 0."""
    return packed & 1


@inline
def _shared_prefix(token_ids, offsets, word):
    """Return how many tokens a word shares with the one before."""
    if word == 0:
        return 0
    most = min(offsets[word] - offsets[word - 1], offsets[word + 1] - offsets[word])
    shared = 0
    while (
        shared < most and token_ids[offsets[word - 1] + shared] == token_ids[offsets[word] + shared]
    ):
        shared += 1
    return shared


@kernel(I64(I32_1D, I64_1D, I64_1D, OUT_I64_2D, OUT_I32_1D, OUT_I32_1D))
def build_trie(token_ids, offsets, bits, nodes, token, word_end):
    """Build the trie of V sorted, unique words; returns how many nodes there are.

    token_ids, offsets (V + 1): the words; bits (C): each token's bit in the masks; nodes (at most 2
    + sum of lengths, 2), zeros: the table, out, one row more than nodes; token, word_end (as long):
    each node's token, and the end of the range of its words, out.
    """
    words = offsets.size - 1
    longest = 0
    for w in range(words):
        longest = max(longest, offsets[w + 1] - offsets[w])
    # How many nodes each depth has, by the prefix that a word shares with the one before.
    start_of_depth = np.zeros(longest + 3, dtype=np.int64)
    start_of_depth[1] = 1
    for w in range(words):
        shared = _shared_prefix(token_ids, offsets, w)
        for depth in range(shared + 1, offsets[w + 1] - offsets[w] + 1):
            start_of_depth[depth + 1] += 1
    for depth in range(1, longest + 3):
        start_of_depth[depth] += start_of_depth[depth - 1]
    count = start_of_depth[longest + 1]
    following = start_of_depth[: longest + 2].copy()
    following[0] = 1
    path = np.zeros(longest + 1, dtype=np.int64)
    word_end[0] = words
    nodes[0, PACKED] = np.int64(1) << 32
    for w in range(words):
        shared = _shared_prefix(token_ids, offsets, w)
        length = offsets[w + 1] - offsets[w]
        for depth in range(shared + 1, length + 1):
            node = following[depth]
            following[depth] += 1
            path[depth] = node
            token[node] = token_ids[offsets[w] + depth - 1]
            first_child = following[depth + 1] if depth < longest else count
            nodes[node, PACKED] = (first_child << 32) | (w << 1)
            nodes[path[depth - 1], MASK] |= np.int64(1) << bits[token[node]]
        for depth in range(1, length + 1):
            word_end[path[depth]] = w + 1
        nodes[path[length], PACKED] |= 1
    nodes[count, PACKED] = count << 32
    return count


@inline
def find_child(node, wanted, nodes, token):
    """Return the child of a node by a token, or NO_NODE."""
    low = first_child_of(nodes[node, PACKED])
    stop = first_child_of(nodes[node + 1, PACKED])
    high = stop
    while low < high:
        middle = (low + high) >> 1
        if token[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    if low < stop and token[low] == wanted:
        return np.uint32(low)
    return NO_NODE


@inline
def first_at_least(values, low, high, wanted):
    """Return the first position from `low` to `high` of a rising array with at least `wanted`."""
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@inline
def bigram_probability(first, begin, end, low, high, smoothing, counts, second, cumulated):
    """Return the probability that a word of the range begin to end follows the word `first`.

    (count + k) / (count(first) + k * V) for each, summed: exact, by two binary searches. low, high:
    entries of `second` to search, all of those of `first` or of a range that holds this one.
    """
    left = first_at_least(second, low, high, begin)
    right = first_at_least(second, left, high, end)
    seen = cumulated[right] - cumulated[left]
    return (seen + smoothing * (end - begin)) / (counts[first] + smoothing * counts.size)
