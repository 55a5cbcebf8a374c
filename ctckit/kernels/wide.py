"""Which classes of a large alphabet exceed a threshold, in one pass over the row of a frame.

That pass takes the largest value of each block of classes, at the speed at which memory is read.
What is asked next looks at those, and into the few blocks that hold what is sought. Floats are
compared by their keys: int32 of the same order, which LLVM vectorises.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import inline, outline
from ctckit.kernels.search import classes_above, cut_at, drop_class, fast_exp, log_at_most

WIDE = 256
"""Classes from which a row is looked at in blocks first."""
WIDE_BLOCK = 64
"""Classes in a block."""
LOWEST = np.int32(-2147483648)


@inline
def _key(value):
    """Return a float32's key: its bits, those of a negative one mirrored."""
    bits = np.float32(value).view(np.int32)
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@inline
def _value(key):
    """Return the float32 of a key."""
    bits = np.int32(key ^ ((key >> np.int32(31)) & np.int32(0x7FFFFFFF)))
    return np.int32(bits).view(np.float32)


@inline
def _largest_of_blocks(row, blank, block, tops):
    """Write the key of each block's largest value, but the blank's, to tops; returns how many."""
    size = row.size
    blocks = size // block
    for n in range(blocks):
        piece = row[n * block : (n + 1) * block]
        top = LOWEST
        for k in range(block):
            key = _key(piece[k])
            top = key if key > top else top
        tops[n] = top
    if blocks * block < size:
        top = LOWEST
        for c in range(blocks * block, size):
            key = _key(row[c])
            top = key if key > top else top
        tops[blocks] = top
        blocks += 1
    start = blank // block * block
    piece = row[start : min(start + block, size)]
    top = LOWEST
    for k in range(piece.size):
        key = LOWEST if start + k == blank else _key(piece[k])
        top = key if key > top else top
    tops[blank // block] = top
    return blocks


@outline
def scan_row(row, blank, tops):
    """Write the largest value of each block of a row to tops; returns the likeliest class.

    The blank is left out. tops (C // WIDE_BLOCK + 1) : int32 keys
    """
    blocks = _largest_of_blocks(row, blank, WIDE_BLOCK, tops)
    top = LOWEST
    for n in range(blocks):
        top = tops[n] if tops[n] > top else top
    found = np.int32(blocks)
    for n in range(blocks):
        here = np.int32(n) if tops[n] == top else np.int32(blocks)
        found = here if here < found else found
    start = np.int64(found) * WIDE_BLOCK
    piece = row[start : min(start + WIDE_BLOCK, row.size)]
    likeliest = np.int32(row.size)
    for k in range(piece.size):
        here = np.int32(start + k)
        here = here if _key(piece[k]) == top and here != blank else np.int32(row.size)
        likeliest = here if here < likeliest else likeliest
    return np.int64(likeliest)


@outline
def candidates_of_scan(row, tops, log_threshold, blank, likeliest, hits, classes):
    """Collect the classes above a log-probability, but the blank and `likeliest`; returns how many.

    tops : of `scan_row`; hits (as long) : scratch
    """
    threshold = _key(log_threshold)
    count = 0
    for n in range((row.size + WIDE_BLOCK - 1) // WIDE_BLOCK):
        hits[count] = n
        count += np.int64(tops[n] > threshold)
    found = np.int64(0)
    for n in range(count):
        start = np.int64(hits[n]) * WIDE_BLOCK
        stop = min(start + WIDE_BLOCK, row.size)
        found = classes_above(row, start, stop, log_threshold, classes, found)
    found = drop_class(blank, classes, found)
    return drop_class(likeliest, classes, found)


@outline
def log_of_nth(row, blank, n, scratch):
    """Return a log-probability below that of the `n` likeliest classes, the blank left out.

    It is nearly as high as can be: the n-th of the largest values of a few times `n` blocks; -inf
    where there are too few classes. scratch (C) : float64
    """
    block = row.size // (4 * n)
    if block < 2:
        return np.float32(-np.inf)
    keys = scratch.view(np.int32)
    blocks = _largest_of_blocks(row, blank, block, keys)
    for k in range(blocks - 1, -1, -1):  # a float takes the place of two keys
        scratch[k] = fast_exp(np.float64(_value(keys[k])))
    cut = cut_at(scratch.view(np.int64), blocks, n, np.int64(0))
    return log_at_most(np.int64(cut).view(np.float64)) if cut > 0 else np.float32(-np.inf)
