"""What searches share that bound texts by the probability of their beginnings.

For a prefix there are the probabilities of the paths that have spelled it, and no more, after t of
T frames: of those that end in its last token, and of those that end in a blank (Graves et al.,
ICML 2006, section 4.1). They are the two rows of `states` (2, T + 1); only those from ``reach[0]``
to ``reach[1]`` hold something. The probability of all texts that begin with the prefix is the sum,
over the frames, of what enters it, times what the frames after that sum to.

So that nothing underflows in long or flat matrices, the likeliest class of a frame counts as 1,
and the states of each prefix have a scale of their own.
"""

from __future__ import annotations

import numpy as np

from ctckit.kernels.jit import inline, outline
from ctckit.kernels.search import fast_exp

LEAST = 1e-200
"""States less likely than that, beside the likeliest of their prefix, are left out."""


@inline
def take_frames(log_probs, start, stop, probs, log_after, row):
    """Write the probabilities of frames start to stop by class, against the likeliest in a frame.

    probs (C, T), log_after (T + 1): what the frames from each on sum to; out. row (C): scratch.
    Returns the log-probability of the likeliest classes.
    """
    classes = log_probs.shape[1]
    tops = 0.0
    log_after[stop - start] = 0.0
    for t in range(stop - start - 1, -1, -1):
        top = -np.inf
        for c in range(classes):
            top = max(top, np.float64(log_probs[start + t, c]))
        total = 0.0
        for c in range(classes):
            row[c] = fast_exp(np.float64(log_probs[start + t, c]) - top)
            total += row[c]
        for c in range(classes):
            probs[c, t] = row[c]
        log_after[t] = log_after[t + 1] + np.log(total)
        tops += top
    return tops


@inline
def empty_prefix(probs, blank, frames, states, reach):
    """Write the states of the empty prefix; returns the probability of the empty text."""
    states[0, : frames + 1] = 0.0
    states[1, 0] = 1.0
    for t in range(frames):
        states[1, t + 1] = states[1, t] * probs[blank, t]
    reach[0] = 0
    reach[1] = frames + 1
    return states[1, frames]


@inline
def scale_states(states, reach):
    """Bring the largest state to 1; returns the logarithm of what it was."""
    top = 0.0
    for t in range(reach[0], reach[1]):
        top = max(top, states[0, t] + states[1, t])
    if top <= 0.0:
        return 0.0
    for t in range(reach[0], reach[1]):
        states[0, t] /= top
        states[1, t] /= top
    return np.log(top)


@inline
def weigh_frames(reach, frames, log_after, after):
    """Write what comes after each frame in which a prefix can be left, against the first of them.

    after (T): out. Returns the logarithm of what comes after the first.
    """
    end = min(reach[1], frames)
    if reach[0] >= end:
        return 0.0
    first = log_after[reach[0] + 1]
    for t in range(reach[0], end):
        after[t] = fast_exp(log_after[t + 1] - first)
    return first


@outline
def longer_prefix(
    probs, blank, token, repeats, frames, after, cut, states, reach, longer, longer_reach
):
    """Write the states of a prefix with one token more to `longer`, on the same scale.

    states, reach, after: the prefix's; repeats: whether it ends in the token, so that a blank must
    come between; cut: states less likely are left out at either end; longer, longer_reach: out.
    Returns the probability of the longer prefix's text, and of all texts that begin with it, the
    latter against what `weigh_frames` returned.
    """
    at_token = probs[token]
    at_blank = probs[blank]
    counts = 0.0 if repeats else 1.0
    ends_token = 0.0
    ends_blank = 0.0
    total = 0.0
    first = np.int64(frames + 1)
    stop = np.int64(frames + 1)
    for t in range(reach[0], frames):
        entering = 0.0
        if t < reach[1]:
            entering = (states[1, t] + counts * states[0, t]) * at_token[t]
            total += entering * after[t]
        elif ends_token + ends_blank < cut:
            stop = np.int64(t + 1)
            ends_token = 0.0
            ends_blank = 0.0
            break
        ends_blank = (ends_blank + ends_token) * at_blank[t]
        ends_token = ends_token * at_token[t] + entering
        longer[0, t + 1] = ends_token
        longer[1, t + 1] = ends_blank
        if first > frames and ends_token + ends_blank >= cut:
            first = np.int64(t + 1)
    longer_reach[0] = min(first, stop)
    longer_reach[1] = stop
    return ends_token + ends_blank, total
