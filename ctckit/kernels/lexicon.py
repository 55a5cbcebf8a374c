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

OUT_U8_1D = types.Array(types.uint8, 1, "C")
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
    """Return the first position from `low` to `high` of a rising array with at least `wanted`.

    Each step adds a half or nothing, which compiles without a branch to be mispredicted.
    """
    if low >= high:
        return low
    left = high - low
    while left > 1:
        half = left >> 1
        low += half if values[low + half - 1] < wanted else 0
        left -= half
    return low + 1 if values[low] < wanted else low


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
def _value_at(data, width, position):
    """Return a symbol plus one, whose bytes begin at a position, the first byte the most.

    0 stands at a word's end.
    """
    value = np.int64(0)
    for k in range(width):
        value = (value << 8) | data[position + k]
    return value


@inline
def _shared_bytes(data, width, one, other):
    """Return how many bytes two words have in common, or -1 if they are the same."""
    shared = 0
    value = _value_at(data, width, one)
    while value == _value_at(data, width, other + shared):
        if value == 0:
            return -1
        shared += width
        value = _value_at(data, width, one + shared)
    return shared


@inline
def _load_keys(data, width, order, low, high, skipped, keys):
    """Write eight bytes of some words, after those skipped, as numbers in the order of the bytes.

    Zeros stand behind a word's end.
    """
    for i in range(low, high):
        position = order[i] + skipped
        left = 64
        key = np.int64(0)
        while left > 0:
            left -= 8 * width
            value = _value_at(data, width, position)
            if value == 0:
                break
            key |= value << left
            position += width
        keys[i] = key ^ LEAST


@kernel(I64(U8_1D, I64, OUT_I64_1D, OUT_I64_1D))
def sort_words(data, width, order, keys):
    """Sort words, and drop repeated ones; returns how many different ones there are.

    data: the words' symbols from 1 on, each in `width` bytes, the first byte the most, and 0 after
    each word; order: where each word begins; those of the different ones in order come first, out;
    keys (as long): to work with. A quicksort in three parts by eight bytes at a time, in place.
    """
    waiting = np.empty((order.size // 2 + 1, 3), dtype=np.int64)  # of two words or more each
    waiting[0, 0], waiting[0, 1], waiting[0, 2] = 0, order.size, 0
    _load_keys(data, width, order, 0, order.size, 0, keys)
    last_symbol = (np.int64(1) << (8 * width)) - 1
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
            if above - below > 1 and pivot & last_symbol != 0:  # else they end, and are the same
                _load_keys(data, width, order, below, above, skipped + 8, keys)
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
        if different == 0 or _shared_bytes(data, width, order[different - 1], order[i]) >= 0:
            order[different] = order[i]
            different += 1
    return different


@kernel(I64(U8_1D, I64, I64_1D, OUT_I32_1D, OUT_U8_1D, OUT_I64_1D))
def front_code(data, width, order, shared, tails, sizes):
    """Write what each word adds to the one before; returns the bytes written.

    data, width, order: sorted, different words, as `sort_words` leaves them; shared: how many
    symbols each has in common with the one before, out; tails (as long as data): the others, and 0
    after each word, out; sizes (longest word + 1), zeros: the new symbols at each depth, out.
    """
    written = np.int64(0)
    for w in range(order.size):
        common = 0
        if w > 0:
            common = _shared_bytes(data, width, order[w - 1], order[w])
        shared[w] = common // width
        depth = shared[w]
        position = order[w] + common
        value = np.int64(1)
        while value != 0:
            value = _value_at(data, width, position)
            for k in range(width):
                tails[written + k] = data[position + k]
            position += width
            written += width
            if value != 0:
                depth += 1
                sizes[depth] += 1
    return written


@kernel(VOID(U8_1D, I64, I32_1D, I64_1D, I64_1D, OUT_I64_2D, OUT_I32_1D, OUT_I32_1D))
def build_trie(tails, width, shared, bits, start_of_depth, nodes, token, word_end):
    """Build the trie of words.

    tails, width, shared: the words, as of `front_code`; bits: each symbol's bit in the masks;
    start_of_depth (longest word + 2): the first node of each depth, and the number of nodes, M;
    nodes (M + 1, 2), zeros, token, word_end (M): the table, and each node's symbol, from 0 on, and
    the end of the range of its words, out.
    """
    longest = start_of_depth.size - 2
    count = start_of_depth[longest + 1]
    following = start_of_depth.copy()
    following[0] = 1
    path = np.zeros(longest + 1, dtype=np.int64)
    length = np.int64(0)
    position = np.int64(0)
    word_end[0] = shared.size
    nodes[0, PACKED] = np.int64(1) << 32
    for w in range(shared.size):
        for depth in range(shared[w] + 1, length + 1):
            word_end[path[depth]] = w
        length = np.int64(shared[w])
        value = _value_at(tails, width, position)
        while value != 0:
            length += 1
            node = following[length]
            following[length] += 1
            path[length] = node
            token[node] = value - 1
            first_child = following[length + 1] if length < longest else count
            nodes[node, PACKED] = (first_child << 32) | (w << 1)
            nodes[path[length - 1], MASK] |= np.int64(1) << bits[value - 1]
            position += width
            value = _value_at(tails, width, position)
        nodes[path[length], PACKED] |= 1
        position += width
    for depth in range(1, length + 1):
        word_end[path[depth]] = shared.size
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
