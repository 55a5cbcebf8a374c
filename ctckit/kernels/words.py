"""Kernels that number words: UTF-8 strings behind one another, and a hash table of them.

A table has a power of two of slots, at least twice as many as there are words, and holds word
numbers or -1. Hashes are 32 bits in an int64, so that nothing overflows without the JIT either.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import I32_1D, I64, I64_1D, OUT_I32_1D, U8_1D, VOID, inline, kernel


@inline
def hash_word(data, start, stop):
    """Return the hash of the bytes from `start` to `stop` (FNV-1a)."""
    value = np.int64(2166136261)
    for i in range(start, stop):
        value = ((value ^ np.int64(data[i])) * 16777619) & 0xFFFFFFFF
    return value ^ (value >> 15)


@inline
def find_word(data, start, stop, spellings, offsets, table):
    """Return the number of the word that the bytes from `start` to `stop` spell, or -1."""
    mask = np.int64(table.size - 1)
    slot = hash_word(data, start, stop) & mask
    found = np.int64(-1)
    while table[slot] >= 0:
        word = np.int64(table[slot])
        first = offsets[word]
        if offsets[word + 1] - first == stop - start:
            i = np.int64(0)
            while i < stop - start and spellings[first + i] == data[start + i]:
                i += 1
            if i == stop - start:
                found = word
                break
        slot = (slot + 1) & mask
    return found


@kernel(I64(U8_1D, I64_1D, OUT_I32_1D))
def index_words(spellings, offsets, table):
    """Fill a table of -1 with V words; returns the first that was there before, or -1.

    spellings, offsets (V + 1): the words; table: out.
    """
    mask = np.int64(table.size - 1)
    for word in range(offsets.size - 1):
        start, stop = offsets[word], offsets[word + 1]
        if find_word(spellings, start, stop, spellings, offsets, table) >= 0:
            return word
        slot = hash_word(spellings, start, stop) & mask
        while table[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = word
    return -1


@kernel(VOID(U8_1D, I64_1D, U8_1D, I64_1D, I32_1D, I64, OUT_I32_1D))
def look_up_words(wanted, wanted_offsets, spellings, offsets, table, unknown, numbers):
    """Write the number of each wanted word, `unknown` for those that are not there."""
    for i in range(wanted_offsets.size - 1):
        word = find_word(
            wanted, wanted_offsets[i], wanted_offsets[i + 1], spellings, offsets, table
        )
        numbers[i] = word if word >= 0 else unknown
