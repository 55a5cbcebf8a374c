"""Kernel over the alignments of given texts: their exact probability.

It walks the lattice of Graves et al. (ICML 2006), section 4.1: a text of L tokens has L token
states and L + 1 blank states; here the two kinds lie in two arrays. Token state k + 1 is token k,
so that state 0 can hold what comes before the first token.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import (
    F32_2D,
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


@inline
def _log_sum(a, b, c):
    """Return log(exp(a) + exp(b) + exp(c)); any of them may be -inf."""
    top = max(a, max(b, c))
    if top == -np.inf:
        return top
    return top + np.log(fast_exp(a - top) + fast_exp(b - top) + fast_exp(c - top))


@inline
def _log_prob_in_logs(log_probs, start, stop, tokens, blank, a, b):
    """The forward pass in logarithms: slower, and nothing underflows."""
    count = tokens.size
    frames = stop - start
    a[: count + 1] = -np.inf
    b[: count + 1] = -np.inf
    b[0] = 0.0
    for t in range(frames):
        at_blank = np.float64(log_probs[start + t, blank])
        # A state is of use if the text can still begin before it and end after it.
        first = max(0, count - (frames - t))
        last = min(count, t + 1)
        for k in range(last, first - 1, -1):
            b[k] = _log_sum(b[k], a[k], -np.inf) + at_blank
            if k > 0:
                token = tokens[k - 1]
                skipped = a[k - 1] if k > 1 and token != tokens[k - 2] else -np.inf
                total = _log_sum(a[k], b[k - 1], skipped)
                a[k] = total + np.float64(log_probs[start + t, token])
    return _log_sum(a[count], b[count], -np.inf) if count else b[0]


@kernel(VOID(F32_2D, I64_1D, I64_1D, I32_1D, I64_1D, I64, OUT_F64_1D), reorder_sums=True)
def text_log_probs(log_probs, offsets, lines, token_ids, token_offsets, blank, out):
    """Write the exact CTC log-probability of each text to `out`; -inf where none can spell it.

    log_probs (sum of T, C), offsets (N + 1): matrices; lines (H): the matrix of each text;
    token_ids, token_offsets (H + 1): the texts; out (H): float64.
    """
    longest = 0
    for h in range(lines.size):
        longest = max(longest, token_offsets[h + 1] - token_offsets[h])
    a = np.zeros(longest + 2)
    b = np.zeros(longest + 2)
    next_a = np.zeros(longest + 2)
    next_b = np.zeros(longest + 2)
    emit = np.zeros(longest + 2)
    skip = np.zeros(longest + 2)
    for h in range(lines.size):
        tokens = token_ids[token_offsets[h] : token_offsets[h + 1]]
        start = offsets[lines[h]]
        stop = offsets[lines[h] + 1]
        count = tokens.size
        needed = count
        for k in range(count):
            fresh = k == 0 or tokens[k] != tokens[k - 1]
            skip[k] = 1.0 if fresh else 0.0
            needed += 0 if fresh else 1
        if stop - start < needed:
            out[h] = -np.inf
            continue
        a[: count + 1] = 0.0
        b[: count + 1] = 0.0
        next_a[0] = 0.0
        b[0] = 1.0
        log_scale = 0.0
        total = 1.0
        for t in range(start, stop):
            for k in range(count):
                emit[k] = fast_exp(np.float64(log_probs[t, tokens[k]]))
            at_blank = fast_exp(np.float64(log_probs[t, blank]))
            total = 0.0
            for k in range(count):
                value = (a[k + 1] + b[k] + skip[k] * a[k]) * emit[k]
                next_a[k + 1] = value
                total += value
            for k in range(count + 1):
                value = (b[k] + a[k]) * at_blank
                next_b[k] = value
                total += value
            a, next_a = next_a, a
            b, next_b = next_b, b
            if total < 1e-100:
                if total == 0.0:
                    break
                for k in range(count + 1):
                    a[k] /= total
                    b[k] /= total
                log_scale += np.log(total)
        result = -np.inf
        if total > 0.0 and a[count] + b[count] > 0.0:
            result = np.log(a[count] + b[count]) + log_scale
        if result < LINEAR_LIMIT:
            result = _log_prob_in_logs(log_probs, start, stop, tokens, blank, a, b)
        out[h] = min(result, 0.0)
