"""What the kernels of word beam search share beside the weights of texts."""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import inline
from ctckit.kernels.search import NONE, PARENT, SLOT

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
def same_tokens(token_ids, first, second, length):
    """Return whether `length` tokens from `first` on are those from `second` on."""
    for k in range(length):
        if token_ids[first + k] != token_ids[second + k]:
            return False
    return True
