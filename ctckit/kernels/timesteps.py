"""Kernel over the alignments of given texts: the first frame of each token on the best one.

The lattice and its arrays are those of `ctckit.kernels.likelihood`.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import F32_2D, I32_1D, I64, I64_1D, OUT_I32_1D, VOID, kernel


@kernel(VOID(F32_2D, I64_1D, I64_1D, I32_1D, I64_1D, I64, OUT_I32_1D))
def text_timesteps(log_probs, offsets, lines, token_ids, token_offsets, blank, out):
    """Write the first frame of each token on the likeliest alignment of each text to `out`.

    Arguments as in `likelihood.text_log_probs`; out has the shape of token_ids. All -1 for a text
    that no alignment spells. Of equally likely alignments the one that moves on latest is taken.
    """
    longest = 0
    largest = 0
    for h in range(lines.size):
        count = token_offsets[h + 1] - token_offsets[h]
        frames = offsets[lines[h] + 1] - offsets[lines[h]]
        longest = max(longest, count)
        largest = max(largest, frames * (count + 1))
    a = np.zeros(longest + 2)
    b = np.zeros(longest + 2)
    # From where the best way came: 0 the same state, 1 the blank before, 2 the token before.
    token_from = np.zeros(largest, dtype=np.uint8)
    blank_from = np.zeros(largest, dtype=np.uint8)
    for h in range(lines.size):
        first_token = token_offsets[h]
        tokens = token_ids[first_token : token_offsets[h + 1]]
        start = offsets[lines[h]]
        frames = offsets[lines[h] + 1] - start
        count = tokens.size
        if count == 0:
            continue
        width = count + 1
        a[:width] = -np.inf
        b[:width] = -np.inf
        b[0] = 0.0
        for t in range(frames):
            at_blank = np.float64(log_probs[start + t, blank])
            row = t * width
            for k in range(min(count, t + 1), max(0, count - (frames - t)) - 1, -1):
                came_from = 0
                if k > 0:
                    best = a[k]
                    if b[k - 1] > best:
                        best = b[k - 1]
                        came_from = 1
                    if k > 1 and tokens[k - 1] != tokens[k - 2] and a[k - 1] > best:
                        best = a[k - 1]
                        came_from = 2
                    token_from[row + k] = came_from
                    blank_is_from_token = a[k] > b[k]
                    b[k] = max(a[k], b[k]) + at_blank
                    a[k] = best + np.float64(log_probs[start + t, tokens[k - 1]])
                    blank_from[row + k] = 2 if blank_is_from_token else 0
                else:
                    b[0] += at_blank
                    blank_from[row] = 0
        if max(a[count], b[count]) == -np.inf:
            out[first_token : first_token + count] = -1
            continue
        k = count
        on_blank = b[count] > a[count]
        for t in range(frames - 1, -1, -1):
            if on_blank:
                on_blank = blank_from[t * width + k] == 0
            else:
                came_from = token_from[t * width + k]
                if came_from != 0:
                    out[first_token + k - 1] = t
                    k -= 1
                    on_blank = came_from == 1
