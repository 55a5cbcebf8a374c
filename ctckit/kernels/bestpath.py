"""Kernel of best path decoding (Graves et al., ICML 2006, section 3.2)."""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import (
    F32_2D,
    I64,
    I64_1D,
    OUT_F64_1D,
    OUT_I32_1D,
    OUT_I64_1D,
    inline,
    kernel,
)

CERTAIN = np.float32(-0.65)
"""A class above exp(-0.65) = 0.52 is the largest of its frame: the frame's sum is at most 1.02."""


@inline
def _first_maximum(log_probs, t):
    """Return the first class with the largest value of row t.

    Two passes, each of which LLVM vectorises: a float32 maximum must be compared as integers for
    that, whose order is the same once the negative ones are mirrored.
    """
    classes = log_probs.shape[1]
    top = np.int32(-2147483648)
    for c in range(classes):
        bits = np.float32(log_probs[t, c]).view(np.int32)
        key = np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))
        top = key if key > top else top
    first = np.int32(classes)
    for c in range(classes):
        bits = np.float32(log_probs[t, c]).view(np.int32)
        key = np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))
        here = np.int32(c) if key == top else np.int32(classes)
        first = here if here < first else first
    return np.int64(first)


@inline
def _certain_class(log_probs, t):
    """Return the class of row t that is above `CERTAIN`, or -1."""
    found = np.int32(-1)
    for c in range(log_probs.shape[1]):
        here = np.int32(c) if log_probs[t, c] > CERTAIN else np.int32(-1)
        found = here if here > found else found
    return np.int64(found)


@kernel(I64(F32_2D, I64_1D, I64, OUT_I32_1D, OUT_I64_1D, OUT_F64_1D))
def best_paths(log_probs, offsets, blank, token_ids, token_offsets, scores):
    """Write the collapsed best path of each matrix; returns the number of tokens written.

    log_probs (sum of T, C), offsets (N + 1); token_ids (at least sum of T), token_offsets
    (N + 1), scores (N): out; a score is the log-probability of the path.
    """
    count = offsets.size - 1
    written = 0
    token_offsets[0] = 0
    for i in range(count):
        score = 0.0
        before = blank
        for t in range(offsets[i], offsets[i + 1]):
            # Most frames are sure of the blank or of the class before: no need to read the rest.
            if log_probs[t, blank] > CERTAIN:
                best = blank
            elif log_probs[t, before] > CERTAIN:
                best = before
            else:
                best = _certain_class(log_probs, t)
                if best < 0:
                    best = _first_maximum(log_probs, t)
                token_ids[written] = best
                written += np.int64(best != before and best != blank)
            score += np.float64(log_probs[t, best])
            before = best
        token_offsets[i + 1] = written
        scores[i] = score
    return written
