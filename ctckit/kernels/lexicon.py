"""Kernels over a lexicon's trie and its words' bigrams: build them, and look things up.

The trie is numbered depth first, its words in the same order, so that the words below a node are
a range. Node 0 is the root. Children lie side by side (`edge_start`, `edge_token`, `edge_child`,
tokens rising); `token_mask` has bit token % 64 set for each child, to say no quickly.
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
    VOID,
    inline,
    kernel,
)

NO_NODE = np.uint32(0xFFFFFFFF)


@kernel(I64(I32_1D, I64_1D, OUT_I32_1D, OUT_I32_1D, OUT_I32_1D, OUT_I32_1D, OUT_I32_1D))
def number_nodes(token_ids, offsets, parent, token, begin, end, word_node):  # type: ignore[no-untyped-def]
    """Number the trie nodes of V sorted, unique words depth first; returns how many there are.

    token_ids, offsets (V + 1): the words; parent, token, begin, end (at most 1 + sum of lengths):
    each node's, out; its words are ``begin`` to ``end``; word_node (V): where each word ends, out.
    """
    words = offsets.size - 1
    longest = 0
    for w in range(words):
        longest = max(longest, offsets[w + 1] - offsets[w])
    path = np.zeros(longest + 1, dtype=np.int32)
    depth = 0
    parent[0] = -1
    token[0] = -1
    begin[0] = 0
    end[0] = words
    nodes = 1
    for w in range(words):
        start = offsets[w]
        length = offsets[w + 1] - start
        shared = 0
        while shared < depth and shared < length and token[path[shared + 1]] == token_ids[start + shared]:
            shared += 1
        for d in range(depth, shared, -1):
            end[path[d]] = w
        for d in range(shared, length):
            parent[nodes] = path[d]
            token[nodes] = token_ids[start + d]
            begin[nodes] = w
            path[d + 1] = nodes
            nodes += 1
        depth = length
        word_node[w] = path[length]
    for d in range(depth, 0, -1):
        end[path[d]] = words
    return nodes


@kernel(VOID(I32_1D, I32_1D, OUT_I32_1D, OUT_I32_1D, OUT_I32_1D, OUT_I64_1D))
def link_nodes(parent, token, edge_start, edge_token, edge_child, token_mask):  # type: ignore[no-untyped-def]
    """Lay the children of each node side by side; parent, token (M): of `number_nodes`.

    edge_start (M + 1), edge_token (M - 1), edge_child (M - 1), token_mask (M): out.
    """
    nodes = parent.size
    edge_start[:] = 0
    token_mask[:] = 0
    for node in range(1, nodes):
        edge_start[parent[node] + 1] += 1
        token_mask[parent[node]] |= np.int64(1) << np.int64(token[node] & 63)
    for node in range(nodes):
        edge_start[node + 1] += edge_start[node]
    fill = edge_start[:-1].copy()
    for node in range(1, nodes):
        edge = fill[parent[node]]
        fill[parent[node]] += 1
        edge_token[edge] = token[node]
        edge_child[edge] = node


@kernel(I64(I64_1D, I64, OUT_I64_1D, OUT_I32_1D, OUT_I64_1D))
def count_bigrams(words, vocabulary, row_start, second, cumulated):  # type: ignore[no-untyped-def]
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
def find_child(node, token, edge_start, edge_token, edge_child):  # type: ignore[no-untyped-def]
    """Return the child of a node by a token, or NO_NODE."""
    low = np.int64(edge_start[node])
    high = np.int64(edge_start[node + 1])
    while low < high:
        middle = (low + high) >> 1
        if edge_token[middle] < token:
            low = middle + 1
        else:
            high = middle
    if low < edge_start[node + 1] and edge_token[low] == token:
        return np.uint32(edge_child[low])
    return NO_NODE


@inline
def first_at_least(values, low, high, wanted):  # type: ignore[no-untyped-def]
    """Return the first position from `low` to `high` of a rising array with at least `wanted`."""
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@inline
def bigram_probability(first, begin, end, smoothing, counts, row_start, second, cumulated):  # type: ignore[no-untyped-def]
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
def cumulate_unigrams(counts, cumulated):  # type: ignore[no-untyped-def]
    """Write the cumulated unigram probabilities, count / N, of V words; cumulated (V + 1): out."""
    total = 0
    for v in range(counts.size):
        total += counts[v]
    below = 0
    cumulated[0] = 0.0
    for v in range(counts.size):
        below += counts[v]
        cumulated[v + 1] = below / total
