"""Kernel over what a search has returned: whether it is possible."""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import BOOL, F64_1D, I32_1D, I64, I64_1D, kernel
from ctckit.kernels.search import hash_on


@kernel(BOOL(I32_1D, I64_1D, I64_1D, F64_1D, I64, I64, I64, I64))
def is_possible(
    token_ids, token_offsets, hypothesis_offsets, scores, lines, n_best, classes, blank
):
    """Return whether a result is surely possible; False also where two texts have one hash.

    token_ids, token_offsets (H + 1), hypothesis_offsets (N + 1): of the hypotheses; scores (H), or
    nothing; lines: N that is wanted; n_best: hypotheses that a line may have.
    """
    hypotheses = token_offsets.size - 1
    if hypothesis_offsets.size != lines + 1 or hypothesis_offsets[0] != 0:
        return False
    if hypothesis_offsets[lines] != hypotheses:
        return False
    if token_offsets[0] != 0 or token_offsets[hypotheses] != token_ids.size:
        return False
    most = np.int64(0)
    for i in range(lines):
        count = hypothesis_offsets[i + 1] - hypothesis_offsets[i]
        if count < 1 or count > n_best:
            return False
        most = max(most, count)
    if scores.size != hypotheses and (scores.size or most > 1):
        return False
    for h in range(hypotheses):
        if token_offsets[h + 1] < token_offsets[h]:
            return False
    wrong = np.int32(0)
    for k in range(token_ids.size):
        token = token_ids[k]
        wrong |= np.int32(token < 0) | np.int32(token >= classes) | np.int32(token == blank)
    for h in range(scores.size):
        wrong |= np.int32(np.isnan(scores[h]))
    if wrong:
        return False
    if most == 1:
        return True
    slots = np.int64(4)
    while slots < 2 * most:
        slots *= 2
    hashes = np.empty(slots, dtype=np.int64)
    taken_by = np.full(slots, -1, dtype=np.int64)  # the line whose text is there
    for i in range(lines):
        start, stop = hypothesis_offsets[i], hypothesis_offsets[i + 1]
        for h in range(start, stop):
            if h > start and scores[h] > scores[h - 1]:
                return False
            value = token_offsets[h + 1] - token_offsets[h]
            for k in range(token_offsets[h], token_offsets[h + 1]):
                value = hash_on(value, np.int64(token_ids[k]))
            at = hash_on(value, np.int64(0)) & (slots - 1)
            while taken_by[at] == i:
                if hashes[at] == value:
                    return False
                at = (at + 1) & (slots - 1)
            hashes[at] = value
            taken_by[at] = i
    return True
