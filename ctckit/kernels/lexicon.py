"""Kernels over a lexicon's trie and its words' bigrams: build them, and look things up.

Words are numbered in the order of their tokens, so that those below a node are a range. Nodes are
numbered by depth, and within a depth in the order of the words, so that the children of a node
are neighbours and their tokens rise. Node 0 is the root. A search needs 16 bytes of a node, a
row of an int64 table: a mask with a bit for each child (see `Lexicon.bits`), and the first child,
the first word and whether a word ends there, packed.

Where words may be spelled in several ways, nodes are those of a trie over characters, and arcs lead
from one to another, each by a token: a node's first arc stands where its first child would. Else
the arc to a node has the node's number.
"""

from __future__ import annotations

import numpy as np
from numba import types

from ctckit.kernels.jit import (
    I32_1D,
    I64,
    I64_1D,
    OUT_I32_1D,
    OUT_I64_1D,
    OUT_I64_2D,
    U8_1D,
    VOID,
    inline,
    kernel,
)

U32_ANY = types.Array(types.uint32, 1, "A", readonly=True)
"""A column of a table, too."""
NO_NODE = np.uint32(0xFFFFFFFF)
LEAST = np.int64(-(2**63))
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
def find_arc(node, wanted, nodes, arc_token):
    """Return the arc that leads from a node by a token, or NO_NODE."""
    low = first_child_of(nodes[node, PACKED])
    stop = first_child_of(nodes[node + 1, PACKED])
    low = first_at_least(arc_token, low, stop, wanted)
    if low < stop and arc_token[low] == wanted:
        return np.uint32(low)
    return NO_NODE


@inline
def target_of(arc, arc_target):
    """Return the node that an arc leads to."""
    if arc_target.size == 0:
        return np.uint32(arc)
    return np.uint32(arc_target[arc])


@inline
def find_child(node, wanted, nodes, token):
    """Return the child of a node by a token, or NO_NODE, where arcs are the nodes themselves."""
    return find_arc(node, wanted, nodes, token)


@inline
def _symbol_at(data, width, position):
    """Return the symbol whose bytes begin at a position, the first byte the most."""
    value = np.int64(0)
    for k in range(width):
        value = (value << 8) | data[position + k]
    return value - 1


@inline
def _same_word(data, starts, one, other):
    """Return whether two words have the same bytes."""
    first, second = starts[one], starts[other]
    length = starts[one + 1] - first
    if starts[other + 1] - second != length:
        return False
    k = 0
    while k < length and data[first + k] == data[second + k]:
        k += 1
    return k == length


@inline
def _shared_prefix(data, width, starts, before, word):
    """Return how many symbols two different words share, one of which follows the other."""
    first, second = starts[before], starts[word]
    most = min(starts[before + 1] - first, starts[word + 1] - second)
    shared = 0
    while shared < most and data[first + shared] == data[second + shared]:
        shared += 1
    return shared // width


@inline
def _load_keys(data, starts, order, low, high, skipped, keys):
    """Write eight bytes of some words, after those skipped, as numbers in the order of the bytes.

    Zeros stand behind a word's end; a word without any of them left has the least number.
    """
    for i in range(low, high):
        start, stop = starts[order[i]] + skipped, starts[order[i] + 1]
        key = np.int64(0)
        for position in range(start, start + 8):
            key <<= 8
            if position < stop:
                key |= data[position]
        keys[i] = key ^ LEAST


@kernel(I64(U8_1D, I64_1D, OUT_I32_1D, OUT_I64_1D))
def sort_words(data, starts, order, keys):
    """Sort words by their bytes, and drop repeated ones; returns how many different ones there are.

    data, starts: as of `build_trie`; order: the words' numbers, all; those of the different ones in
    order come first, out; keys (as long): to work with. A quicksort in three parts by eight bytes
    at a time, in place.
    """
    waiting = np.empty((order.size // 2 + 1, 3), dtype=np.int64)  # of two words or more each
    waiting[0, 0], waiting[0, 1], waiting[0, 2] = 0, order.size, 0
    _load_keys(data, starts, order, 0, order.size, 0, keys)
    count = 1
    while count > 0:
        count -= 1
        low, high, skipped = waiting[count, 0], waiting[count, 1], waiting[count, 2]
        while high - low > 1:
            first, pivot, last = keys[low], keys[(low + high) >> 1], keys[high - 1]
            pivot = max(min(first, pivot), min(max(first, pivot), last))
            below, i, above = low, low, high
            while i < above:
                key = keys[i]
                if key < pivot:
                    keys[i], keys[below] = keys[below], key
                    order[i], order[below] = order[below], order[i]
                    below += 1
                    i += 1
                elif key > pivot:
                    above -= 1
                    keys[i], keys[above] = keys[above], key
                    order[i], order[above] = order[above], order[i]
                else:
                    i += 1
            if above - below > 1 and pivot != LEAST:
                _load_keys(data, starts, order, below, above, skipped + 8, keys)
                waiting[count, 0], waiting[count, 1] = below, above
                waiting[count, 2] = skipped + 8
                count += 1
            if below - low > high - above:
                larger_low, larger_high = low, below
                low = above
            else:
                larger_low, larger_high = above, high
                high = below
            if larger_high - larger_low > 1:
                waiting[count, 0], waiting[count, 1] = larger_low, larger_high
                waiting[count, 2] = skipped
                count += 1
    different = np.int64(0)
    for i in range(order.size):
        if different == 0 or not _same_word(data, starts, order[different - 1], order[i]):
            order[different] = order[i]
            different += 1
    return different


@kernel(VOID(U8_1D, I64, I64_1D, I32_1D, OUT_I64_1D))
def count_nodes(data, width, starts, order, start_of_depth):
    """Find the first node of each depth in a trie; what follows the last one is their number.

    data, width, starts, order: as of `build_trie`; start_of_depth (longest word + 2), zeros: out.
    """
    start_of_depth[0] = 1
    start_of_depth[1] = -1
    for w in range(order.size):
        shared = 0
        if w > 0:
            shared = _shared_prefix(data, width, starts, order[w - 1], order[w])
        start_of_depth[shared + 1] += 1
        length = (starts[order[w] + 1] - starts[order[w]]) // width
        start_of_depth[length + 1] -= 1
    # From how the numbers change to the numbers, and from those to their sums.
    before = np.int64(0)
    changed = np.int64(0)
    for depth in range(start_of_depth.size):
        changed += start_of_depth[depth]
        start_of_depth[depth] = before
        before += changed


@kernel(VOID(U8_1D, I64, I64_1D, I32_1D, I64_1D, I64_1D, OUT_I64_2D, OUT_I32_1D, OUT_I32_1D))
def build_trie(data, width, starts, order, bits, start_of_depth, nodes, token, word_end):
    """Build the trie of words.

    data, width: symbols (tokens or characters) from 1 on, each in `width` bytes, the first byte
    the most; starts: where each word's bytes begin, and where the last one's end; order: the
    words to take, sorted, unique; bits: each symbol's bit in the masks; start_of_depth: of
    `count_nodes`, for M nodes; nodes (M + 1, 2), zeros, token, word_end (M): the table, and each
    node's symbol, from 0 on, and the end of the range of its words, out.
    """
    longest = start_of_depth.size - 2
    count = start_of_depth[longest + 1]
    following = start_of_depth.copy()
    following[0] = 1
    path = np.zeros(longest + 1, dtype=np.int64)
    word_end[0] = order.size
    nodes[0, PACKED] = np.int64(1) << 32
    for w in range(order.size):
        start = starts[order[w]]
        length = (starts[order[w] + 1] - start) // width
        shared = 0
        if w > 0:
            shared = _shared_prefix(data, width, starts, order[w - 1], order[w])
        for depth in range(shared + 1, length + 1):
            node = following[depth]
            following[depth] += 1
            path[depth] = node
            token[node] = _symbol_at(data, width, start + (depth - 1) * width)
            first_child = following[depth + 1] if depth < longest else count
            nodes[node, PACKED] = (first_child << 32) | (w << 1)
            nodes[path[depth - 1], MASK] |= np.int64(1) << bits[token[node]]
        for depth in range(1, length + 1):
            word_end[path[depth]] = w + 1
        nodes[path[length], PACKED] |= 1
    nodes[count, PACKED] = count << 32


@kernel(VOID(I32_1D, I64_1D, U32_ANY, I32_1D, OUT_I64_1D))
def find_nodes(symbols, offsets, first_child, symbol_of, found):
    """Find where texts lead from the root: a node each, or -1.

    symbols, offsets: the texts; first_child (M + 1), symbol_of (M): the trie; found: out.
    """
    for i in range(offsets.size - 1):
        node = np.int64(0)
        for k in range(offsets[i], offsets[i + 1]):
            stop = np.int64(first_child[node + 1])
            node = first_at_least(symbol_of, np.int64(first_child[node]), stop, symbols[k])
            if node == stop or symbol_of[node] != symbols[k]:
                node = np.int64(-1)
                break
        found[i] = node


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
