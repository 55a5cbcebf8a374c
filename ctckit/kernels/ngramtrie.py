"""Kernels that find n-grams by their words, to build the trie of a language model.

An n-gram is a row of word numbers. A table has a power of two of slots, at least twice as many as
there are rows, and holds row numbers or -1.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import I32_1D, I32_2D, I64, OUT_I32_1D, VOID, inline, kernel


@inline
def _hash(rows, row, first, count):
    """Return the hash of `count` words of a row, from `first` on: 32 bits in an int64."""
    value = np.int64(count)
    for k in range(first, first + count):
        mixed = (value ^ np.int64(rows[row, k])) * 1664525637
        value = (mixed ^ (mixed >> 29)) & 0xFFFFFFFF
    return value


@inline
def _find(rows, row, first, shorter, table):
    """Return which row of `shorter` a row's words from `first` on are, or -1; and its slot."""
    count = shorter.shape[1]
    mask = np.int64(table.size - 1)
    slot = _hash(rows, row, first, count) & mask
    found = np.int64(-1)
    while table[slot] >= 0:
        other = np.int64(table[slot])
        k = 0
        while k < count and shorter[other, k] == rows[row, first + k]:
            k += 1
        if k == count:
            found = other
            break
        slot = (slot + 1) & mask
    return found, slot


@kernel(VOID(I32_2D, OUT_I32_1D))
def index_rows(rows, table):
    """Fill a table of -1 with the rows; of equal ones the first."""
    for row in range(rows.shape[0]):
        found, slot = _find(rows, row, 0, rows, table)
        if found < 0:
            table[slot] = row


@kernel(I64(I32_2D, I32_2D, I32_1D, OUT_I32_1D, OUT_I32_1D))
def link_rows(rows, shorter, table, context, suffix):
    """Find each row without its last word, and without its first; returns how many are missing.

    shorter, table: rows that are one word shorter, and their table; context, suffix: the row
    numbers, -1 for what is missing, out.
    """
    missing = 0
    for row in range(rows.shape[0]):
        context[row], _ = _find(rows, row, 0, shorter, table)
        suffix[row], _ = _find(rows, row, 1, shorter, table)
        missing += np.int64(context[row] < 0) + np.int64(suffix[row] < 0)
    return missing
