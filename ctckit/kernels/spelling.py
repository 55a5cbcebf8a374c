"""Kernels that spell words in tokens of several characters: the longest first, or in every way.

Both words and tokens are rows of symbols, numbers that stand for characters. The tokens are a trie
of `ctckit.kernels.lexicon`: its table `token_nodes`, the symbols of its nodes `token_symbol`, and
`token_ids`, the tokens' classes in the order of the trie. What has a class from `classes` on is the
rest of a token that begins words, without its mark: it spells the begin of a word alone.
"""

from __future__ import annotations

import numpy as np
from numba import types

from ctckit.kernels.jit import (
    I32_1D,
    I64,
    I64_1D,
    I64_2D,
    OUT_I32_1D,
    OUT_I64_1D,
    OUT_I64_2D,
    VOID,
    inline,
    kernel,
    outline,
)
from ctckit.kernels.lexicon import (
    MASK,
    NO_NODE,
    PACKED,
    U32_ANY,
    find_child,
    first_word_of,
    is_word,
)

OUT_BOOL_1D = types.Array(types.boolean, 1, "C")


@kernel(I64(I32_1D, I64_1D, I64_2D, I32_1D, I32_1D, OUT_I32_1D, OUT_I64_1D))
def spell_longest(symbols, offsets, token_nodes, token_symbol, token_ids, spelled, stops):
    """Spell words by the longest token first; returns how many tokens were written.

    symbols, offsets: the words; spelled (as long as symbols): the tokens of those that have a
    spelling; stops: where each word's end, or -1, out.
    """
    written = np.int64(0)
    for w in range(offsets.size - 1):
        begin = written
        position = offsets[w]
        while position < offsets[w + 1]:
            node = np.int64(0)
            longest = np.int64(-1)
            for k in range(position, offsets[w + 1]):
                child = find_child(node, symbols[k], token_nodes, token_symbol)
                if child == NO_NODE:
                    break
                node = np.int64(child)
                if is_word(token_nodes[node, PACKED]) == 1:
                    spelled[written] = token_ids[first_word_of(token_nodes[node, PACKED])]
                    longest = k + 1
            if longest < 0:
                break
            position = longest
            written += 1
        stops[w] = written
        if position < offsets[w + 1]:
            written = begin
            stops[w] = -1
    return written


@kernel(VOID(I32_1D, I64_1D, I64_2D, I32_1D, I32_1D, I64, OUT_BOOL_1D))
def find_spellable(symbols, offsets, token_nodes, token_symbol, token_ids, classes, spellable):
    """Find out which words some tokens spell.

    symbols, offsets: the words; spellable: out.
    """
    longest = np.int64(0)
    for w in range(offsets.size - 1):
        longest = max(longest, offsets[w + 1] - offsets[w])
    reached = np.zeros(longest + 1, dtype=np.bool_)
    for w in range(offsets.size - 1):
        start, length = offsets[w], offsets[w + 1] - offsets[w]
        reached[: length + 1] = False
        reached[0] = True
        for position in range(length):
            if not reached[position]:
                continue
            node = np.int64(0)
            for k in range(position, length):
                child = find_child(node, symbols[start + k], token_nodes, token_symbol)
                if child == NO_NODE:
                    break
                node = np.int64(child)
                packed = token_nodes[node, PACKED]
                if is_word(packed) == 1:
                    begins = position == 0
                    reached[k + 1] |= begins or token_ids[first_word_of(packed)] < classes
        spellable[w] = reached[length]


@outline
def _tokens_from(start, first_child, symbol, tokens, stack, found, targets):
    """Collect the tokens that lead on from a node, and the nodes they lead to; returns how many."""
    token_nodes, token_symbol, token_ids = tokens
    stack[0, 0] = start
    stack[0, 1] = 0
    waiting = 1
    count = 0
    while waiting > 0:
        waiting -= 1
        node, at = stack[waiting, 0], stack[waiting, 1]
        for child in range(np.int64(first_child[node]), np.int64(first_child[node + 1])):
            below = find_child(at, symbol[child], token_nodes, token_symbol)
            if below == NO_NODE:
                continue
            packed = token_nodes[below, PACKED]
            if is_word(packed) == 1:
                found[count] = token_ids[first_word_of(packed)]
                targets[count] = child
                count += 1
            stack[waiting, 0] = child
            stack[waiting, 1] = below
            waiting += 1
    return count


@inline
def _sort_by_token(found, targets, count):
    """Sort tokens, and their targets with them: Shell's sort, by Ciura's and larger gaps."""
    gap = 1
    while gap < count:
        gap = gap * 9 // 4 + 1
    while gap > 0:
        for i in range(gap, count):
            token, target = found[i], targets[i]
            k = i
            while k >= gap and found[k - gap] > token:
                found[k] = found[k - gap]
                targets[k] = targets[k - gap]
                k -= gap
            found[k] = token
            targets[k] = target
        gap = gap * 4 // 9


@kernel(I64(U32_ANY, I32_1D, I64_2D, I64_2D, I32_1D, I32_1D, OUT_I32_1D, OUT_BOOL_1D))
def count_arcs(
    first_child, symbol, nodes, token_nodes, token_symbol, token_ids, arcs, used
):  # fmt: skip
    """Count the arcs from each node after which some word can still be ended; returns the sum.

    first_child (M + 1), symbol (M), nodes: the trie over characters; arcs (M), zeros: out; used
    (C), False: out, True for tokens that an arc has. Tokens without their mark get none: what has
    the mark is no part of the word.
    """
    tokens = (token_nodes, token_symbol, token_ids)
    stack = np.zeros((token_symbol.size + 1, 2), dtype=np.int64)
    found = np.zeros(token_symbol.size, dtype=np.int64)
    targets = np.zeros(token_symbol.size, dtype=np.int64)
    total = np.int64(0)
    for node in range(symbol.size - 1, -1, -1):
        count = _tokens_from(node, first_child, symbol, tokens, stack, found, targets)
        for k in range(count):
            target = targets[k]
            if found[k] >= used.size:
                continue
            if arcs[target] > 0 or is_word(nodes[target, PACKED]) == 1:
                arcs[node] += 1
                used[found[k]] = True
        total += arcs[node]
    return total


@kernel(
    I64(
        U32_ANY, I32_1D, I64_2D, I32_1D, I32_1D, I32_1D, I64_1D,
        OUT_I64_2D, OUT_I32_1D, OUT_I32_1D,
    )
)  # fmt: skip
def build_arcs(
    first_child, symbol, token_nodes, token_symbol, token_ids, arcs, bits,
    nodes, arc_token, arc_target,
):  # fmt: skip
    """Put the arcs in place of the children; returns the tokens of the word with the most.

    As `count_arcs`; arcs: what that has found; bits (C): each token's bit in the masks; nodes
    (M + 1, 2): the trie's table, which becomes that of the arcs; arc_token, arc_target: out.
    """
    tokens = (token_nodes, token_symbol, token_ids)
    stack = np.zeros((token_symbol.size + 1, 2), dtype=np.int64)
    found = np.zeros(token_symbol.size, dtype=np.int64)
    targets = np.zeros(token_symbol.size, dtype=np.int64)
    steps = np.full(symbol.size, -1, dtype=np.int32)
    steps[0] = 0
    longest = np.int64(0)
    written = np.int64(0)
    for node in range(symbol.size):
        nodes[node, PACKED] = (written << 32) | (nodes[node, PACKED] & 0xFFFFFFFF)
        mask = np.int64(0)
        if arcs[node] > 0 or node == 0:
            count = _tokens_from(node, first_child, symbol, tokens, stack, found, targets)
            _sort_by_token(found, targets, count)
            for k in range(count):
                target = targets[k]
                if arcs[target] == 0 and is_word(nodes[target, PACKED]) == 0:
                    continue
                if found[k] < bits.size:
                    arc_token[written] = found[k]
                    arc_target[written] = target
                    written += 1
                    mask |= np.int64(1) << bits[found[k]]
                elif node != 0:
                    continue
                if steps[node] >= 0:
                    steps[target] = max(steps[target], steps[node] + 1)
                    longest = max(longest, np.int64(steps[target]))
        nodes[node, MASK] = mask
    nodes[symbol.size, PACKED] = written << 32
    return longest
