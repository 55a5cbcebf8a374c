"""Kernels over a lexicon's trie and its words' bigrams: build them, and look things up.

The trie is numbered depth first, its words in the same order, so that the words below a node are
a range. Node 0 is the root. A node is a row of an int64 table with the columns below; its children
lie side by side in `edge_token` (rising) and `edge_child`, up to where the next node's begin.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import (
    I32_1D,
    I64,
    I64_1D,
    OUT_F64_1D,
    OUT_I32_1D,
    OUT_I64_1D,
    OUT_I64_2D,
    VOID,
    inline,
    kernel,
)

NO_NODE = np.uint32(0xFFFFFFFF)
TOKEN_MASK, EDGE_START, WORD_BEGIN, WORD_END, IS_WORD = range(5)
"""Columns of the table of nodes. The mask has bit token % 64 set for each child, to say no quickly;
the words from WORD_BEGIN to WORD_END (exclusive) begin like the node; IS_WORD: 1 if one ends there.
"""
COLUMNS = 8


@kernel(I64(I32_1D, I64_1D, OUT_I64_2D, OUT_I32_1D, OUT_I32_1D))
def number_nodes(token_ids, offsets, nodes, parent, token):
    """Number the trie nodes of V sorted, unique words depth first; returns how many there are.

    token_ids, offsets (V + 1): the words; nodes (at most 2 + sum of lengths, COLUMNS), zeros:
    words of each node, out; parent, token: of each node, out.
    """
    words = offsets.size - 1
    longest = 0
    for w in range(words):
        longest = max(longest, offsets[w + 1] - offsets[w])
    path = np.zeros(longest + 1, dtype=np.int64)
    depth = 0
    parent[0] = -1
    token[0] = -1
    nodes[0, WORD_END] = words
    count = 1
    for w in range(words):
        start = offsets[w]
        length = offsets[w + 1] - start
        shared = 0
        most = min(depth, length)
        while shared < most and token[path[shared + 1]] == token_ids[start + shared]:
            shared += 1
        for d in range(depth, shared, -1):
            nodes[path[d], WORD_END] = w
        for d in range(shared, length):
            parent[count] = path[d]
            token[count] = token_ids[start + d]
            nodes[count, WORD_BEGIN] = w
            path[d + 1] = count
            count += 1
        depth = length
        nodes[path[length], IS_WORD] = 1
    for d in range(depth, 0, -1):
        nodes[path[d], WORD_END] = words
    return count


@kernel(VOID(I32_1D, I32_1D, OUT_I64_2D, OUT_I32_1D, OUT_I32_1D))
def link_nodes(parent, token, nodes, edge_token, edge_child):
    """Lay the children of each node side by side; parent, token (M): of `number_nodes`.

    nodes (M + 1, COLUMNS): masks and edges, out; edge_token (M - 1), edge_child (M - 1): out.
    """
    count = parent.size
    for node in range(1, count):
        nodes[parent[node] + 1, EDGE_START] += 1
        nodes[parent[node], TOKEN_MASK] |= np.int64(1) << np.int64(token[node] & 63)
    for node in range(count):
        nodes[node + 1, EDGE_START] += nodes[node, EDGE_START]
    fill = nodes[:, EDGE_START].copy()
    for node in range(1, count):
        edge = fill[parent[node]]
        fill[parent[node]] += 1
        edge_token[edge] = token[node]
        edge_child[edge] = node


@kernel(I64(I64_1D, I64, OUT_I64_1D, OUT_I32_1D, OUT_I64_1D))
def count_bigrams(words, vocabulary, row_start, second, cumulated):
    """Count each pair of neighbours in a sequence of word numbers; returns how many differ.

    words (N): 0 to V - 1; row_start (V + 1), second (N), cumulated (N + 1): out. Row v lists the
    words that follow v, rising; cumulated[i] is the sum of all counts before entry i.
    """
    pairs = max(words.size - 1, 0)
    keys = np.empty(pairs, dtype=np.int64)
    for i in range(pairs):
        keys[i] = words[i] * vocabulary + words[i + 1]
    keys.sort()
    entries = 0
    row_start[:] = 0
    cumulated[0] = 0
    for i in range(pairs):
        if i == 0 or keys[i] != keys[i - 1]:
            second[entries] = keys[i] % vocabulary
            row_start[keys[i] // vocabulary + 1] += 1
            entries += 1
            cumulated[entries] = cumulated[entries - 1]
        cumulated[entries] += 1
    for v in range(vocabulary):
        row_start[v + 1] += row_start[v]
    return entries


@inline
def find_child(node, token, nodes, edge_token, edge_child):
    """Return the child of a node by a token, or NO_NODE."""
    low = nodes[node, EDGE_START]
    stop = nodes[node + 1, EDGE_START]
    high = stop
    while low < high:
        middle = (low + high) >> 1
        if edge_token[middle] < token:
            low = middle + 1
        else:
            high = middle
    if low < stop and edge_token[low] == token:
        return np.uint32(edge_child[low])
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
def bigram_probability(first, begin, end, smoothing, counts, row_start, second, cumulated):
    """Return the probability that a word of the range begin to end follows the word `first`.

    (count + k) / (count(first) + k * V) for each, summed: exact, by two binary searches.
    """
    low = row_start[first]
    high = row_start[first + 1]
    left = first_at_least(second, low, high, begin)
    right = first_at_least(second, left, high, end)
    seen = cumulated[right] - cumulated[left]
    return (seen + smoothing * (end - begin)) / (counts[first] + smoothing * counts.size)


@kernel(VOID(I64_1D, OUT_F64_1D))
def cumulate_unigrams(counts, cumulated):
    """Write the cumulated unigram probabilities, count / N, of V words; cumulated (V + 1): out."""
    total = 0
    for v in range(counts.size):
        total += counts[v]
    below = 0
    cumulated[0] = 0.0
    for v in range(counts.size):
        below += counts[v]
        cumulated[v + 1] = below / total
