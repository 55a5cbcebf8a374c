"""Kernel over the alignments of given texts: their exact probability.

It walks the lattice of Graves et al. (ICML 2006), section 4.1: a text of L tokens has L token
states and L + 1 blank states; here the two kinds lie in two arrays. Token state k + 1 is token k,
so that state 0 can hold what comes before the first token.

Likely texts are summed in plain float64. Unlikely ones would underflow; their numbers are pairs:
a float64 and the power of `DIGIT` that it is multiplied by. Neither takes logarithms on the way.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import (
    F32_2D,
    F64,
    F64_1D,
    I32_1D,
    I64,
    I64_1D,
    OUT_F64_1D,
    VOID,
    inline,
    kernel,
)
from ctckit.kernels.search import fast_exp

LINEAR_LIMIT = -400.0
"""Log-probability down to which sums of plain float64 probabilities are exact.

Such a sum is rescaled when it falls under 1e-100, so a state is lost only where it is 1e-208 of
the whole, and all of its alignments together are below that: nothing beside exp(-400) = 1e-174.
"""

DIGIT = 2.0**512
LOG_DIGIT = 512 * np.log(2.0)
LEAST = 2.0**-256
"""A smaller float64 of a pair gives a power of `DIGIT` away. That leaves it below 2**256, and what
is then summed are at most as many of those as the lattice has states and frames. So a pair two
powers below another one is less than 2**-400 of it: nothing beside it."""

LEAST_LOG_PROB = np.float64(np.finfo(np.float32).min)
"""That a matrix can hold, but for -inf."""

CACHED_CELLS = 2**20
"""The most probabilities of a matrix that are kept for all of its texts, 8 MiB."""


@inline
def _at(value, power, top):
    """Return a pair as a multiple of the power `top`, which is at least its own."""
    return value if power == top else (value / DIGIT if power == top - 1.0 else 0.0)


@inline
def _power_of(log_prob):
    """Return the power of `DIGIT` of a log-probability's pair; its float64 is in (1 / DIGIT, 1]."""
    return np.ceil(max(log_prob, LEAST_LOG_PROB) / LOG_DIGIT)


@inline
def _value_of(log_prob, power):
    """Return the float64 of a log-probability's pair; 0 for -inf."""
    rest = min(max(log_prob - power * LOG_DIGIT, -LOG_DIGIT), 0.0)  # rounding may have left more
    return fast_exp(rest) if log_prob > -np.inf else 0.0


@inline
def _lowered(power, value):
    """Return the power of a pair once a value below `LEAST` is raised; that of 0 is -inf."""
    return (power if value >= LEAST else power - 1.0) if value > 0.0 else -np.inf


@kernel(F64(F32_2D, I64, I64, I32_1D, I64, F64_1D))
def _log_prob_of_pairs(log_probs, start, stop, tokens, blank, skip):
    """The forward pass in pairs; skip is 1 where the blank before a token may be left out."""
    count = tokens.size
    frames = stop - start
    size = count + 2
    a, a_power = np.zeros(size), np.full(size, -np.inf)
    b, b_power = np.zeros(size), np.full(size, -np.inf)
    next_a, next_a_power = np.zeros(size), np.full(size, -np.inf)
    next_b, next_b_power = np.zeros(size), np.full(size, -np.inf)
    emit, emit_power = np.zeros(size), np.zeros(size)
    b[0] = 1.0
    b_power[0] = 0.0
    for t in range(frames):
        # A state is of use if the text can still begin before it and end after it.
        first = max(0, count - (frames - t))
        last = min(count, t + 1)
        row = log_probs[start + t]
        for k in range(last):
            emit[k] = np.float64(row[np.uint32(tokens[k])])
        for k in range(last):
            emit_power[k] = _power_of(emit[k])
            emit[k] = _value_of(emit[k], emit_power[k])
        at_blank = np.float64(row[blank])
        blank_power = _power_of(at_blank)
        at_blank = _value_of(at_blank, blank_power)
        for k in range(max(first, 1) - 1, last):
            skipped_power = a_power[k] if skip[k] > 0.0 else -np.inf
            top = max(a_power[k + 1], max(b_power[k], skipped_power))
            value = _at(a[k + 1], a_power[k + 1], top) + _at(b[k], b_power[k], top)
            value = (value + skip[k] * _at(a[k], skipped_power, top)) * emit[k]
            power = top + emit_power[k]
            next_a[k + 1] = value * DIGIT if value < LEAST else value
            next_a_power[k + 1] = _lowered(power, value)
        for k in range(first, last + 1):
            top = max(a_power[k], b_power[k])
            value = (_at(a[k], a_power[k], top) + _at(b[k], b_power[k], top)) * at_blank
            power = top + blank_power
            next_b[k] = value * DIGIT if value < LEAST else value
            next_b_power[k] = _lowered(power, value)
        a, next_a = next_a, a
        b, next_b = next_b, b
        a_power, next_a_power = next_a_power, a_power
        b_power, next_b_power = next_b_power, b_power
    top = max(a_power[count], b_power[count])
    value = _at(a[count], a_power[count], top) + _at(b[count], b_power[count], top)
    return np.log(value) + top * LOG_DIGIT if value > 0.0 else -np.inf


@kernel(VOID(F32_2D, I64_1D, I64_1D, I32_1D, I64_1D, I64, OUT_F64_1D), reorder_sums=True)
def text_log_probs(log_probs, offsets, lines, token_ids, token_offsets, blank, out):
    """Write the exact CTC log-probability of each text to `out`; -inf where none can spell it.

    log_probs (sum of T, C), offsets (N + 1): matrices; lines (H): the matrix of each text;
    token_ids, token_offsets (H + 1): the texts; out (H): float64.
    """
    classes = log_probs.shape[1]
    longest = 0
    for h in range(lines.size):
        longest = max(longest, token_offsets[h + 1] - token_offsets[h])
    a = np.zeros(longest + 2)
    b = np.zeros(longest + 2)
    next_a = np.zeros(longest + 2)
    next_b = np.zeros(longest + 2)
    emit = np.zeros(longest + 2)
    skip = np.zeros(longest + 2)
    probs = np.zeros(0)
    cached_line = -1
    same_line = 0  # the first text behind those of the same matrix
    for h in range(lines.size):
        tokens = token_ids[token_offsets[h] : token_offsets[h + 1]]
        start = offsets[lines[h]]
        stop = offsets[lines[h] + 1]
        frames = stop - start
        count = tokens.size
        needed = count
        for k in range(count):
            fresh = k == 0 or tokens[k] != tokens[k - 1]
            skip[k] = 1.0 if fresh else 0.0
            needed += 0 if fresh else 1
        if frames < needed:
            out[h] = -np.inf
            continue
        if h >= same_line:
            same_line = h + 1
            while same_line < lines.size and lines[same_line] == lines[h]:
                same_line += 1
            cells = frames * classes
            wanted = token_offsets[same_line] - token_offsets[h]
            if same_line > h + 1 and wanted > classes and cells <= CACHED_CELLS:
                if cells > probs.size:
                    probs = np.empty(cells)
                cached_line = lines[h]
                for t in range(frames):
                    for c in range(classes):
                        probs[t * classes + c] = fast_exp(np.float64(log_probs[start + t, c]))
        a[: count + 1] = 0.0
        b[: count + 1] = 0.0
        next_a[: count + 1] = 0.0
        next_b[: count + 1] = 0.0
        b[0] = 1.0
        log_scale = 0.0
        total = 1.0
        for t in range(frames):
            if cached_line == lines[h]:
                cached = probs[t * classes : (t + 1) * classes]
                for k in range(count):
                    emit[k] = cached[np.uint32(tokens[k])]
                at_blank = cached[blank]
            else:
                row = log_probs[start + t]
                for k in range(count):  # a loop of its own, so that the next one is vectorised
                    emit[k] = np.float64(row[np.uint32(tokens[k])])
                for k in range(count):
                    emit[k] = fast_exp(emit[k])
                at_blank = fast_exp(np.float64(row[blank]))
            next_b[0] = b[0] * at_blank
            total = next_b[0]
            for k in range(count):
                token = (a[k + 1] + b[k] + skip[k] * a[k]) * emit[k]
                behind = (a[k + 1] + b[k + 1]) * at_blank
                next_a[k + 1] = token
                next_b[k + 1] = behind
                total += token + behind
            a, next_a = next_a, a
            b, next_b = next_b, b
            if total < 1e-100:
                if total == 0.0:
                    break
                log_scale += np.log(total)
                if log_scale < LINEAR_LIMIT:  # and so is the text
                    break
                for k in range(count + 1):
                    a[k] /= total
                    b[k] /= total
        result = -np.inf
        if total > 0.0 and log_scale >= LINEAR_LIMIT and a[count] + b[count] > 0.0:
            result = np.log(a[count] + b[count]) + log_scale
        if result < LINEAR_LIMIT:
            result = _log_prob_of_pairs(log_probs, start, stop, tokens, blank, skip)
        out[h] = min(result, 0.0)
