"""Kernels over the rows of a matrix: checked, made log-probabilities, the likeliest class."""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import BOOL, F32, F32_2D, I64, OUT_F32_2D, OUT_I64_1D, inline, kernel

LOG2_E = np.float32(1.4426950408889634)
LN_2 = np.float32(0.6931471805599453)
LOWEST = np.float32(-87.0)  # exp() of anything lower is not a normal float32
HIGHEST = np.float32(1.0)
ROUNDER = np.float32(
    12582912.0
)  # 1.5 * 2**23: adding it leaves the nearest integer in the low bits


@inline
def _exp(x):
    """exp for -87 <= x <= 1 to a relative 3e-7, in a form that LLVM vectorises."""
    shifted = x * LOG2_E + ROUNDER
    rest = x - (shifted - ROUNDER) * LN_2
    value = np.float32(0.00836915)
    value = value * rest + np.float32(0.04191755)
    value = value * rest + np.float32(0.16666505)
    value = value * rest + np.float32(0.49998869)
    value = value * rest + np.float32(1.0)
    value = value * rest + np.float32(1.0)
    power = np.int32(np.float32(shifted).view(np.int32) << np.int32(23))
    return np.int32(np.float32(value).view(np.int32) + power).view(np.float32)


@kernel(I64(F32_2D, F32), reorder_sums=True)
def first_bad_row(log_probs, tolerance):
    """Return the first row whose exponentials do not sum to 1 within `tolerance`, or -1.

    log_probs (T, C) natural log; a row with NaN, +inf or a value above `tolerance` is bad too.
    """
    frames, classes = log_probs.shape
    for t in range(frames):
        wrong = np.int32(0)
        total = np.float32(0.0)
        for c in range(classes):
            value = log_probs[t, c]
            wrong |= np.int32(not (value <= tolerance))  # so that NaN counts as wrong
            value = LOWEST if value < LOWEST else value
            total += _exp(HIGHEST if value > HIGHEST else value)
        if wrong or not abs(total - np.float32(1.0)) <= tolerance:
            return t
    return -1


@kernel(I64(F32_2D, OUT_F32_2D), reorder_sums=True)
def log_softmax(logits, out):
    """Write ``logits - log(sum(exp(logits)))`` of each row to `out`, (T, C) both.

    Returns the first row without a finite maximum, or with NaN or +inf; or -1.
    """
    frames, classes = logits.shape
    for t in range(frames):
        wrong = 0
        top = np.float32(-np.inf)
        for c in range(classes):
            value = logits[t, c]
            wrong |= not (value < np.float32(np.inf))
            top = value if value > top else top
        if wrong or top == -np.inf:
            return t
        total = np.float32(0.0)
        for c in range(classes):
            value = logits[t, c] - top
            out[t, c] = value  # kept: against a large `top` the sum's logarithm would round away
            total += _exp(LOWEST if value < LOWEST else value)
        rest = np.float32(np.log(np.float64(total)))
        for c in range(classes):
            out[t, c] = min(out[t, c] - rest, np.float32(0.0))
    return -1


@kernel(I64(F32_2D, F32, BOOL, OUT_I64_1D, OUT_I64_1D), reorder_sums=True)
def best_path_of_probs(probs, tolerance, collapse, best, path):
    """Write the likeliest class of each row to `best`, and where labels begin to `path`, (T,) both.

    probs (T, C), the blank first; collapse: whether a class in neighbouring rows is one label.
    Returns the number of labels; -1 if some row is no distribution within `tolerance`.
    """
    frames, classes = probs.shape
    count = 0
    for t in range(frames):
        wrong = np.int32(0)
        total = np.float32(0.0)
        top = np.int32(-1)
        for c in range(classes):
            value = probs[t, c]
            wrong |= np.int32(not (value >= np.float32(0.0)))  # so that NaN counts as wrong
            total += value
            bits = np.float32(value).view(np.int32)  # of the same order, and LLVM vectorises it
            top = bits if bits > top else top
        if wrong or not abs(total - np.float32(1.0)) <= tolerance:
            return -1
        first = np.int32(classes)
        for c in range(classes):
            bits = np.float32(probs[t, c]).view(np.int32)
            here = np.int32(c) if bits == top else np.int32(classes)
            first = here if here < first else first
        best[t] = first
        path[count] = t
        count += np.int64(first != 0 and not (collapse and t > 0 and best[t - 1] == first))
    return count
